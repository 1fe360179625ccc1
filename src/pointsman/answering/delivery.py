"""What the client has been shown so far: the head, held streams with signs of life, the end."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from pointsman.answering.sink import Headers, Sink
from pointsman.domain.errors import AnswerHeld, PointsmanError
from pointsman.domain.ports import Chunk


class Delivery:
    """One answer on its way through a sink.

    Args: headers gives the head for the deployment that answers (None: not known yet);
        elapsed_ms is the time since the request arrived; comment_s is the time between signs
        of life while a stream is held.
    """

    def __init__(
        self,
        sink: Sink,
        headers: Callable[[str | None], Headers],
        elapsed_ms: Callable[[], int],
        comment_s: float,
    ) -> None:
        self._sink = sink
        self._headers = headers
        self._elapsed_ms = elapsed_ms
        self._comment_s = comment_s
        self._timer: asyncio.TimerHandle | None = None
        self._held_from_ms: int | None = None
        self._payloads: list[bytes] = []
        self.opened = False
        self.opened_blind = False  # the head left before it was known who answers
        self.first_byte_ms: int | None = None
        self.held_ms: int | None = None

    @property
    def body(self) -> bytes | None:
        """What was shown of a stream, one payload a line; None if nothing was."""
        return b"\n".join(self._payloads) if self._payloads else None

    def hold(self) -> None:
        """From now on nothing may be shown; comments keep the client's patience."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._comment_s, self._tick)

    def held(self) -> None:
        """The first text arrived that could have been shown, had it not been held."""
        if self._held_from_ms is None:
            self._held_from_ms = self._elapsed_ms()

    def quiet(self) -> None:
        """No more signs of life."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def let_go(self) -> None:
        """The request is over. What we hold holds us: it would wait for the garbage collector."""
        self.quiet()
        del self._headers, self._elapsed_ms

    def open(self, deployment: str) -> None:
        """Text of this deployment follows."""
        self.quiet()
        if self.first_byte_ms is None:
            self.first_byte_ms = self._elapsed_ms()
            if self._held_from_ms is not None:
                self.held_ms = self.first_byte_ms - self._held_from_ms
        if not self.opened:
            self.opened = True
            self._sink.open_stream(self._headers(deployment))

    def show(self, chunks: Sequence[Chunk]) -> Awaitable[None] | None:
        """Pass chunks on; what to wait for where the client is slower than the engine."""
        payloads = [chunks[0].data] if len(chunks) == 1 else [chunk.data for chunk in chunks]
        self._payloads.extend(payloads)
        self._sink.events(payloads)
        return self._sink.drained()

    def close_stream(self) -> None:
        """The proper end of a stream."""
        self._sink.close_stream()

    def whole(self, deployment: str, body: bytes) -> None:
        """The whole answer at once."""
        self._sink.whole(self._headers(deployment), body)

    def wait_for_people(self, told: Mapping[str, object]) -> None:
        """The answer is held: where to ask for it, or in a stream an event that says so."""
        self.quiet()
        if self.opened:
            where = f"GET {told['url']}"
            self._sink.break_stream(
                AnswerHeld("people look at this answer before it is delivered", next=where)
            )
        else:
            self._sink.held(self._headers(None), told)

    def fail(self, error: PointsmanError) -> None:
        """An error in the shape that still fits: a status, or an event that ends the stream."""
        self.quiet()
        if self.opened:
            self._sink.break_stream(error)
        else:
            self._sink.refuse(error, self._headers(None))

    def _tick(self) -> None:
        if not self.opened:
            self.opened = self.opened_blind = True
            self._sink.open_stream(self._headers(None))
        self._sink.comment()
        self._timer = None
        self.hold()


def annotate(data: bytes, told: Mapping[str, object]) -> bytes:
    """A JSON object with a `pointsman` member added at its end."""
    head = data.rstrip()
    assert head.endswith(b"}"), "a chunk is a JSON object"
    separator = b"," if head[:-1].rstrip() != b"{" else b""
    return head[:-1] + separator + b'"pointsman":' + msgspec.json.encode(told) + b"}"
