"""The seams between rooms of one floor: small protocols, implemented below, wired in app.py."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from pointsman.domain.batches import Batch, FileEntry
from pointsman.domain.evaluations import Answered, Subject
from pointsman.domain.limits import Need, Scope
from pointsman.domain.messages import ModelRequest, Reply
from pointsman.domain.money import Usage
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import BodyRef, Failure, Record
from pointsman.domain.reviews import Held
from pointsman.domain.task import MediaSettings, VirtualKey


class UpstreamCall(msgspec.Struct, frozen=True, kw_only=True):
    """One request to one deployment; the backend writes it in the deployment's dialect."""

    deployment: Deployment
    request: ModelRequest  # with the prompt version already rendered into it
    deadline_s: float  # what is left of the request's time; the attempt's own limits apply too
    logprobs: bool = False  # a gate needs them: asked for, read, and stripped from the answer
    thinking: str | None = None  # the arm's or the task's wish, where the client has none
    thinking_tokens: int | None = None  # the most to spend on it, where the client has no wish
    fields: dict[str, Any] = {}  # of the arm's mode, for those that the client left out
    lines: tuple[tuple[bytes, bytes], ...] = ()  # more of its head: which trace it is in


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer: the engine's bytes and what we read in them."""

    body: bytes
    replies: tuple[Reply, ...]  # by choice
    usage: Usage | None
    model: str | None
    response_id: str | None
    first_token_ms: int


class AttemptFailed(Exception):
    """An attempt gave no answer; carries what the record will say and what was paid for."""

    def __init__(self, failure: Failure, said: Completion | None = None) -> None:
        super().__init__(failure.kind, failure.detail)
        self.failure = failure
        self.said = said


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a stream: the JSON after `data: `, and whether it carries content."""

    data: bytes  # ready for the client: what we asked for on our own account is stripped
    content: bool  # something a client would show, call or read; not a role or usage frame


class AnswerStream(Protocol):
    """A stream of one attempt, in batches as they came. Iterating raises AttemptFailed."""

    def __aiter__(self) -> AsyncIterator[list[Chunk]]: ...

    def completion(self) -> Completion:
        """What the stream has said so far; a whole answer once it has ended. `body` is empty."""
        ...

    def pass_on(self, show: "Show") -> None:
        """From now on batches may be shown in the turn of the loop that they come in, instead of
        being given out. What is not shown so is given out as before."""
        ...

    def abort(self) -> None:
        """Stop now: the connection closes, the engine stops generating."""
        ...


# Shows a batch; what to wait for before the next, None where nothing is.
Show = Callable[[list[Chunk]], Awaitable[None] | None]


class Backend(Protocol):
    """How to speak to a deployment."""

    async def complete(self, call: UpstreamCall) -> Completion: ...

    def stream(self, call: UpstreamCall) -> AnswerStream: ...


class Journal(Protocol):
    """Where facts go. Append returns once the record is in the kernel (write(2))."""

    def append(self, record: Record) -> None: ...

    def put_body(
        self,
        body: bytes,
        *,
        features: bytes = b"",
        key: "SubjectKey | None" = None,
        until_us: int | None = None,
    ) -> BodyRef:
        """Keep a body, and what was read in it, under its subject's key."""
        ...

    def digest_body(self, body: bytes, *, key: "SubjectKey | None" = None) -> BodyRef:
        """What a body is called, without keeping it."""
        ...

    async def durable(self) -> None:
        """Return once everything appended so far is on the disk (fsync)."""
        ...


class FateJudge(Protocol):
    """What the rule of a task says of a request, as far as its outcomes decide it."""

    @property
    def windows(self) -> Mapping[str, int]:
        """How long after a request outcomes count, in microseconds, by task; "" for any other."""
        ...

    def __call__(self, task: str | None, facts: Sequence[Mapping[str, Any]]) -> str:
        """`accepted`, `rejected` or `undecided`, from outcomes in their order, all in time."""
        ...


