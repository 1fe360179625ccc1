"""What a surface is: a path, how its requests are read, and how its answers are written.

Everything behind a surface knows one request (`ModelRequest`) and one stream of chunks: the JSON
objects of the operation's own path at an engine. A surface in the engines' own words passes both
on untouched (`PlainWriter`). One in other words (OpenAI's Responses, Anthropic's Messages) has a
`parse` that writes a chat request, and a writer of its own, made for each request, that turns
chunks into its events; a writer may keep state. Nothing here does I/O.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pointsman.domain.errors import PointsmanError
from pointsman.domain.messages import ModelRequest, Operation
from pointsman.surfaces.errors import error_object


class Writer(Protocol):
    """One answer in a surface's words. A stream is `events`… then `close` or `broken`."""

    def whole(self, body: bytes) -> bytes:
        """The answer to a request that is not streamed, from the engine's whole JSON."""
        ...

    def events(self, payloads: Sequence[bytes]) -> bytes:
        """The bytes of a stream for these chunks; empty where they say nothing yet."""
        ...

    def comment(self) -> bytes:
        """A sign of life that no client takes for content."""
        ...

    def close(self) -> bytes:
        """What ends a stream whose answer is whole."""
        ...

    def broken(self, error: PointsmanError) -> bytes:
        """What ends a stream whose answer is not: the error, and no mark of a whole answer."""
        ...


class PlainWriter:
    """The engines' own words, as OpenAI's clients read them. One for all requests: no state."""

    def whole(self, body: bytes) -> bytes:
        return body

    def events(self, payloads: Sequence[bytes]) -> bytes:
        return b"data: " + b"\n\ndata: ".join(payloads) + b"\n\n" if payloads else b""

    def comment(self) -> bytes:
        return b": keep-alive\n\n"

    def close(self) -> bytes:
        return b"data: [DONE]\n\n"

    def broken(self, error: PointsmanError) -> bytes:
        return b"data: " + error_object(error) + b"\n\n"


_PLAIN = PlainWriter()


def plain_writer(request: ModelRequest) -> Writer:
    """The writer of every surface in the engines' own words."""
    return _PLAIN


class ErrorWriter(Protocol):
    """An error in a surface's words, where nothing of an answer has left."""

    def __call__(self, error: PointsmanError, *, trace: str | None = None) -> tuple[int, bytes]:
        """Status and body. `trace` is the request's id, where it got so far as to have one."""
        ...


def plain_error(error: PointsmanError, *, trace: str | None = None) -> tuple[int, bytes]:
    """Status and body of an error as OpenAI's clients read it: the id is in the head alone."""
    return error.status, error_object(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """One way to ask. `name` goes into records; `named_in` is one more header for a request's id,
    where clients of this surface look for it."""

    path: str
    name: str
    operation: Operation
    parse: Callable[[bytes], ModelRequest]  # raises InvalidRequest
    writer: Callable[[ModelRequest], Writer] = plain_writer
    error: ErrorWriter = plain_error
    named_in: bytes | None = None
