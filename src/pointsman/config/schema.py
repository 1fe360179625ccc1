"""The shape of a pointsman.yaml: closed structs, one per mapping, before anything is resolved."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pointsman.domain.portfolio import Engine
from pointsman.domain.records import Capture

NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,63}"
ALIAS_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}"

Name = Annotated[
    str, Meta(pattern=NAME_PATTERN, description="a-z, 0-9, dot, dash and underscore; at most 64")
]
# An alias is a word of the clients': `gpt-4o`, `Qwen/Qwen3-4B`.
AliasName = Annotated[
    str,
    Meta(
        pattern=ALIAS_PATTERN,
        description="letters, digits and . _ - : /; at most 128",
    ),
]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Logprob = Annotated[float, Meta(le=0)]
Count = Annotated[int, Meta(ge=1, le=2**31)]
Text = Annotated[str, Meta(min_length=1)]


class _Closed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every mapping of the file is: its keys are its fields, and no others."""


class RawEmbedded(_Closed, frozen=True, kw_only=True):
    """A model that Pointsman serves itself."""

    gguf: Text
    threads: Annotated[int, Meta(ge=1, le=1024)] = 1
    parallel: Annotated[int, Meta(ge=1, le=256)] = 4
    context: Annotated[int, Meta(ge=128, le=2**24)] = 2048


class RawPrice(_Closed, frozen=True, kw_only=True):
    """Dollars per million tokens, exact."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    cached_input_usd_per_mtok: Decimal | None = None


class RawLimits(_Closed, frozen=True, kw_only=True):
    """Bounds on the use of one deployment."""

    concurrency: Count = 64
    connect_timeout_s: Seconds = 5.0
    first_token_timeout_s: Seconds = 60.0
    between_tokens_timeout_s: Seconds = 30.0
    timeout_s: Seconds = 300.0
    max_output_tokens: Count | None = None
    max_answer_mb: Annotated[int, Meta(ge=1, le=1024)] = 64


class RawUpstreamTls(_Closed, frozen=True, kw_only=True):
    """What is trusted and shown when a deployment is called."""

    ca: Text | None = None
    cert: Text | None = None
    key: Text | None = None
    server_name: Text | None = None
    verify: bool = True


class RawDeployment(_Closed, frozen=True, kw_only=True):
    """One place that serves a model."""

    model: Text
    base_url: Text | None = None
    embedded: RawEmbedded | None = None
    served_name: Text | None = None
    engine: Engine | None = None
    family: Name | None = None
    api_key: Text | None = None
    logprobs: bool = True
    price: RawPrice | None = None
    limits: RawLimits = RawLimits()
    tls: RawUpstreamTls | None = None
    proxy: Text | None = None


class RawVersion(_Closed, frozen=True, kw_only=True):
    """The text of one prompt version, here or in a file."""

    system: Text | None = None
    file: Text | None = None


class RawPrompt(_Closed, frozen=True, kw_only=True):
    """A prompt: its versions and labels, or only a text, which is version `v1`."""

    system: Text | None = None
    file: Text | None = None
    versions: dict[Name, RawVersion] = {}
    labels: dict[Name, str] = {}


class RawNumber(_Closed, frozen=True, kw_only=True, omit_defaults=True):
    """What a number must be."""

    min: float | None = None
    max: float | None = None
    decimals: Annotated[int, Meta(ge=0, le=30)] | None = None
    integer: bool = False


FieldType = Literal["string", "number", "integer", "boolean", "array", "object"]


class RawFields(_Closed, frozen=True, kw_only=True, omit_defaults=True):
    """What a JSON object's fields must be."""

    required: list[str] = []
    forbidden: list[str] = []
    one_of: dict[str, Annotated[list[Any], Meta(min_length=1)]] = {}
    types: dict[str, FieldType] = {}


class RawVerifier(_Closed, frozen=True, kw_only=True):
    """One check of an answer: exactly one kind."""

    name: Name | None = None
    json_schema: Any = None
    regex: str | None = None
    number: RawNumber | None = None
    fields: RawFields | None = None
    expression: Text | None = None


class RawGate(_Closed, frozen=True, kw_only=True):
    """When a step's answer is good enough."""

    accept: Text | None = None
    min_logprob: Logprob | None = None
    mean_logprob: Logprob | None = None
    checks: list[str] = []


