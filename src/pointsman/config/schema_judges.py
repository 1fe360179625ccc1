"""The shape of judges, and of what they look at."""

# ruff: noqa: RUF012 - msgspec copies the empty defaults of fields for each struct

from typing import Annotated, Any, Literal

from msgspec import Meta

from pointsman.config.schema_words import Closed, Count, Seconds, Text
from pointsman.domain.judges import MOST_REPEATS


class RawOnline(Closed, frozen=True, kw_only=True):
    """Answers of a task that are looked at after they were given."""

    judge: str
    sample: Annotated[float, Meta(gt=0, le=1)] = 0.05
    usd_per_day: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None


class RawJudge(Closed, frozen=True, kw_only=True):
    """A model that says by a rubric whether an answer is good."""

    model: Text
    rubric: Text | None = None
    file: Text | None = None
    kind: Literal["rubric", "pairwise"] = "rubric"
    scale: Annotated[list[int], Meta(min_length=2, max_length=2)] | None = None
    pass_at: int | None = None
    repeats: Annotated[int, Meta(ge=1, le=MOST_REPEATS)] = 1
    tie: bool = True
    max_chars: Annotated[int, Meta(ge=100, le=4_000_000)] = 60_000
    max_tokens: Count = 1024
    timeout_s: Seconds = 120.0
    fields: dict[str, Any] = {}
    max_age_days: Annotated[float, Meta(gt=0, le=36_500)] = 90.0
