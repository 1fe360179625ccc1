"""A judge: a model that says by a rubric whether an answer is good. What it is, not its word."""

from hashlib import sha256
from typing import Any, Literal

import msgspec

MOST_REPEATS = 15


class JudgeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One judge. `rubric` looks at one answer, `pairwise` at two, each pair in both orders."""

    name: str
    model: str  # what is asked, as a client would: a deployment, a route, a task
    rubric: str  # when an answer is good, in words
    kind: Literal["rubric", "pairwise"] = "rubric"
    scale: tuple[int, int] | None = None  # the lowest and highest grade; None: pass or fail
    pass_at: int | None = None  # grades from there on pass; None: the upper half of the scale
    repeats: int = 1  # times it is asked of one answer
    tie: bool = True  # pairwise: it may call two answers equal
    max_chars: int = 60_000  # of what it is shown; more is not judged, and never cut
    max_tokens: int = 1024
    timeout_s: float = 120.0
    fields: dict[str, Any] = {}  # of its requests: temperature, seed
    max_age_days: float = 90.0  # of its card, after which that is stale

    @property
    def digest(self) -> str:
        """What it does: 16 hex digits over everything but its name and how old its card may be."""
        said = msgspec.structs.replace(self, name="", max_age_days=90.0)
        return sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()[:16]

    @property
    def passes_from(self) -> int:
        """The lowest grade that passes. Only of a judge with a scale."""
        assert self.scale is not None, "a judge of pass or fail has no grades"
        low, high = self.scale
        return self.pass_at if self.pass_at is not None else low + (high - low + 2) // 2
