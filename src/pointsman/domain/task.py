"""Tasks, routes, prompts and keys: what a configuration says, resolved and ready to use."""

import re
from typing import Any, Literal

import msgspec

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


class RouteRule(msgspec.Struct, frozen=True, kw_only=True):
    """Steps for the requests that `when` matches; the first matching rule wins."""

    when: str  # expression over `request.*` (the fields of Features)
    steps: tuple[str, ...]
    gate: GateSpec | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How a task is answered: rules, then steps with a gate, then fallbacks for failures."""

    name: str
    steps: tuple[str, ...]
    rules: tuple[RouteRule, ...] = ()
    gate: GateSpec | None = None  # after every step but the last
    fallbacks: tuple[str, ...] = ()
    stream: Literal["held", "direct", "priced"] = "held"
    hold_usd_per_s: float = 0.0  # what a second of waiting for a held stream is worth


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


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A credential: who it is, whose data it sees, what it may ask. Only its hash is held."""

    name: str
    sha256: str
    tenant: str = "default"
    tasks: tuple[str, ...] = ()  # empty: every task and deployment


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where we listen and the bounds of the door."""

    host: str | tuple[str, ...] = "127.0.0.1"  # addresses, names, or `unix:/path`
    port: int = 4100
    max_body_bytes: int = 32 * 1024 * 1024
    max_connections: int = 4096
    keepalive_comment_s: float = 10.0  # SSE comments while a stream is held
    request_timeout_s: float = 600.0
    allowed_hosts: tuple[str, ...] = ()
    tls: DoorTls | None = None
    cors: Cors = Cors()

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


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where facts are kept, for how long, and how soon they are on the disk."""

    path: str = ".pointsman"
    durability: Literal["window", "power"] = "window"
    fsync_window_s: float = 0.05
    segment_bytes: int = 64 * 1024 * 1024
    keep_records_days: int | None = None  # None: for ever
    encryption: EncryptionSettings | None = None


class KeepingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The background work on the journal: sealing, compacting, rolling up, erasing what is due."""

    enabled: bool = True
    every_s: float = 60.0


class StateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where keys, labels, leases and schedules are kept."""

    url: str | None = None  # None: state.sqlite beside the journal

    @property
    def shown(self) -> str | None:
        """The URL as it may be shown: `***` for its password."""
        return self.url and _PASSWORD.sub(r"\1***\2", self.url)

    def __repr__(self) -> str:  # the password must not reach a log through an f-string
        return f"StateSettings(url={self.shown!r})"


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one pointsman.yaml says, resolved: no path, no dict, no environment left."""

    digest: str
    deployments: dict[str, Deployment]
    routes: dict[str, Route]
    tasks: dict[str, Task]
    prompts: dict[str, PromptVersion]  # by `name@version`
    aliases: dict[str, str]
    default: str  # what `auto` means: `task:NAME`, a route name or a deployment
    keys: tuple[Key, ...] = ()
    server: ServerSettings = ServerSettings()
    journal: JournalSettings = JournalSettings()
    keeping: KeepingSettings = KeepingSettings()
    state: StateSettings = StateSettings()
    # where secrets came from, `("keys.app1.key", "${APP1_KEY}")`: so that they can be shown
    secret_sources: tuple[tuple[str, str], ...] = ()
    folder: str = ""  # of the file: relative paths start there; no part of the digest
    files: tuple[str, ...] = ()  # files and folders it was read from; no part of the digest

    def placed(self, path: str) -> str:
        """A path of the file as it is from anywhere."""
        return path if not self.folder or path.startswith("/") else f"{self.folder}/{path}"

    @property
    def journal_path(self) -> str:
        """Where facts are kept, wherever the program runs."""
        return self.placed(self.journal.path)

    @property
    def state_url(self) -> str:
        """Where what must be mutable is kept; a path in it starts from the file's folder."""
        if self.state.url is None:
            return f"{_SQLITE}{self.journal_path}/state.sqlite"
        if self.state.url.startswith(_SQLITE):
            return _SQLITE + self.placed(self.state.url.removeprefix(_SQLITE))
        return self.state.url