class RawAcceptance(_Closed, frozen=True, kw_only=True):
    """Which outcomes make a trace accepted."""

    accepted: Text = "outcome.kind == 'accepted'"
    rejected: Text = "outcome.kind == 'rejected' || outcome.kind == 'edited'"
    within_h: Annotated[float, Meta(gt=0, le=87_600)] = 168.0
    otherwise: Literal["unknown", "accepted", "rejected"] = "unknown"


StreamMode = Literal["held", "direct", "priced"]


class RawTask(_Closed, frozen=True, kw_only=True):
    """A named kind of work."""

    prompt: str | None = None
    route: str | None = None
    verify: list[RawVerifier] = []
    gate: RawGate | None = None
    acceptance: RawAcceptance = RawAcceptance()
    capture: Capture = "bodies"
    retention_days: Annotated[int, Meta(ge=1, le=36_500)] = 30
    thinking: Literal["off", "on", "low", "medium", "high"] | None = None
    stream: StreamMode | None = None


Steps = Annotated[list[str], Meta(min_length=1, max_length=16)]


class RawRule(_Closed, frozen=True, kw_only=True):
    """Steps for the requests that `when` matches."""

    when: Text
    steps: Steps
    gate: RawGate | None = None


class RawRoute(_Closed, frozen=True, kw_only=True):
    """How a task is answered."""

    steps: Steps
    gate: RawGate | None = None
    rules: list[RawRule] = []
    fallbacks: Annotated[list[str], Meta(max_length=16)] = []
    stream: StreamMode = "held"
    hold_usd_per_s: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0


class RawKey(_Closed, frozen=True, kw_only=True):
    """A credential."""

    key: Text
    tenant: Text = "default"
    tasks: list[str] = []


class RawDoorTls(_Closed, frozen=True, kw_only=True):
    """The door's certificate."""

    cert: Text
    key: Text
    client_ca: Text | None = None


class RawCors(_Closed, frozen=True, kw_only=True):
    """Which web pages may ask."""

    origins: list[Text] = []
    allow_credentials: bool = False
    max_age_s: Annotated[int, Meta(ge=0, le=86_400)] = 600


class RawServer(_Closed, frozen=True, kw_only=True):
    """Where we listen and the bounds of the door."""

    host: Text | Annotated[list[Text], Meta(min_length=1, max_length=16)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 4100
    max_body_mb: Annotated[int, Meta(ge=1, le=1024)] = 32
    max_connections: Count = 4096
    keepalive_comment_s: Seconds = 10.0
    request_timeout_s: Seconds = 600.0
    allowed_hosts: list[Text] = []
    tls: RawDoorTls | None = None
    cors: RawCors = RawCors()


class RawEncryption(_Closed, frozen=True, kw_only=True):
    """The master key of bodies at rest: exactly one of the two."""

    key_file: Text | None = None
    key: Text | None = None


class RawJournal(_Closed, frozen=True, kw_only=True):
    """Where facts are kept."""

    path: Text = ".pointsman"
    durability: Literal["window", "power"] = "window"
    fsync_window_s: Annotated[float, Meta(gt=0, le=60)] = 0.05
    segment_mb: Annotated[int, Meta(ge=1, le=4096)] = 64
    keep_records_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None
    encryption: RawEncryption | None = None


class RawKeeping(_Closed, frozen=True, kw_only=True):
    """The background work on the journal."""

    enabled: bool = True
    every_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0


class RawState(_Closed, frozen=True, kw_only=True):
    """Where keys, labels, leases and schedules are kept."""

    url: Text | None = None


class RawConfiguration(_Closed, frozen=True, kw_only=True):
    """The whole file, what it includes merged in."""

    deployments: Annotated[dict[Name, RawDeployment], Meta(min_length=1)]
    version: Literal["pointsman/v1"] = "pointsman/v1"
    include: list[str] = []  # taken out while reading; here so that it is a known key
    prompts: dict[Name, RawPrompt] = {}
    tasks: dict[Name, RawTask] = {}
    routes: dict[Name, RawRoute] = {}
    aliases: dict[AliasName, str] = {}
    default: str | None = None
    keys: dict[Name, RawKey] = {}
    server: RawServer = RawServer()
    journal: RawJournal = RawJournal()
    keeping: RawKeeping = RawKeeping()
    state: RawState = RawState()
