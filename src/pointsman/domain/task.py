"""Tasks, routes, prompts and keys: what a configuration says, resolved and ready to use."""

import re
from typing import Any, Literal

import msgspec

from pointsman.domain.alerts import AlertChannel
from pointsman.domain.judges import JudgeSpec
from pointsman.domain.learned import Learning, Objective
from pointsman.domain.limits import NO_BOUNDS, Allowance, Bounds, Scope, bounds_of
from pointsman.domain.policies import PolicyBinding
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import Capture
from pointsman.domain.transport import Cors, DoorTls

_SQLITE = "sqlite:///"
_PASSWORD = re.compile(r"(://[^/?:@]*:).*(@)", re.DOTALL)  # greedy: never half a password


class PromptVersion(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable, content-addressed prompt text."""

    name: str
    version: str  # the name the file gives it, `v2`
    digest: str  # first 12 hex digits of the SHA-256 of the text
    system: str

    @property
    def reference(self) -> str:
        """`name@version#digest`, as records and headers carry it."""
        return f"{self.name}@{self.version}#{self.digest}"


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment in one of its modes: what a step of a route may name, as it may a deployment.

    Everything of a mode stands in where the client said nothing of it: its own words stay.
    """

    name: str
    deployment: str
    thinking: str | None = None  # "off", "on", or an effort; None: as the task says
    thinking_tokens: int | None = None  # the most that may be spent on thinking
    prompt: PromptVersion | None = None  # stands in for the task's
    fields: dict[str, Any] = {}  # more of the request, in the engine's own words


class VerifierSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One verifier of a task, before it is compiled."""

    name: str
    kind: Literal["json_schema", "regex", "number", "fields", "expression"]
    spec: Any


class GateSpec(msgspec.Struct, frozen=True, kw_only=True):
    """When a step's answer is good enough: an expression over checks and logprobs.

    Variables: `verified` (every check clear), `unjudged` (some check could not look),
    `logprob.min`, `logprob.mean`, `logprob.known`, `finish_reason`, `completion_tokens`.
    """

    accept: str
    checks: tuple[str, ...] = ()
    needs_logprobs: bool = False


class AcceptanceRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which outcomes make a trace accepted or not; until then it is not yet known.

    Expressions over `outcome.kind`, `outcome.value`, `outcome.source`. The latest outcome within
    `within_h` of the request that either expression matches decides.
    """

    accepted: str = "outcome.kind == 'accepted'"
    rejected: str = "outcome.kind == 'rejected' || outcome.kind == 'edited'"
    within_h: float = 168.0
    otherwise: Literal["unknown", "accepted", "rejected"] = "unknown"  # once the window closed


class OnlineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge looks at of a task's traffic, after the answers were given."""

    judge: str
    sample: float = 0.05  # share of the delivered answers
    usd_per_day: float | None = None  # the most that it may cost


class RouteRule(msgspec.Struct, frozen=True, kw_only=True):
    """Steps for the requests that `when` matches; the first matching rule wins."""

    when: str  # expression over `request.*` (the fields of Features)
    steps: tuple[str, ...]
    gate: GateSpec | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How a task is answered: rules, then steps with a gate, then fallbacks for failures."""

    name: str
    steps: tuple[str, ...]  # deployments and arms
    rules: tuple[RouteRule, ...] = ()
    gate: GateSpec | None = None  # after every step but the last
    fallbacks: tuple[str, ...] = ()
    stream: Literal["held", "direct", "priced"] = "held"
    hold_usd_per_s: float = 0.0  # what a second of waiting for a held stream is worth
    arms: dict[str, Arm] = {}  # by name, those it names; other names are plain deployments
    learn: Learning | None = None  # None: its steps are a cascade as they stand

    @property
    def named(self) -> tuple[str, ...]:
        """Every deployment and arm it names, each once."""
        of_rules = (name for rule in self.rules for name in rule.steps)
        return tuple(dict.fromkeys((*self.steps, *of_rules, *self.fallbacks)))

    def deployment_of(self, name: str) -> str:
        """The deployment behind a name of its steps."""
        arm = self.arms.get(name)
        return name if arm is None else arm.deployment


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A named kind of work in the product."""

    name: str
    route: str
    prompt: PromptVersion | None = None
    verifiers: tuple[VerifierSpec, ...] = ()
    gate: GateSpec | None = None  # stands in for the route's gate: thresholds differ by task
    acceptance: AcceptanceRule = AcceptanceRule()
    capture: Capture = "bodies"
    retention_days: int = 30
    thinking: str | None = None
    stream: Literal["held", "direct", "priced"] | None = None  # None: as the route says
    objective: Objective | None = None  # None: as the route says
    segments: tuple[str, ...] = ()  # keys of a request's metadata that its record keeps
    online: OnlineSettings | None = None


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A credential: who it is, whose data it sees, what it may ask. Only its hash is held."""

    name: str
    sha256: str
    tenant: str = "default"
    tasks: tuple[str, ...] = ()  # with no models either: every task and deployment
    models: tuple[str, ...] = ()  # deployments and routes it may ask for by name
    team: str | None = None
    limits: Allowance = NO_BOUNDS


class VirtualKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was made while serving; what it opens is held as a keyed hash only."""

    name: str
    tenant: str = "default"
    team: str | None = None
    tasks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    limits: Allowance = NO_BOUNDS
    made_us: int = 0
    made_by: str = ""
    expires_us: int | None = None
    revoked_us: int | None = None

    @property
    def key(self) -> Key:
        """As a key of the file would be."""
        return Key(
            name=self.name, sha256="", tenant=self.tenant, tasks=self.tasks, models=self.models,
            team=self.team, limits=self.limits,
        )  # fmt: skip


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of one tenant that are bounded together."""

    name: str
    tenant: str = "default"
    limits: Allowance = NO_BOUNDS


class VirtualKeySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whether keys that lie in the state open the door, and how soon a revoked one does not."""

    enabled: bool = False
    fresh_s: float = 5.0


class BudgetSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How budgets are shared among processes."""

    lease_s: float = 15.0  # for which a process holds a slice without a word
    wait_s: float = 10.0  # for which a request waits for money that others have reserved


Role = Literal[
    "owner", "policy-author", "approver", "operator", "analyst", "reviewer", "auditor",
]  # fmt: skip


class AdminKey(msgspec.Struct, frozen=True, kw_only=True):
    """A credential of someone who runs this gateway. Only its hash is held."""

    name: str
    sha256: str
    roles: tuple[Role, ...] = ("owner",)


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The identity provider whose people may use the admin's door."""

    issuer: str
    audience: str
    jwks: str  # its keys: an https address, or a file
    roles_claim: str = "groups"
    roles: dict[str, tuple[Role, ...]] = {}  # by group


class AdminSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The door of those who run this gateway."""

    host: str = "127.0.0.1"  # an address, a name, or `unix:/path`
    port: int = 4101
    keys: tuple[AdminKey, ...] = ()
    oidc: OidcSettings | None = None


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where we listen and the bounds of the door."""

    host: str | tuple[str, ...] = "127.0.0.1"  # addresses, names, or `unix:/path`
    port: int = 4100
    max_body_bytes: int = 32 * 1024 * 1024
    max_connections: int = 4096
    max_in_flight: int = 2048  # requests that one process answers at once
    max_buffered_bytes: int = 256 * 1024 * 1024  # bodies of requests that one process holds
    keepalive_comment_s: float = 10.0  # SSE comments while a stream is held
    request_timeout_s: float = 600.0
    dns_refresh_s: float = 30.0  # between two looks at what an upstream's name means
    allowed_hosts: tuple[str, ...] = ()
    tls: DoorTls | None = None
    cors: Cors = Cors()
    workers: int = 1
    admin: AdminSettings | None = None  # None: there is no admin
    logs: Literal["text", "json"] = "text"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where we listen, as a sequence."""
        return (self.host,) if isinstance(self.host, str) else self.host


class EncryptionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The master key of bodies at rest: exactly one of the two."""

    key_file: str | None = None
    key: str | None = None  # 32 bytes as base64 or hex

    def __repr__(self) -> str:  # the key must not reach a log through an f-string
        return f"EncryptionSettings(key_file={self.key_file!r})"


class AnchorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where checkpoints are kept out of reach: exactly one of the two."""

    file: str | None = None
    git: str | None = None  # a remote that this user may push to
    branch: str = "checkpoints"


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The Merkle log over the journal, and who signs its checkpoints."""

    enabled: bool = True
    origin: str = "pointsman/journal"
    key_file: str | None = None  # None: checkpoints are not signed
    anchors: tuple[AnchorSettings, ...] = ()


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where facts are kept, for how long, and how soon they are on the disk."""

    path: str = ".pointsman"
    durability: Literal["window", "power"] = "window"
    fsync_window_s: float = 0.05
    segment_bytes: int = 64 * 1024 * 1024
    keep_records_days: int | None = None  # None: for ever
    encryption: EncryptionSettings | None = None
    audit: AuditSettings = AuditSettings()


class KeepingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The background work on the journal: sealing, compacting, rolling up, erasing what is due."""

    enabled: bool = True
    every_s: float = 60.0


class DriftSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Streams of outcomes that are watched: how many false alarms they may raise together."""

    enabled: bool = True
    false_alarms: float = 1.0  # of all streams, on average
    per_days: float = 30.0
    reference: int = 200  # values from which each stream's baseline is learned


class BatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Files and batches: where their bytes lie, and how much of this gateway they may have."""

    enabled: bool = True
    path: str | None = None  # None: `batches` beside the journal
    concurrency: int = 4  # lines at once, of all batches together
    while_in_flight: int = 4  # a line begins only while fewer requests of clients are answered
    max_file_bytes: int = 512 * 1024 * 1024
    max_lines: int = 50_000
    max_tenant_bytes: int = 10 * 1024 * 1024 * 1024  # of all files of a tenant
    keep_days: int = 30  # files and ended batches, where nobody said another time


class StateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where keys, labels, leases and schedules are kept, and where use is counted."""

    url: str | None = None  # None: state.sqlite beside the journal
    counters: str | None = None  # redis://…; None: where `url` says

    @property
    def shown(self) -> str | None:
        """The URL as it may be shown: `***` for its password."""
        return self.url and _PASSWORD.sub(r"\1***\2", self.url)

    @property
    def shown_counters(self) -> str | None:
        """The URL of the counters as it may be shown."""
        return self.counters and _PASSWORD.sub(r"\1***\2", self.counters)

    def __repr__(self) -> str:  # the password must not reach a log through an f-string
        return f"StateSettings(url={self.shown!r}, counters={self.shown_counters!r})"


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where spans and metrics are sent, beside what the environment's OTEL_ variables say."""

    otlp_endpoint: str | None = None  # None: as OTEL_EXPORTER_OTLP_ENDPOINT says, if it does
    sample: float = 1.0  # share of requests that have spans, where the client has no trace
    metrics_every_s: float = 15.0


class GuardSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A guard model among the deployments, that policies ask as `guard/NAME`."""

    name: str
    deployment: str
    form: str  # how it answers: qwen3guard-gen, llama-guard, shieldgemma, names
    timeout_s: float = 5.0
    threshold: float = 0.5
    controversial: Literal["safe", "unsafe"] = (
        "unsafe"  # what Qwen3Guard's middle verdict counts as
    )


class ReviewSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Answers that policies hold: whether people look at them here, and how long streams wait."""

    enabled: bool = True
    stream_wait_s: float = 120.0  # a stream is kept alive that long for its reviewers
    usd_per_look: float = 0.0  # what one review or label of a person costs, for reports


class MediaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of files that requests name by URL."""

    urls: Literal["fetch", "refuse", "forward"] = "fetch"
    hosts: tuple[str, ...] = ()  # none: every public one
    plain_http: bool = False
    max_bytes: int = 10 * 1024 * 1024  # of one
    max_total_bytes: int = 32 * 1024 * 1024  # of one request
    max_count: int = 8
    timeout_s: float = 10.0


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one pointsman.yaml says, resolved: no path, no dict, no environment left."""

    digest: str
    deployments: dict[str, Deployment]
    routes: dict[str, Route]
    tasks: dict[str, Task]
    prompts: dict[str, PromptVersion]  # by `name@version`
    aliases: dict[str, str]
    default: str  # what `auto` means: `task:NAME`, a route name or a deployment
    arms: dict[str, Arm] = {}
    keys: tuple[Key, ...] = ()
    teams: tuple[Team, ...] = ()
    tenants: dict[str, Allowance] = {}
    virtual_keys: VirtualKeySettings = VirtualKeySettings()
    budgets: BudgetSettings = BudgetSettings()
    server: ServerSettings = ServerSettings()
    journal: JournalSettings = JournalSettings()
    keeping: KeepingSettings = KeepingSettings()
    drift: DriftSettings = DriftSettings()
    alerts: tuple[AlertChannel, ...] = ()
    state: StateSettings = StateSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    batches: BatchSettings = BatchSettings()
    media: MediaSettings = MediaSettings()
    review: ReviewSettings = ReviewSettings()
    guards: dict[str, GuardSettings] = {}
    judges: dict[str, JudgeSpec] = {}
    policies: tuple[PolicyBinding, ...] = ()
    # where secrets came from, `("keys.app1.key", "${APP1_KEY}")`: so that they can be shown
    secret_sources: tuple[tuple[str, str], ...] = ()
    folder: str = ""  # of the file: relative paths start there; no part of the digest
    files: tuple[str, ...] = ()  # files and folders it was read from; no part of the digest

    @property
    def counts(self) -> bool:
        """Whether use is counted at all: something is bounded, or may be."""
        return self.virtual_keys.enabled or not all(each.empty for each in self._allowances)

    @property
    def bounds_money(self) -> bool:
        """Whether anything the file says has a budget; virtual keys may, beside it."""
        return any(each.bounds_money for each in self._allowances)

    @property
    def _allowances(self) -> list[Allowance]:
        keys, teams = (key.limits for key in self.keys), (team.limits for team in self.teams)
        return [*keys, *teams, *self.tenants.values()]

    def bounds_of(self, key: Key) -> Bounds | None:
        """Whose use a request of this key counts as, where that is bounded: key, team, tenant."""
        team = next((each for each in self.teams if each.name == key.team), None)
        scopes = [Scope(f"key:{key.name}", key.limits)]
        if team is not None:
            scopes.append(Scope(f"team:{team.name}", team.limits))
        scopes.append(Scope(f"tenant:{key.tenant}", self.tenants.get(key.tenant, NO_BOUNDS)))
        return bounds_of(tuple(scopes))

    def placed(self, path: str) -> str:
        """A path of the file as it is from anywhere."""
        return path if not self.folder or path.startswith("/") else f"{self.folder}/{path}"

    @property
    def acceptance_rules(self) -> tuple[AcceptanceRule, ...]:
        """Those of its tasks; the default one where it has none."""
        return tuple(task.acceptance for task in self.tasks.values()) or (AcceptanceRule(),)

    @property
    def audit(self) -> AuditSettings:
        """Those of the audit log, with paths as they are from anywhere."""
        said = self.journal.audit
        key = said.key_file and self.placed(said.key_file)
        anchors = tuple(
            msgspec.structs.replace(each, file=each.file and self.placed(each.file))
            for each in said.anchors
        )
        return msgspec.structs.replace(said, key_file=key, anchors=anchors)

    @property
    def journal_path(self) -> str:
        """Where facts are kept, wherever the program runs."""
        return self.placed(self.journal.path)

    @property
    def batches_path(self) -> str:
        """Where the bytes of files lie, wherever the program runs."""
        own = self.batches.path
        return f"{self.journal_path}/batches" if own is None else self.placed(own)

    @property
    def state_url(self) -> str:
        """Where what must be mutable is kept; a path in it starts from the file's folder."""
        if self.state.url is None:
            return f"{_SQLITE}{self.journal_path}/state.sqlite"
        if self.state.url.startswith(_SQLITE):
            return _SQLITE + self.placed(self.state.url.removeprefix(_SQLITE))
        return self.state.url
