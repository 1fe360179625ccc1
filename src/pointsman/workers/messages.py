"""What a supervisor and its processes say to each other; how it travels is `peer`'s."""

from typing import Any

import msgspec

from pointsman.backends.embedded_supervisor import EngineState
from pointsman.domain.errors import PointsmanError, WorkerFailed
from pointsman.domain.portfolio import EmbeddedModel
from pointsman.domain.ports import SubjectKey
from pointsman.domain.records import OutcomeRecord
from pointsman.domain.task import Configuration


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """One thing said."""


class EnginePlace(msgspec.Struct, frozen=True, kw_only=True):
    """One embedded engine: whose, where it listens now, how it stands."""

    deployment: str
    model: EmbeddedModel
    state: EngineState
    base_url: str | None = None  # None: it does not listen
    api_key: str | None = None

    def __repr__(self) -> str:  # the key must not reach a log through an f-string
        return f"EnginePlace({self.deployment!r}, {self.base_url!r})"


class News(_Message, frozen=True, kw_only=True):
    """What runs once for all workers, as it stands."""

    engines: tuple[EnginePlace, ...] = ()
    keeper: dict[str, Any] = {}
    reload_error: str | None = None


# From the supervisor.


class Begin(_Message, frozen=True, kw_only=True):
    """The first word to every process: what it is and by which configuration."""

    config: Configuration
    generation: int = 0  # counts the configurations that came into force
    slot: int = 0
    workers: int = 1
    listeners: tuple[tuple[int, ...], ...] = ()  # inherited descriptors, by slot
    common: tuple[int, ...] = ()  # those that every worker accepts on
    news: News = News()
    log_level: int = 30


class Prepare(_Message, frozen=True, kw_only=True):
    """Asks: build what this configuration needs, and change nothing yet."""

    config: Configuration
    news: News


class Commit(_Message, frozen=True, kw_only=True):
    """Asks: what was prepared last comes into force now."""

    generation: int


class Abort(_Message, frozen=True, kw_only=True):
    """What was prepared is not wanted."""


class Certificates(_Message, frozen=True, kw_only=True):
    """Asks: read the certificates anew."""


class Lend(_Message, frozen=True, kw_only=True):
    """Accept for the workers of these slots too, and for no others: theirs are gone for now."""

    slots: tuple[int, ...]


class Drain(_Message, frozen=True, kw_only=True):
    """Take nothing new, finish what runs, end."""


class Hurry(_Message, frozen=True, kw_only=True):
    """Cancel what still runs."""


class Changed(_Message, frozen=True, kw_only=True):
    """To the admin: this configuration is in force."""

    config: Configuration


# Asked by either.


class Count(_Message, frozen=True, kw_only=True):
    """Asks a worker for its counts."""


class Counted(_Message, frozen=True, kw_only=True):
    """Snapshots of counts; of one worker, or of all and of those that are gone."""

    snapshots: tuple[bytes, ...]


class Scrape(_Message, frozen=True, kw_only=True):
    """Asks the supervisor for the counts of all."""


class Find(_Message, frozen=True, kw_only=True):
    """Asks who remembers a trace, by its id or its answer's; tenant None is the operator."""

    reference: str
    tenant: str | None


class TraceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A trace, whose it is, and by which reference it was found."""

    trace: str
    tenant: str
    reference: str
    facts: tuple[OutcomeRecord, ...] = ()  # about it, those that have a key


class Found(_Message, frozen=True, kw_only=True):
    """The traces that a reference may mean: of an engine that gives an id twice, several."""

    rows: tuple[TraceRow, ...] = ()


class Recall(_Message, frozen=True, kw_only=True):
    """Asks the reader for traces in the journal."""

    references: tuple[str, ...]


class KeyOf(_Message, frozen=True, kw_only=True):
    """Asks for a subject's key, made where there is none."""

    tenant: str
    subject: str


class KeyIs(_Message, frozen=True, kw_only=True):
    """The key; whoever hears it writes bodies under it."""

    key: SubjectKey


class Look(_Message, frozen=True, kw_only=True):
    """Asks how the whole stands."""


class Seen(_Message, frozen=True, kw_only=True):
    """How the whole stands, as JSON."""

    ready: bool
    body: bytes


class Done(_Message, frozen=True, kw_only=True):
    """It was done."""


# From a process.


class Serving(_Message, frozen=True, kw_only=True):
    """It answers from now on, by the configuration of this generation."""

    generation: int


class Leaving(_Message, frozen=True, kw_only=True):
    """It accepts no more; what runs is being finished."""


class Pulse(_Message, frozen=True, kw_only=True):
    """A sign of life from the event loop, and what it counted if that changed."""

    digest: str
    ready: bool
    connections: int = 0
    in_flight: int = 0
    requests: int = 0
    snapshot: bytes | None = None


class Failed(_Message, frozen=True, kw_only=True):
    """It cannot start, and why."""

    code: str
    what: str
    why: str = ""
    next: str = ""

    @classmethod
    def of(cls, error: PointsmanError) -> "Failed":
        """The error in words that another process can raise again."""
        return cls(code=type(error).code, what=error.what, why=error.why, next=error.next)

    def error(self) -> PointsmanError:
        """The error again, of the same class where that is one of ours."""
        kinds: dict[str, type[PointsmanError]] = {}
        for kind in _below(PointsmanError):
            kinds.setdefault(kind.code, kind)
        return kinds.get(self.code, WorkerFailed)(self.what, why=self.why, next=self.next)


Message = (
    Begin | Prepare | Commit | Abort | Certificates | Lend | Drain | Hurry | Changed | News
    | Count | Counted | Scrape | Find | Found | Recall | KeyOf | KeyIs | Look | Seen | Done
    | Serving | Leaving | Pulse | Failed
)  # fmt: skip


def _below(kind: type[PointsmanError]) -> list[type[PointsmanError]]:
    return [kind, *(found for each in kind.__subclasses__() for found in _below(each))]
