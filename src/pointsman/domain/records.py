"""The facts: every record the journal can hold. Appended once, never edited.

A record is a tagged union, decoded by its `kind`. A new kind or an optional field may be added;
a field is never renamed or re-used, since old segments stay readable for ever.
"""

from typing import Literal

import msgspec

from pointsman.domain.identity import Identity
from pointsman.domain.money import Usage
from pointsman.domain.plan import Decision
from pointsman.domain.verdict import GateResult, Screening

Capture = Literal["bodies", "redacted", "digests"]
FailureKind = Literal[
    "refused",  # nobody listens there: connection refused, name not found
    "connect_timeout",
    "first_token_timeout",
    "between_tokens_timeout",
    "total_timeout",
    "cut",  # the connection ended before the answer did, or before it began
    "malformed",  # bytes that are not the protocol
    "rate_limited",  # 429
    "server_error",  # 5xx
    "client_error",  # 4xx other than 429: the request itself is at fault
    "empty",  # a well-formed answer with nothing in it
    "too_large",
    "busy",  # our own limit on the deployment
    "circuit_open",  # our own breaker: it failed too often of late
    "engine_down",  # the embedded engine is not running
    "cancelled",  # the client went away
]
EndStatus = Literal["delivered", "refused", "failed", "cut", "cancelled"]


class BodyRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a body lies, or only what it was: size and digest survive its erasure.

    The digest is keyed: once the key is destroyed, nobody can tell which text it was of.
    """

    digest: str  # HMAC-SHA256, hex
    size: int  # bytes of the body itself
    key: str | None = None  # id of the subject's key; None: a secret of its own, beside the body
    pack: str | None = None  # None: not kept, `digests` capture
    offset: int = 0
    until_us: int | None = None  # erased from then on


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an attempt gave no answer."""

    kind: FailureKind
    detail: str = ""
    status: int | None = None
    code: str | None = None  # the engine's own word for it, `context_length_exceeded`
    retry_after_s: float | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One executed try of a step: result or failure, usage, cost, time.

    A retry is an attempt of its own with the same `step`.
    """

    step: int
    deployment: str
    arm: str | None = None  # the mode it was asked in, by its name; None: as it is
    model: str | None = None  # the model the engine said it was
    started_ms: int = 0  # after the request's arrival
    queued_ms: int = 0  # from its start, waiting for a place on the deployment
    first_token_ms: int | None = None  # after the attempt's start
    total_ms: int = 0  # the wait for a place is part of it
    failure: Failure | None = None
    usage: Usage | None = None
    cost_usd_picos: int = 0
    finish_reason: str | None = None
    response_id: str | None = None
    gate: GateResult | None = None
    policy: Screening | None = None  # what the policies made of its answer


class Admission(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="admission"
):
    """A request was let in: written before the first upstream call."""

    trace: str
    at_us: int  # microseconds since 1970, UTC
    tenant: str
    principal: str
    surface: str
    asked: str  # the `model` the client named
    task: str | None = None
    prompt: str | None = None  # `name@version`
    config: str = ""
    stream: bool = False
    decision: Decision
    capture: Capture = "bodies"
    request: BodyRef  # the features that the decision read lie there too: they tell of the text
    session: str | None = None
    team: str | None = None
    policy: Screening | None = None  # what they made of the request
    tags: dict[str, str] = {}  # of its metadata, by the keys that the task calls segments


class End(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="end"
):
    """A request ended: written before the last byte to the client. Exactly one per admission."""

    trace: str
    at_us: int
    status: EndStatus
    http_status: int
    attempts: tuple[Attempt, ...] = ()
    delivered: int | None = None  # index into attempts
    cost_usd_picos: int = 0  # of every attempt
    first_byte_ms: int | None = None  # arrival to the first byte of the answer to the client
    held_ms: int | None = None  # how long a held stream waited for its gate after its first token
    total_ms: int = 0
    overhead_us: int = 0  # total less the time spent waiting for upstreams
    error: str | None = None  # our error code
    response: BodyRef | None = None
    served: dict[str, str] = {}  # what each deployment that answered was: id of a `served` record


class OutcomeRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="outcome"
):
    """A fact from the product, a person or a verifier about one trace."""

    id: str
    at_us: int
    trace: str
    # `accepted`, `rejected`, `edited`, `verified`, `judged`, `unjudged`, `label`; the product's own
    outcome: str
    value: bool | int | float | str | None = None
    # `api`, `cli`, `import`, `verifier:NAME`, `judge:NAME`, `rater:NAME`, `demo`
    source: str = "api"
    tenant: str = "default"
    key: str | None = None  # idempotency key: the same key is one fact
    cost_usd_picos: int = 0  # of finding it out: what a judge cost
    took_ms: int | None = None  # of a judge, or of a person who looked
    asked: tuple[str, ...] = ()  # traces of the judge's own requests
    maker: str | None = None  # digest of the judge as it was
    body: BodyRef | None = None  # what a rater would have said instead


class ConfigRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="config"
):
    """A configuration came into force; traces name its digest."""

    at_us: int
    digest: str
    version: str  # of Pointsman
    text: str = ""  # the resolved configuration with secrets left out, as JSON


class ServedRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="served"
):
    """What a deployment serves became known, or changed; ends name it by its id."""

    id: str  # `sv_` and a digest: the same identity has the same
    at_us: int
    deployment: str
    identity: Identity


class ErasureRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="erasure"
):
    """Bodies were ordered erased: written before the first is, so that a killed erasure goes on.

    Names no person: keys by their ids, requests by their traces.
    """

    id: str
    at_us: int
    tenant: str
    keys: tuple[str, ...] = ()  # destroyed; everything under them is erased
    traces: tuple[str, ...] = ()  # erased one by one
    bodies: int = 0  # how many were kept then
    by: str = "cli"


class DroppedRun(msgspec.Struct, frozen=True, kw_only=True):
    """Segments of one writer, one after another, that went."""

    writer: str
    first_seq: int
    last_seq: int
    records: int


class RetentionRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="retention"
):
    """Records were kept long enough, and go: written before they do. Without one, they are missed.

    One that is itself kept long enough is carried on.
    """

    id: str
    at_us: int
    before_us: int  # everything in them is of before
    dropped: tuple[DroppedRun, ...]


class AccessRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="access"
):
    """Somebody read or exported facts for others: that is a fact too."""

    id: str
    at_us: int
    by: str  # `cli:USER`, or the principal
    action: str  # `audit.prove`, `audit.export`
    traces: tuple[str, ...] = ()
    records: int = 0  # how many were given out


class ReviewRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="review"
):
    """Somebody decided about a held answer, one approval more was given, or its client got it."""

    id: str  # of the held answer
    at_us: int
    trace: str
    tenant: str
    by: str
    action: str  # `approve`, `edit`, `reject`; `deliver`: its client asked for it and got it
    status: str  # of the held answer after it; `delivered`
    answer: BodyRef | None = None  # what was decided about, delivered, or put in its place
    principal: str | None = None  # who decided, to their identity provider: issuer and subject


class Drawn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request that was drawn, and how likely that was."""

    trace: str
    chance: float  # in (0, 1], by all draws up to this one
    stratum: str = ""
    again: bool = False  # drawn before: only its chance is another


class SamplingRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="sampling"
):
    """Requests were drawn for people to label: which, of how many, with which chances."""

    id: str
    at_us: int
    by: str
    task: str
    pool: int  # requests that could have been drawn
    since_us: int
    until_us: int
    drawn: tuple[Drawn, ...] = ()
    strata: dict[str, int] = {}  # how many of the pool are in each


class Moved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A slice of the requests that an alarm is about, which changed more than the others."""

    where: str
    n: int
    before: float | None  # the rate, until the change
    after: float


class AlarmRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="alarm"
):
    """A stream of outcomes, or what is asked, has changed: since when, where, and what else did."""

    id: str
    at_us: int  # when it was noticed
    stream: str  # `TASK/accepted`
    what: str  # accepted, answered, cost, verified, agreement, input
    task: str | None = None
    began_us: int  # the likeliest time of the first changed request
    direction: Literal["fell", "rose", "changed"]
    before: float | None = None  # mean until then; dollars for cost
    after: float | None = None
    n: int = 0  # values that were looked at since the stream began anew
    run_length: float = 0.0  # false alarms of the stream are this many values apart, at least
    moved: tuple[Moved, ...] = ()
    changes: tuple[str, ...] = ()  # what changed around then, the nearest first
    detail: str = ""


class AcknowledgementRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind",
    tag="acknowledgement",
):  # fmt: skip
    """Somebody took note of an alarm."""

    alarm: str
    at_us: int
    by: str
    note: str = ""


class AlertRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="alert"
):
    """Somebody was told of an alarm, or could not be."""

    alarm: str
    at_us: int
    channel: str
    about: Literal["raised", "acknowledged"] = "raised"
    status: Literal["told", "failed", "given up", "quiet"]
    detail: str = ""


Record = (
    Admission
    | End
    | OutcomeRecord
    | ConfigRecord
    | ServedRecord
    | ErasureRecord
    | RetentionRecord
    | AccessRecord
    | ReviewRecord
    | SamplingRecord
    | AlarmRecord
    | AcknowledgementRecord
    | AlertRecord
)
