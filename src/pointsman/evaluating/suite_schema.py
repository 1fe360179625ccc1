"""The shape of a suite file: closed structs, one per mapping, before anything is resolved."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pointsman.evals.case import MAX_TURNS
from pointsman.evals.scoring.table import KINDS

Text = Annotated[str, Meta(min_length=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
MAX_CASES = 1_000_000


class _Closed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every mapping of the file is: its keys are its fields, and no others."""


class RawResult(_Closed, frozen=True, kw_only=True):
    """What a simulated tool gives, where the call's arguments hold what `when` says."""

    when: dict[str, Any] | None = None
    gives: Any = None
    error: Text | None = None


class RawTool(_Closed, frozen=True, kw_only=True):
    """A tool that the model may call, with scripted results."""

    name: Text
    description: str = ""
    parameters: dict[str, Any] = {}
    results: list[RawResult] = []


class RawJournal(_Closed, frozen=True, kw_only=True):
    """Which requests of the journal become cases."""

    task: Text | None = None
    tenant: Text | None = None
    hours: Annotated[float, Meta(gt=0)] | None = None
    outcome: Literal["accepted", "rejected", "any"] = "accepted"


class RawCase(_Closed, frozen=True, kw_only=True):
    """One case, or where cases come from: `file` or `journal`."""

    id: Text | None = None
    input: Text | None = None
    messages: list[dict[str, Any]] | None = None
    request: dict[str, Any] | None = None
    expected: Any = None
    tags: Any = None
    cluster: Text | None = None
    tools: list[RawTool] = []
    turns: list[Text] = []
    max_turns: Annotated[int, Meta(ge=1, le=MAX_TURNS)] = 8
    file: Text | None = None
    journal: RawJournal | None = None
    system: Text | None = None
    template: Text | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_CASES)] | None = None
    sample_seed: Annotated[int, Meta(ge=0)] | None = None


class RawGate(_Closed, frozen=True, kw_only=True):
    """What a run must show; every bound that is set has to hold."""

    accepted_at_least: Share | None = None
    cost_per_accepted_usd_at_most: Annotated[float, Meta(gt=0)] | None = None
    not_worse_than: Text | None = None
    margin: Annotated[float, Meta(gt=0, le=1)] = 0.02
    missing_at_most: Share | None = None
    level: Annotated[float, Meta(ge=0.5, lt=1)] = 0.95


# One entry of `scorers`: exactly one kind, and what all kinds share.
_COMMON: list[tuple[str, Any, Any]] = [
    ("name", Text | None, None),
    ("required", bool, True),
    ("threshold", float | None, None),
    ("expects", Text | None, None),
    ("only", dict[str, str], msgspec.field(default_factory=dict)),
]
RawScorer: Any = msgspec.defstruct(
    "RawScorer",
    [*_COMMON, *((name, kind.options | None, None) for name, kind in KINDS.items())],
    bases=(_Closed,),
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    namespace={"__doc__": "How answers are judged: one kind, with its own options."},
)


class RawSuite(_Closed, frozen=True, kw_only=True):
    """A suite: cases, how their answers are judged, and what must come of it."""

    name: Annotated[str, Meta(pattern=r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}")]
    description: str = ""
    subject: Text | None = None
    cases: Annotated[list[RawCase], Meta(min_length=1)]
    scorers: Annotated[list[RawScorer], Meta(min_length=1)]
    epochs: Annotated[int, Meta(ge=1, le=1000)] = 1
    fields: dict[str, Any] = {}
    seed: Annotated[int, Meta(ge=0)] | None = None
    timeout_s: Annotated[float, Meta(gt=0, le=3600)] = 120.0
    primary: Text = "accepted"
    gate: RawGate | None = None
