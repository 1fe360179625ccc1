"""The shape of a pointsman.yaml: closed structs, one per mapping, before anything is resolved."""

# ruff: noqa: RUF012 - msgspec copies the empty defaults of fields for each struct

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from pointsman.config.schema_deployments import (
    RawBreaker,
    RawDeployment,
    RawEmbedded,
    RawIdentity,
    RawLimits,
    RawPrice,
    RawProbe,
    RawRetries,
    RawUpstreamTls,
)
from pointsman.config.schema_judges import RawJudge, RawOnline
from pointsman.config.schema_words import (
    ALIAS_PATTERN,
    NAME_PATTERN,
    AliasName,
    Closed,
    Count,
    Name,
    Seconds,
    Text,
)
from pointsman.config.schema_work import (
    RawAcceptance,
    RawArm,
    RawExplore,
    RawFields,
    RawGate,
    RawLearn,
    RawNumber,
    RawObjective,
    RawPrompt,
    RawRoute,
    RawRule,
    RawSession,
    RawTask,
    RawVerifier,
    RawVersion,
)
from pointsman.domain.alerts import AlertKind
from pointsman.domain.task import Role

__all__ = [
    "ALIAS_PATTERN",
    "NAME_PATTERN",
    "RawAcceptance",
    "RawAdmin",
    "RawAllowance",
    "RawAnchor",
    "RawArm",
    "RawAudit",
    "RawBatches",
    "RawBreaker",
    "RawBudgets",
    "RawConfiguration",
    "RawCors",
    "RawDeployment",
    "RawDoorTls",
    "RawEmbedded",
    "RawEncryption",
    "RawExplore",
    "RawFields",
    "RawGate",
    "RawGuard",
    "RawIdentity",
    "RawJournal",
    "RawJudge",
    "RawKeeping",
    "RawKey",
    "RawLearn",
    "RawLimits",
    "RawMedia",
    "RawNumber",
    "RawObjective",
    "RawOidc",
    "RawOnline",
    "RawPolicies",
    "RawPrice",
    "RawProbe",
    "RawPrompt",
    "RawRetries",
    "RawReview",
    "RawRoute",
    "RawRule",
    "RawServer",
    "RawSession",
    "RawState",
    "RawTask",
    "RawTeam",
    "RawTelemetry",
    "RawTenant",
    "RawUpstreamTls",
    "RawVerifier",
    "RawVersion",
    "RawVirtualKeys",
    "Text",
]


class RawAllowance(Closed, frozen=True, kw_only=True):
    """The most that may be used."""

    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    concurrency: Count | None = None
    usd_per_day: Decimal | None = None
    usd_per_month: Decimal | None = None


class RawKey(Closed, frozen=True, kw_only=True):
    """A credential."""

    key: Text
    tenant: Text | None = None
    team: Name | None = None
    tasks: list[str] = []
    models: list[str] = []
    limits: RawAllowance = RawAllowance()


class RawTeam(Closed, frozen=True, kw_only=True):
    """Keys of one tenant that are bounded together."""

    tenant: Text = "default"
    limits: RawAllowance = RawAllowance()


class RawTenant(Closed, frozen=True, kw_only=True):
    """Everything of one tenant."""

    limits: RawAllowance = RawAllowance()


class RawVirtualKeys(Closed, frozen=True, kw_only=True):
    """Keys that are made while serving."""

    enabled: bool = False
    fresh_s: Annotated[float, Meta(ge=0.1, le=60)] = 5.0


class RawBudgets(Closed, frozen=True, kw_only=True):
    """How budgets are shared among processes."""

    lease_s: Annotated[float, Meta(ge=0.5, le=3600)] = 15.0
    wait_s: Annotated[float, Meta(ge=0, le=600)] = 10.0


class RawDoorTls(Closed, frozen=True, kw_only=True):
    """The door's certificate."""

    cert: Text
    key: Text
    client_ca: Text | None = None


