"""The shape of what is asked and how: prompts, arms, verifiers, gates, tasks, routes."""

# ruff: noqa: RUF012 - msgspec copies the empty defaults of fields for each struct

from typing import Annotated, Any, Literal

from msgspec import Meta

from pointsman.config.schema_judges import RawOnline
from pointsman.config.schema_words import (
    Closed,
    Logprob,
    Name,
    Seconds,
    SegmentKey,
    Text,
)
from pointsman.domain.records import Capture


class RawVersion(Closed, frozen=True, kw_only=True):
    """The text of one prompt version, here or in a file."""

    system: Text | None = None
    file: Text | None = None


class RawPrompt(Closed, frozen=True, kw_only=True):
    """A prompt: its versions and labels, or only a text, which is version `v1`."""

    system: Text | None = None
    file: Text | None = None
    versions: dict[Name, RawVersion] = {}
    labels: dict[Name, str] = {}


Thinking = Literal["off", "on", "low", "medium", "high"]


class RawArm(Closed, frozen=True, kw_only=True):
    """A deployment in one of its modes, which steps may name as they may a deployment."""

    deployment: str
    thinking: Thinking | None = None
    thinking_tokens: Annotated[int, Meta(ge=1, le=2**24)] | None = None
    prompt: str | None = None
    fields: dict[str, Any] = {}


class RawNumber(Closed, frozen=True, kw_only=True, omit_defaults=True):
    """What a number must be."""

    min: float | None = None
    max: float | None = None
    decimals: Annotated[int, Meta(ge=0, le=30)] | None = None
    integer: bool = False


FieldType = Literal["string", "number", "integer", "boolean", "array", "object"]


class RawFields(Closed, frozen=True, kw_only=True, omit_defaults=True):
    """What a JSON object's fields must be."""

    required: list[str] = []
    forbidden: list[str] = []
    one_of: dict[str, Annotated[list[Any], Meta(min_length=1)]] = {}
    types: dict[str, FieldType] = {}


class RawVerifier(Closed, frozen=True, kw_only=True):
    """One check of an answer: exactly one kind."""

    name: Name | None = None
    json_schema: Any = None
    regex: str | None = None
    number: RawNumber | None = None
    fields: RawFields | None = None
    expression: Text | None = None


class RawGate(Closed, frozen=True, kw_only=True):
    """When a step's answer is good enough."""

    accept: Text | None = None
    min_logprob: Logprob | None = None
    mean_logprob: Logprob | None = None
    checks: list[str] = []


class RawAcceptance(Closed, frozen=True, kw_only=True):
    """Which outcomes make a trace accepted."""

    accepted: Text = "outcome.kind == 'accepted'"
    rejected: Text = "outcome.kind == 'rejected' || outcome.kind == 'edited'"
    within_h: Annotated[float, Meta(gt=0, le=87_600)] = 168.0
    otherwise: Literal["unknown", "accepted", "rejected"] = "unknown"


class RawObjective(Closed, frozen=True, kw_only=True):
    """What answers must be, or are worth: one of acceptance, quality and value_usd."""

    acceptance: Annotated[float, Meta(gt=0, lt=1)] | None = None
    quality: Annotated[float, Meta(gt=0, le=2)] | None = None
    value_usd: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None
    latency_usd_per_s: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    certified: bool = True


class RawExplore(Closed, frozen=True, kw_only=True):
    """The budget for asking arms that would not be chosen, so as to learn of them."""

    share: Annotated[float, Meta(ge=0, le=0.5)] = 0.0
    usd_per_day: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None


class RawSession(Closed, frozen=True, kw_only=True):
    """When a conversation may change its arm."""

    enabled: bool = True
    switch_usd: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    keep_s: Seconds = 3600.0


class RawLearn(Closed, frozen=True, kw_only=True):
    """How a route chooses among its steps, request by request."""

    router: Text | None = None
    names: dict[str, str] = {}
    explore: RawExplore = RawExplore()
    session: RawSession = RawSession()
    least_outcomes: Annotated[int, Meta(ge=1, le=1_000_000)] = 30
    memory_outcomes: Annotated[int, Meta(ge=20, le=1_000_000)] = 500


StreamMode = Literal["held", "direct", "priced"]


class RawTask(Closed, frozen=True, kw_only=True):
    """A named kind of work."""

    prompt: str | None = None
    route: str | None = None
    verify: list[RawVerifier] = []
    gate: RawGate | None = None
    acceptance: RawAcceptance = RawAcceptance()
    capture: Capture = "bodies"
    retention_days: Annotated[int, Meta(ge=1, le=36_500)] = 30
    thinking: Thinking | None = None
    stream: StreamMode | None = None
    objective: RawObjective | None = None
    segments: Annotated[list[SegmentKey], Meta(max_length=8)] = []
    online: RawOnline | None = None


Steps = Annotated[list[str], Meta(min_length=1, max_length=16)]


class RawRule(Closed, frozen=True, kw_only=True):
    """Steps for the requests that `when` matches."""

    when: Text
    steps: Steps
    gate: RawGate | None = None


class RawRoute(Closed, frozen=True, kw_only=True):
    """How a task is answered."""

    steps: Steps
    gate: RawGate | None = None
    rules: list[RawRule] = []
    fallbacks: Annotated[list[str], Meta(max_length=16)] = []
    stream: StreamMode = "held"
    hold_usd_per_s: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    objective: RawObjective | None = None
    learn: RawLearn | None = None
