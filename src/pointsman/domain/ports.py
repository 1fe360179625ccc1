"""The seams between rooms of one floor: small protocols, implemented below, wired in app.py."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from pointsman.domain.messages import Reply
from pointsman.domain.money import Usage
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import BodyRef, Failure, Record


class AttemptFailed(Exception):
    """An attempt gave no answer; carries what the record will say."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.kind, failure.detail)
        self.failure = failure


class UpstreamCall(msgspec.Struct, frozen=True, kw_only=True):
    """One request to one deployment, ready to send."""

    deployment: Deployment
    body: bytes
    deadline_s: float  # what is left of the request's time; the attempt's own limits apply too


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer: the engine's bytes and what we read in them."""

    body: bytes
    replies: tuple[Reply, ...]  # by choice
    usage: Usage | None
    model: str | None
    response_id: str | None
    first_token_ms: int


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a stream: the JSON after `data: `, and whether it carries content."""

    data: bytes
    content: bool  # something a client would show, call or read; not a role or usage frame
    usage_only: bool = False  # `choices` is empty: the frame that `include_usage` asks for


class AnswerStream(Protocol):
    """A stream of one attempt. Iterating raises AttemptFailed; `completion` is ready at its end."""

    def __aiter__(self) -> AsyncIterator[Chunk]: ...

    def completion(self) -> Completion:
        """What the whole stream said so far (an answer's worth only once it ended)."""
        ...

    def abort(self) -> None:
        """Stop now: the connection closes, the engine stops generating."""
        ...


class Backend(Protocol):
    """How to speak to a deployment."""

    async def complete(self, call: UpstreamCall) -> Completion: ...

    async def stream(self, call: UpstreamCall) -> AnswerStream: ...


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