class Reports(Protocol):
    """Named questions to the journal, for pages and commands."""

    def sums(
        self, judge: FateJudge, *, since_us: int, until_us: int, known_us: int = ...,
        parts: Sequence[str] = ..., dimensions: Sequence[str] = ...,
        tenant: str | None = ..., task: str | None = ...,
    ) -> Sequence[dict[str, Any]]:  # fmt: skip
        """The rows of the query `rollups` for requests of a time, made now."""
        ...

    def query(
        self, name: str, params: Mapping[str, Any] | None = None
    ) -> Sequence[dict[str, Any]]: ...

    def body(self, ref: BodyRef) -> bytes | None:
        """The body, or None where it was erased or never kept."""
        ...


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A role that one holder has until a time, unless it renews."""

    name: str
    holder: str
    expires_us: int
    epoch: int  # grows by one with every new holder: a late write of an old one is recognised


class Leases(Protocol):
    """Who does a job that only one process may do."""

    def acquire(self, name: str, holder: str, *, ttl_s: float, now_us: int) -> Lease | None:
        """The lease, new or renewed; None while another holder has it."""
        ...

    def release(self, lease: Lease) -> None:
        """Give it back early; nothing happens if it was lost meanwhile."""
        ...


class SubjectKey(msgspec.Struct, frozen=True, kw_only=True):
    """The secret under which a person's bodies and digests lie; destroying it erases them."""

    id: str  # appears in records; says nothing of the person
    secret: bytes  # 32 bytes

    def __repr__(self) -> str:
        return f"SubjectKey({self.id!r})"


class SubjectKeys(Protocol):
    """Keys by tenant and subject. A subject is stored as a keyed hash, never in clear."""

    def key(self, tenant: str, subject: str) -> SubjectKey:
        """The subject's living key, made (and durable) before this returns."""
        ...

    def find(self, ids: Sequence[str]) -> Mapping[str, SubjectKey]:
        """Those of the keys that were not destroyed."""
        ...

    def destroy(self, tenant: str, subject: str) -> tuple[str, ...]:
        """Destroy every key of the subject, for good; the ids of those destroyed."""
        ...


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When a recurring job runs next, and how it went last."""

    name: str
    next_us: int
    every_s: float
    last_us: int | None = None
    last_error: str | None = None


class Schedules(Protocol):
    """Recurring jobs; their times survive a restart."""

    def ensure(self, name: str, *, every_s: float, now_us: int) -> Schedule: ...

    def due(self, now_us: int) -> Sequence[Schedule]: ...

    def done(self, name: str, *, now_us: int, error: str | None = None) -> Schedule: ...


class Reservation(Protocol):
    """What was set aside for one request; given to `settle` once, when it ends."""

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """What the client is told of its rates, in OpenAI's words."""
        ...


class Admittance(Protocol):
    """Who is let in: rates, requests at once and money, reserved before anything is spent."""

    def at_once(self, scopes: Sequence[Scope], need: Need, *, at_us: int) -> Reservation | None:
        """The reservation where nobody need be asked for it; None: ask `admit`.

        Raises: RateLimited, BudgetExceeded.
        """
        ...

    async def admit(self, scopes: Sequence[Scope], need: Need, *, at_us: int) -> Reservation:
        """The reservation, once the shared store gave what is missing here.

        Raises: RateLimited, BudgetExceeded; StateUnavailable where a budget cannot be looked at.
        """
        ...

    def settle(self, reservation: Reservation, *, usd_picos: int, tokens: int) -> None:
        """What the request really used; the rest is free again. Once, however it ended."""
        ...


class Cells(Protocol):
    """Small values that many processes change together."""

    def change(self, name: str, change: Callable[[bytes | None], bytes], *, until_us: int) -> bytes:
        """The value after the change, which no other change came between.

        Args: change is given the value as it is, None for none, and may be called several times;
            until_us is when the value may be forgotten.
        Raises: StateUnavailable.
        """
        ...

    def read(self, prefix: str) -> Mapping[str, bytes]:
        """The values whose names begin so."""
        ...

    def forget(self, *, now_us: int) -> int:
        """Let go of values that may be forgotten, a bounded number; how many."""
        ...

    def close(self) -> None: ...


class Files(Protocol):
    """Files of clients: every question names the tenant."""

    def add(self, entry: FileEntry, *, most_bytes: int) -> None: ...

    def get(self, file: str, tenant: str, *, now_us: int) -> FileEntry: ...

    def page(
        self,
        tenant: str,
        *,
        now_us: int,
        limit: int,
        after: str | None = None,
        purpose: str | None = None,
        ascending: bool = False,
    ) -> tuple[FileEntry, ...]: ...

    def remove(self, file: str, tenant: str) -> FileEntry: ...

    def remove_expired(self, store: str, *, now_us: int, limit: int = 100) -> tuple[str, ...]: ...

    def known(self, ids: tuple[str, ...]) -> frozenset[str]: ...