class RawCors(Closed, frozen=True, kw_only=True):
    """Which web pages may ask."""

    origins: list[Text] = []
    allow_credentials: bool = False
    max_age_s: Annotated[int, Meta(ge=0, le=86_400)] = 600


class RawOidc(Closed, frozen=True, kw_only=True):
    """The identity provider whose people may use the admin's door."""

    issuer: Text
    audience: Text
    jwks: Text
    roles_claim: Text = "groups"
    roles: dict[str, Annotated[list[Role], Meta(min_length=1, max_length=7)]] = {}


class RawAdmin(Closed, frozen=True, kw_only=True):
    """The admin's door."""

    host: Text = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 4101
    keys: dict[Name, Text] = {}
    roles: dict[Name, Annotated[list[Role], Meta(min_length=1, max_length=7)]] = {}
    oidc: RawOidc | None = None


class RawServer(Closed, frozen=True, kw_only=True):
    """Where we listen and the bounds of the door."""

    host: Text | Annotated[list[Text], Meta(min_length=1, max_length=16)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 4100
    max_body_mb: Annotated[int, Meta(ge=1, le=1024)] = 32
    max_connections: Count = 4096
    max_in_flight: Count = 2048
    max_buffered_mb: Annotated[int, Meta(ge=1, le=1_048_576)] = 256
    keepalive_comment_s: Seconds = 10.0
    request_timeout_s: Seconds = 600.0
    dns_refresh_s: Seconds = 30.0
    allowed_hosts: list[Text] = []
    tls: RawDoorTls | None = None
    cors: RawCors = RawCors()
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    admin: RawAdmin | None = None
    logs: Literal["text", "json"] = "text"


class RawGuard(Closed, frozen=True, kw_only=True):
    """A guard model among the deployments."""

    deployment: Text
    form: Literal["qwen3guard-gen", "llama-guard", "shieldgemma", "names"]
    timeout_s: Seconds = 5.0
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5
    controversial: Literal["safe", "unsafe"] = "unsafe"


class RawReview(Closed, frozen=True, kw_only=True):
    """Answers that policies hold for people to look at."""

    enabled: bool = True
    stream_wait_s: Annotated[float, Meta(ge=0, le=3600)] = 120.0
    usd_per_look: Annotated[float, Meta(ge=0, le=1_000)] = 0.0


class RawMedia(Closed, frozen=True, kw_only=True):
    """What becomes of files that requests name by URL."""

    urls: Literal["fetch", "refuse", "forward"] = "fetch"
    hosts: list[Text] = []
    plain_http: bool = False
    max_mb: Annotated[int, Meta(ge=1, le=1024)] = 10
    max_total_mb: Annotated[int, Meta(ge=1, le=1024)] = 32
    max_count: Annotated[int, Meta(ge=1, le=256)] = 8
    timeout_s: Seconds = 10.0


class RawEncryption(Closed, frozen=True, kw_only=True):
    """The master key of bodies at rest: exactly one of the two."""

    key_file: Text | None = None
    key: Text | None = None


class RawAnchor(Closed, frozen=True, kw_only=True):
    """Where checkpoints are kept out of reach: exactly one of file and git."""

    file: Text | None = None
    git: Text | None = None
    branch: Text = "checkpoints"


class RawAudit(Closed, frozen=True, kw_only=True):
    """The Merkle log over the journal."""

    enabled: bool = True
    origin: Text = "pointsman/journal"
    key_file: Text | None = None
    anchors: Annotated[list[RawAnchor], Meta(max_length=8)] = []


class RawJournal(Closed, frozen=True, kw_only=True):
    """Where facts are kept."""

    path: Text = ".pointsman"
    durability: Literal["window", "power"] = "window"
    fsync_window_s: Annotated[float, Meta(gt=0, le=60)] = 0.05
    segment_mb: Annotated[int, Meta(ge=1, le=4096)] = 64
    keep_records_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None
    encryption: RawEncryption | None = None
    audit: RawAudit = RawAudit()


class RawDrift(Closed, frozen=True, kw_only=True):
    """Streams of outcomes that are watched for change."""

    enabled: bool = True
    false_alarms: Annotated[float, Meta(ge=0.001, le=1000)] = 1.0
    per_days: Annotated[float, Meta(ge=1, le=3650)] = 30.0
    reference: Annotated[int, Meta(ge=20, le=100_000)] = 200


class RawMail(Closed, frozen=True, kw_only=True):
    """The server that takes mail, and between whom."""

    host: Text
    sender: Text
    to: Annotated[list[Text], Meta(min_length=1, max_length=20)]
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: Text | None = None
    password: Text | None = None


class RawAlert(Closed, frozen=True, kw_only=True):
    """One way to tell somebody of an alarm."""

    kind: AlertKind
    url: Text | None = None
    token: Text | None = None
    mail: RawMail | None = None
    runbook: Text | None = None
    quiet_h: Annotated[float, Meta(ge=0, le=8760)] = 6.0


class RawKeeping(Closed, frozen=True, kw_only=True):
    """The background work on the journal."""

    enabled: bool = True
    every_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0


class RawState(Closed, frozen=True, kw_only=True):
    """Where keys, labels, leases and schedules are kept, and where use is counted."""

    url: Text | None = None
    counters: Text | None = None


class RawBatches(Closed, frozen=True, kw_only=True):
    """Files, and batches of requests read from them."""

    enabled: bool = True
    path: Text | None = None
    concurrency: Annotated[int, Meta(ge=1, le=1024)] = 4
    while_in_flight: Annotated[int, Meta(ge=1, le=2**31)] = 4
    max_file_mb: Annotated[int, Meta(ge=1, le=16_384)] = 512
    max_lines: Annotated[int, Meta(ge=1, le=1_000_000)] = 50_000
    max_tenant_mb: Annotated[int, Meta(ge=1, le=2**31)] = 10_240
    keep_days: Annotated[int, Meta(ge=1, le=36_500)] = 30


class RawTelemetry(Closed, frozen=True, kw_only=True):
    """Where spans and metrics are sent."""

    otlp_endpoint: Text | None = None
    sample: Annotated[float, Meta(ge=0, le=1)] = 1.0
    metrics_every_s: Annotated[float, Meta(ge=1, le=3600)] = 15.0


class RawPolicies(Closed, frozen=True, kw_only=True):
    """Policy files, and whose requests they are for."""

    files: Annotated[list[Text], Meta(min_length=1)]
    tenants: list[Text] = []
    tasks: list[Text] = []
    routes: list[Text] = []


class RawConfiguration(Closed, frozen=True, kw_only=True):
    """The whole file, what it includes merged in."""

    deployments: Annotated[dict[Name, RawDeployment], Meta(min_length=1)]
    version: Literal["pointsman/v1"] = "pointsman/v1"
    include: list[str] = []  # taken out while reading; here so that it is a known key
    prompts: dict[Name, RawPrompt] = {}
    arms: dict[Name, RawArm] = {}
    tasks: dict[Name, RawTask] = {}
    routes: dict[Name, RawRoute] = {}
    aliases: dict[AliasName, str] = {}
    default: str | None = None
    keys: dict[Name, RawKey] = {}
    teams: dict[Name, RawTeam] = {}
    tenants: dict[str, RawTenant] = {}
    virtual_keys: RawVirtualKeys = RawVirtualKeys()
    budgets: RawBudgets = RawBudgets()
    server: RawServer = RawServer()
    journal: RawJournal = RawJournal()
    keeping: RawKeeping = RawKeeping()
    drift: RawDrift = RawDrift()
    alerts: dict[Name, RawAlert] = {}
    state: RawState = RawState()
    telemetry: RawTelemetry = RawTelemetry()
    batches: RawBatches = RawBatches()
    media: RawMedia = RawMedia()
    review: RawReview = RawReview()
    guards: dict[Name, RawGuard] = {}
    judges: dict[Name, RawJudge] = {}
    policies: dict[Name, RawPolicies] = {}
