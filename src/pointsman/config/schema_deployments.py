"""The shape of `deployments`: where a model is served, what it costs, its bounds."""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from pointsman.config.schema_words import (
    Closed,
    Count,
    Name,
    Seconds,
    Text,
)
from pointsman.domain.messages import Operation
from pointsman.domain.portfolio import Engine, ReasoningField, StreamUsage


class RawEmbedded(Closed, frozen=True, kw_only=True):
    """A model that Pointsman serves itself."""

    gguf: Text
    threads: Annotated[int, Meta(ge=1, le=1024)] = 1
    parallel: Annotated[int, Meta(ge=1, le=256)] = 4
    context: Annotated[int, Meta(ge=128, le=2**24)] = 2048


class RawPrice(Closed, frozen=True, kw_only=True):
    """Dollars per million tokens, exact."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    cached_input_usd_per_mtok: Decimal | None = None


class RawLimits(Closed, frozen=True, kw_only=True):
    """Bounds on the use of one deployment."""

    concurrency: Count = 64
    queue: Annotated[int, Meta(ge=0, le=65_536)] = 256
    queue_timeout_s: Seconds = 10.0
    connect_timeout_s: Seconds = 5.0
    first_token_timeout_s: Seconds = 60.0
    between_tokens_timeout_s: Seconds = 30.0
    timeout_s: Seconds = 300.0
    max_output_tokens: Count | None = None
    max_answer_mb: Annotated[int, Meta(ge=1, le=1024)] = 64


class RawBreaker(Closed, frozen=True, kw_only=True):
    """When a deployment is left alone, and how it comes back."""

    enabled: bool = True
    failures: Annotated[int, Meta(ge=1, le=10_000)] = 5
    failure_rate: Annotated[float, Meta(gt=0, le=1)] = 0.5
    window_s: Seconds = 30.0
    least: Annotated[int, Meta(ge=1, le=1_000_000)] = 20
    open_s: Seconds = 10.0
    probes: Annotated[int, Meta(ge=1, le=1_000)] = 2
    last_resort: bool = True


class RawRetries(Closed, frozen=True, kw_only=True):
    """How often a request is sent to a deployment again."""

    most: Annotated[int, Meta(ge=0, le=10)] = 2
    budget: Annotated[float, Meta(ge=0, le=1)] = 0.2
    floor: Annotated[int, Meta(ge=0, le=10_000)] = 3
    longest_wait_s: Seconds = 2.0


class RawProbe(Closed, frozen=True, kw_only=True):
    """When it is asked whether it is there, without a model being called."""

    when: Literal["unwell", "always", "never"] = "unwell"
    every_s: Annotated[float, Meta(ge=0.1, le=86_400)] = 10.0
    timeout_s: Seconds = 2.0
    path: Text | None = None


class RawUpstreamTls(Closed, frozen=True, kw_only=True):
    """What is trusted and shown when a deployment is called."""

    ca: Text | None = None
    cert: Text | None = None
    key: Text | None = None
    server_name: Text | None = None
    verify: bool = True


_Digest = Annotated[
    str, Meta(pattern="^[0-9a-f]{64}$", description="a SHA-256: 64 digits of a-f and 0-9")
]
_Word = Annotated[str, Meta(min_length=1, max_length=200)]


class RawIdentity(Closed, frozen=True, kw_only=True):
    """What is served, as far as its engine does not tell it; for records and receipts."""

    weights: _Word | None = None
    weights_sha256: _Digest | None = None
    revision: _Word | None = None
    quantisation: _Word | None = None
    engine_version: _Word | None = None
    chat_template_sha256: _Digest | None = None


class RawDeployment(Closed, frozen=True, kw_only=True):
    """One place that serves a model."""

    model: Text
    base_url: Text | None = None
    embedded: RawEmbedded | None = None
    served_name: Text | None = None
    engine: Engine | None = None
    family: Name | None = None
    api_key: Text | None = None
    logprobs: bool = True
    operations: Annotated[list[Operation], Meta(min_length=1, max_length=4)] | None = None
    stream_usage: StreamUsage | None = None
    reasoning_field: ReasoningField | None = None
    price: RawPrice | None = None
    limits: RawLimits = RawLimits()
    breaker: RawBreaker = RawBreaker()
    retries: RawRetries = RawRetries()
    probe: RawProbe = RawProbe()
    tls: RawUpstreamTls | None = None
    proxy: Text | None = None
    identity: RawIdentity | None = None