class Batches(Protocol):
    """A queue of batches that survives its runners."""

    def add(self, batch: Batch, *, most_open: int) -> None: ...

    def get(self, batch: str, tenant: str) -> Batch: ...

    def page(self, tenant: str, *, limit: int, after: str | None = None) -> tuple[Batch, ...]: ...

    def open(self, store: str, *, limit: int) -> tuple[Batch, ...]: ...

    def change(
        self,
        batch: str,
        change: Callable[[Batch], Batch],
        *,
        tenant: str | None = None,
        with_files: tuple[FileEntry, ...] = (),
    ) -> Batch: ...

    def forget(self, store: str, *, before_us: int, limit: int = 100) -> int: ...


class HeldAnswers(Protocol):
    """Answers that wait for people, in the state."""

    def add(self, one: Held) -> None: ...

    def get(self, id: str, *, tenant: str | None = None) -> Held: ...

    def waiting(self, *, now_us: int, limit: int = 100, after: str = "") -> tuple[Held, ...]: ...

    def latest(self, *, limit: int = 100) -> tuple[Held, ...]: ...

    def change(self, id: str, change: Callable[[Held], Held]) -> Held: ...

    def forget(self, *, before_us: int, limit: int = 1000) -> int: ...


class Holds(Protocol):
    """Where an answer goes that a policy holds."""

    async def keep(
        self, wanted: Held, *, request: bytes, answer: bytes, key: SubjectKey | None
    ) -> Held:
        """Keep both bodies until it is decided or runs out.

        Raises: StateUnavailable, JournalUnavailable: nothing is delivered then.
        """
        ...

    async def decided(self, id: str, *, within_s: float) -> tuple[Held, bytes | None]:
        """How it stands once it is decided, or after that time; and what may be delivered."""
        ...


class Fetched(NamedTuple):
    """A file that a request named by URL."""

    kind: str  # its media type, by its own beginning
    data: bytes


class Media(Protocol):
    """What fetches files that requests name by URL."""

    async def fetch(
        self, url: str, settings: MediaSettings, *, place: str, left: int
    ) -> Fetched: ...


class VirtualKeys(Protocol):
    """Keys that lie in the state, by name."""

    def living(self, name: str) -> VirtualKey | None:
        """The key; None where it opens nothing any more, or never did."""
        ...


class BatchState(Protocol):
    """What of the state is wanted for files and batches."""

    @property
    def files(self) -> Files: ...
    @property
    def batches(self) -> Batches: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def virtual_keys(self) -> VirtualKeys: ...


class Answerer(Protocol):
    """What a suite asks: this process itself, or a running gateway."""

    async def ask(
        self,
        request: Mapping[str, Any],
        subject: Subject,
        *,
        session: str,
        timeout_s: float,
    ) -> Answered:
        """One answer, or why there is none; raises nothing that a model or gateway can cause.

        Args: request is a body of chat completions, its `model` set here; session names what
            the requests of one sample have in common.
        Raises: NotFound, InvalidRequest, Unauthenticated, Forbidden where the subject can never
            be asked so; UpstreamError where no gateway answers at all.
        """
        ...

    async def embed(
        self, texts: Sequence[str], *, model: str, timeout_s: float
    ) -> Sequence[Sequence[float]]:
        """One vector for each text. Raises: PointsmanError."""
        ...


class CodeRun(NamedTuple):
    """How a program ended in the sandbox."""

    exit_code: int | None  # None: it was stopped
    output: str  # stdout and stderr, cut at the bound
    finished: bool = False  # it gave back the word it was told, at its very end
    stopped: str | None = None  # by which limit


class Means(Protocol):
    """What scorers may use that does I/O."""

    async def run_code(
        self, files: Mapping[str, str], command: Sequence[str], *, limits: Mapping[str, float]
    ) -> CodeRun:
        """A program in the sandbox. Raises: ExtraMissing where there is none here."""
        ...

    async def embed(self, texts: Sequence[str], *, model: str) -> Sequence[Sequence[float]]:
        """One vector for each text. Raises: PointsmanError."""
        ...

    async def ask(self, request: Mapping[str, Any], *, session: str) -> Answered:
        """One answer of the model that the request names: a judge's."""
        ...

    def judge_by_policy(self, texts: Sequence[str], *, policy: str) -> tuple[str, str]:
        """The verdict of a policy on texts of an answer, and why. Raises: PointsmanError."""
        ...
