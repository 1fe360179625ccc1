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

    def put_body(self, body: bytes) -> BodyRef: ...

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
