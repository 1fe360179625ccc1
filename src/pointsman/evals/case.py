"""What is asked and how it is judged: cases, the suite they make, and the digest that names it."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import msgspec

from pointsman.evals.gate import Gate

MAX_TURNS = 32  # requests that one sample may make


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a simulated tool gives where the call's arguments hold all that `when` says."""

    gives: Any = None  # text as it is, anything else as JSON
    when: dict[str, Any] | None = None  # None: whatever the arguments are
    error: str | None = None  # the tool fails so, instead


class SimulatedTool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tool that the model may call: what it is told of it, and scripted results."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}  # JSON Schema of its arguments
    results: tuple[ToolResult, ...] = ()  # the first that fits; none: the sample ends there


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One input with what is expected of its answer: `messages`, or a whole request.

    Cases of one `cluster` (a session, a document, a template) depend on each other; without one a
    case stands for itself. `turns` are what the user says next, one after each answer.
    """

    id: str
    messages: tuple[dict[str, Any], ...] = ()  # OpenAI's shape
    request: dict[str, Any] | None = None  # a whole body instead of `messages`; `model` is set
    expected: Any = None
    tags: dict[str, str] = {}
    cluster: str | None = None
    tools: tuple[SimulatedTool, ...] = ()
    turns: tuple[str, ...] = ()
    max_turns: int = 8  # requests of one sample, tool calls included
    origin: str | None = None  # the trace it was made from

    @property
    def group(self) -> str:
        """The cluster it counts in."""
        return self.id if self.cluster is None else self.cluster

    @property
    def first_messages(self) -> tuple[dict[str, Any], ...]:
        """What the first request says."""
        if self.request is None:
            return self.messages
        said = self.request.get("messages")
        return tuple(said) if isinstance(said, list) else ()


class ScorerSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One scorer of a suite, as its file says it."""

    kind: str
    name: str
    spec: dict[str, Any] = {}
    required: bool = True  # its pass is part of `accepted`
    threshold: float | None = None  # a value from there on passes; None: the kind's own rule
    expects: str | None = None  # the part of `expected` that is for it: `order.total`
    only: dict[str, str] = {}  # tags a case must have to be scored by it

    @property
    def digest(self) -> str:
        """What it does: 16 hex digits over everything but its name."""
        return digest_of(msgspec.structs.replace(self, name=""))


class Suite(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Cases with scorers and a gate, everything resolved."""

    name: str
    cases: tuple[Case, ...]
    scorers: tuple[ScorerSpec, ...]
    subject: str = ""  # what is asked where nobody names another: as `model` in a request
    epochs: int = 1
    fields: dict[str, Any] = {}  # of every request: temperature, max_tokens
    seed: int | None = None  # of the first epoch; each later one adds its number
    timeout_s: float = 120.0  # of one sample, all its turns
    primary: str = "accepted"  # or the name of a scorer
    gate: Gate | None = None
    description: str = ""

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the scorers that `accepted` is the conjunction of."""
        return tuple(scorer.name for scorer in self.scorers if scorer.required)

    @property
    def digest(self) -> str:
        """The version: 16 hex digits over everything that can change an answer or a score.

        Its name, description and gate are no part of it, nor is the order of cases.
        """
        hashed = sha256()
        for case in sorted(self.cases, key=lambda case: case.id):
            hashed.update(_canonical(case) + b"\n")
        rest = msgspec.structs.replace(self, name="", description="", gate=None, cases=())
        hashed.update(_canonical(rest))
        return hashed.hexdigest()[:16]


def digest_of(value: Any) -> str:
    """16 hex digits over a value as canonical JSON."""
    return sha256(_canonical(value)).hexdigest()[:16]


def doubled(cases: Iterable[Case]) -> str | None:
    """The first id that two cases have; None: there is none."""
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            return case.id
        seen.add(case.id)
    return None


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
