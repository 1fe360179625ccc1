"""The facts: every record the journal can hold. Appended once, never edited.

A record is a tagged union, decoded by its `kind`. A new kind or an optional field may be added;
a field is never renamed or re-used, since old segments stay readable for ever.
"""

from typing import Literal

import msgspec

from pointsman.domain.money import Usage
from pointsman.domain.plan import Decision
from pointsman.domain.verdict import GateResult

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
    """One executed step: result or failure, usage, cost, time."""

    step: int
    deployment: str
    model: str | None = None  # the model the engine said it was
    started_ms: int = 0  # after the request's arrival
    first_token_ms: int | None = None  # after the attempt's start
    total_ms: int = 0
    failure: Failure | None = None
    usage: Usage | None = None
    cost_usd_picos: int = 0
    finish_reason: str | None = None
    response_id: str | None = None
    gate: GateResult | None = None


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


class OutcomeRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="outcome"
):
    """A fact from the product, a person or a verifier about one trace."""

    id: str
    at_us: int
    trace: str
    outcome: str  # `accepted`, `rejected`, `edited`, `verified`, or the product's own word
    value: bool | int | float | str | None = None
    source: str = "api"  # `api`, `cli`, `import`, `verifier:NAME`, `demo`
    tenant: str = "default"
    key: str | None = None  # idempotency key: the same key is one fact


class ConfigRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="config"
):
    """A configuration came into force; traces name its digest."""

    at_us: int
    digest: str
    version: str  # of Pointsman
    text: str = ""  # the resolved configuration with secrets left out, as JSON


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


Record = Admission | End | OutcomeRecord | ConfigRecord | ErasureRecord
