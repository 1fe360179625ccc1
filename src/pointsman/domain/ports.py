"""The seams between rooms of one floor: small protocols, implemented below, wired in app.py."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from pointsman.domain.messages import ChatRequest, Reply
from pointsman.domain.money import Usage
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import BodyRef, Failure, Record


class UpstreamCall(msgspec.Struct, frozen=True, kw_only=True):
    """One request to one deployment; the backend writes it in the deployment's dialect."""

    deployment: Deployment
    request: ChatRequest  # with the prompt version already rendered into it
    deadline_s: float  # what is left of the request's time; the attempt's own limits apply too
    logprobs: bool = False  # a gate needs them: asked for, read, and stripped from the answer
    thinking: str | None = None  # the task's wish, where the client has none


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

    def abort(self) -> None:
        """Stop now: the connection closes, the engine stops generating."""
        ...


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


class Reports(Protocol):
    """Named questions to the journal, for pages and commands."""

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
