"""One request and the answer to it, as a handler holds them; the connection does the rest."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pointsman.gateway.http_message import Headers, Request, render_head
from pointsman.gateway.http_spool import Spool

if TYPE_CHECKING:
    from pointsman.gateway.http_connection import Connection

Handler = Callable[["Exchange"], Awaitable[None]]


class Exchange(Request):
    """A request and the means to answer it: `respond` once, or `start`, `write`…, `finish`.

    The handler's task is cancelled when the client goes away before the answer is complete. Once
    it is complete the task runs on undisturbed. After `gone`, writing does nothing.
    """

    __slots__ = (
        "_chunked",
        "_connection",
        "_ended",
        "_keep",
        "_lines",
        "_modern",
        "_running",
        "_sign",
        "_task",
        "gone",
        "spool",
        "started",
    )

    _keep: bool  # the connection, for another request
    _lines: bytes  # whole header lines that the answer carries, whoever gives it
    _modern: bool  # HTTP/1.1
    _task: asyncio.Task[None]

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._ended = False
        self._running = False
        self._chunked = False
        self._lines = b""
        self._sign = b""  # a piece of the answer that says nothing: see `sign_of_life`
        self.spool: Spool | None = None  # holds the body, where it was put aside
        self.started = False
        self.gone = False

    @property
    def request(self) -> Request:
        """The request alone, for code that answers nothing."""
        return self

    def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """The whole answer at once, with its Content-Length."""
        assert not self.started, "an exchange is answered once"
        connection = self._connection
        framing = self._framing(b"" if status == 204 else b"content-length: %d\r\n" % len(body))
        head = render_head(status, connection.server.date, headers, framing)
        self.started = True
        if self.gone or self._ended:
            return
        if self.method == "HEAD" or status in (204, 304):
            connection.transport.write(head)
        elif len(body) <= _JOIN_BYTES:
            connection.transport.write(head + body)
        else:
            connection.transport.writelines((head, body))
        self._end()

    def start(self, status: int, headers: Headers) -> None:
        """The head of a streamed answer: chunked, or to the end of the connection for HTTP/1.0."""
        assert not self.started, "an exchange is answered once"
        bodiless = self.method == "HEAD" or status in (204, 304)
        self._chunked = self._modern and not bodiless
        if not self._modern and not bodiless:
            self._keep = False
        framing = self._framing(b"transfer-encoding: chunked\r\n" if self._chunked else b"")
        head = render_head(status, self._connection.server.date, headers, framing)
        self.started = True
        if self._chunked and any(value.startswith(_EVENTS) for _, value in headers):
            self._sign = _COMMENT
        if not self.gone and not self._ended:
            self._connection.transport.write(head)

    def write(self, data: bytes) -> None:
        """One piece of a streamed answer. An empty piece is nothing. Follow with `drain`."""
        assert self.started, "start comes before write"
        if self.gone or self._ended or not data:
            return
        connection = self._connection
        if self._chunked:
            connection.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        elif not self._modern and self.method != "HEAD":
            connection.transport.write(data)
        if connection.write_paused:
            connection.bound_unsent()

    @property
    def behind(self) -> bool:
        """Whether `drain` would wait."""
        return self._connection.write_paused and not self.gone

    async def drain(self) -> None:
        """Wait while the client is behind. Bounded: one that takes nothing for long is cut off."""
        if self._connection.write_paused and not self.gone:
            await self._connection.writable()

    def finish(self) -> None:
        """The proper end of a streamed answer."""
        assert self.started, "start comes before finish"
        if self._ended:
            return
        if self._chunked and not self.gone:
            self._connection.transport.write(b"0\r\n\r\n")
        self._end()

    def sign_of_life(self) -> bool:
        """Write what changes nothing, to fetch an RST from a client that is gone.

        Returns: False where there is no such thing: an answer that has not begun, or is no stream
        of events. Every `write` of events ends with a whole one, so a comment may follow it.
        """
        if not self._sign or self.gone or self._ended:
            return False
        self.write(self._sign)
        return True

    def abort(self) -> None:
        """Close without an end, so that the client sees the answer as cut."""
        if self._ended:
            return
        self._ended = True
        self._keep = False
        if not self.gone:
            self._connection.cut(self, flush=self._chunked)

    def _framing(self, length: bytes) -> bytes:
        if self._lines:
            length = self._lines + length
        if self._connection.server.draining:
            self._keep = False
        if not self._keep:
            return length + b"connection: close\r\n\r\n"
        return length + (b"\r\n" if self._modern else b"connection: keep-alive\r\n\r\n")

    def _end(self) -> None:
        self._ended = True
        if not self.gone:
            self._connection.exchange_ended(self)


_EVENTS = b"text/event-stream"
_COMMENT = b":\n\n"
_JOIN_BYTES = 64 * 1024  # copying less than this is cheaper than a second buffer
