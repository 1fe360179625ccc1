"""Where an answer goes: the port that each surface (chat now, others later) implements."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from pointsman.domain.errors import PointsmanError

Headers = list[tuple[bytes, bytes]]


class Sink(Protocol):
    """One client waiting for one answer. Nothing here decides; everything here writes."""

    def whole(self, headers: Headers, body: bytes) -> None:
        """The whole answer at once."""
        ...

    def refuse(self, error: PointsmanError, headers: Headers) -> None:
        """An error, with its own status: only before anything else was written."""
        ...

    def held(self, headers: Headers, told: Mapping[str, object]) -> None:
        """The answer waits for people: 202, and where to ask for it."""
        ...

    def open_stream(self, headers: Headers) -> None:
        """The head of a stream."""
        ...

    def events(self, payloads: Sequence[bytes]) -> None:
        """JSON payloads of the stream, in order."""
        ...

    def comment(self) -> None:
        """A sign of life that no client takes for content."""
        ...

    def drained(self) -> Awaitable[None] | None:
        """Until the client has taken enough of what was written; None: it has."""
        ...

    def close_stream(self) -> None:
        """The proper end of a stream."""
        ...

    def break_stream(self, error: PointsmanError) -> None:
        """Say what happened and end without the mark of a whole answer."""
        ...
