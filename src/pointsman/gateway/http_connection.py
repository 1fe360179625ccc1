"""One client connection: bytes in, exchanges in order, pace and disconnects; no answers."""

import asyncio
import socket
import struct
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

import httptools

from pointsman.gateway.http_exchange import Exchange
from pointsman.gateway.http_message import (
    Refusal,
    error_body,
    render_head,
    split_target,
)
from pointsman.gateway.http_spool import Spool, Spooling

if TYPE_CHECKING:
    from pointsman.gateway.http_server import HttpServer


class Connection(asyncio.Protocol):
    """Parses, keeps order and pace, and tells the handler's task when its client is gone.

    Bytes are fed to llhttp in slices, so that no read can hold more than a few requests beyond
    the one being answered; the rest waits as bytes, with reading paused.
    """

    __slots__ = (
        "_body",
        "_body_left",
        "_charged",
        "_chunked",
        "_current",
        "_eof",
        "_expecting",
        "_got",
        "_headers",
        "_held",
        "_keep",
        "_linger_left",
        "_loop",
        "_modern",
        "_muted",
        "_parser",
        "_peer",
        "_phase",
        "_raw",
        "_refusal",
        "_request",
        "_since",
        "_spool",
        "_unsent",
        "_upgrading",
        "_url",
        "_waiting",
        "_waiting_bytes",
        "_writable",
        "server",
        "transport",
        "write_paused",
    )

    transport: asyncio.Transport

    def __init__(self, server: "HttpServer") -> None:
        self.server = server
        self.write_paused = False
        self._loop = server.loop
        self._parser = httptools.HttpRequestParser(self)
        self._current: Exchange | None = None
        self._waiting: deque[Exchange] = deque()
        self._waiting_bytes = 0
        self._held = b""
        self._eof = False
        self._expecting = False
        self._refusal: Refusal | None = None
        self._writable: asyncio.Future[None] | None = None
        self._unsent = 0
        self._linger_left = 0
        self._muted = self._upgrading = False
        self._phase = _FRESH
        self._since = server.now
        self._raw = self._got = self._body_left = 0
        self._charged = 0  # bytes of bodies that we hold, as the server counts them
        self._request: Exchange | None = None  # being received
        self._url = b""
        self._body: bytes | bytearray = b""
        self._spool: Spool | None = None  # where the body goes instead
        self._peer: str | None = None

    # What the transport tells us.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0].removeprefix("::ffff:") if isinstance(peer, tuple) else None
        self.transport.set_write_buffer_limits(high=self.server.limits.write_buffer_bytes)
        raw: socket.socket | None = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if not self.server.admit(self) and not self.transport.is_closing():
            self._refuse(Refusal(503, "overloaded", "too many connections; try again shortly"))

    def data_received(self, data: bytes) -> None:
        if self._phase >= _DEAF:
            self._linger_left -= len(data)
            if self._linger_left < 0:
                self.transport.abort()
        elif self._held:
            self._held += data
        elif len(data) <= _SLICE and not self._waiting:
            used = self._parse(data)
            if 0 <= used < len(data):
                self._feed(data[used:])
        else:
            self._feed(data)

    def eof_received(self) -> bool:
        """Half-closed or gone? A client that still reads gets its answer; see `_probe`.

        HTTP/1.0 has no interim answers to probe with, and is mostly spoken by proxies, which close
        both ways: there, and within TLS, the end of what is sent is the end.
        """
        self._eof = True
        current = self._current
        if self._phase >= _REFUSED or (current is None and not self._held):
            return False
        if current is not None and not current._modern:
            return False
        if self.transport.get_extra_info("sslcontext") is not None:
            return False
        self._loop.call_later(_PROBE_S, self._probe)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._phase = _CLOSED
        self.server.forget(self)
        self.resume_writing()
        current, self._current = self._current, None
        if current is not None:
            self._lose(current)
        self._waiting.clear()
        self._held = self._body = b""
        self._spool = None
        self._request = None
        self.server.buffered -= self._charged
        self._charged = 0

    def pause_writing(self) -> None:
        self.write_paused = True
        self._unsent = self.transport.get_write_buffer_size()
        self._since = self.server.now

    def resume_writing(self) -> None:
        self.write_paused = False
        self._since = self.server.now
        waiter, self._writable = self._writable, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if self._phase < _REFUSED and self._current is None:
            self._advance()

    # What the parser tells us.

    def on_message_begin(self) -> None:
        if self._muted:
            return
        self._phase = _HEAD
        self._since = self.server.now
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body = b""
        self._raw = self._got = self._body_left = 0

    def on_url(self, url: bytes) -> None:
        if not self._muted:
            self._url = self._url + url if self._url else url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase != _HEAD:  # a trailer, or the head replayed after an upgrade
            return
        headers = self._headers
        name = name.lower()
        if name not in headers:
            headers[name] = value.strip()
        elif name in _SINGLE:
            raise self._stop(400, "bad_request", f"doubled header: {name.decode('latin-1')}")
        else:
            headers[name] += b", " + value.strip()

    def on_headers_complete(self) -> None:
        if self._muted:
            return
        parser, headers, limits = self._parser, self._headers, self.server.limits
        self._keep = parser.should_keep_alive()
        if self._keep and b"connection" not in headers:
            self._modern = True  # 1.0 would have had to ask; spares the usual case a string
        else:
            version = parser.get_http_version()
            self._modern = version == "1.1"
            if not self._modern and version != "1.0":
                raise self._stop(505, "http_version", "HTTP/1.1 and HTTP/1.0 are spoken here")
        if len(headers) > limits.max_headers:
            raise self._stop(431, "headers_too_large", "too many headers")
        if self._raw + _SLICE > limits.max_header_bytes < _size(headers) + len(self._url):
            raise self._stop(431, "headers_too_large", "the request head is too large")
        method = METHODS.get(parser.get_method())
        if method is None:
            raise self._stop(501, "method_unknown", "this method is not spoken here")
        if self._modern and b"host" not in headers:
            raise self._stop(400, "bad_request", "the Host header is missing")
        make = self.server.spools.get(self._url)
        self._spool = self._aside(make, headers) if make and method == "POST" else None
        self._frame(headers)
        exchange = self._request = Exchange(self)
        exchange.method = method
        try:
            exchange.path, exchange.query = split_target(self._url)
        except Refusal as refusal:
            self._refusal = refusal
            raise
        exchange.headers = headers
        exchange.peer = self._peer
        exchange.arrived = monotonic()
        exchange._modern = self._modern
        exchange._keep = self._keep
        if self.server.lines is not None:
            exchange._lines = self.server.lines(headers)
        self._phase = _BODY
        self._since = self.server.now
        self._upgrading = parser.should_upgrade() and (self._chunked or self._body_left > 0)
        if b"expect" in headers:
            self._expect(headers[b"expect"])

    def on_body(self, data: bytes) -> None:
        size = len(data)
        self._got += size
        if self._spool is not None:
            return self._put_aside(self._spool, data)
        self._charged += size
        self.server.buffered += size
        if self.server.buffered > self.server.limits.max_buffered_bytes:
            raise self._full()
        if self._body_left:
            self._body_left -= size
        elif self._got > self.server.limits.max_body_bytes:
            raise self._too_large(self.server.limits.max_body_bytes)
        if not self._body:
            self._body = data
        elif isinstance(self._body, bytearray):
            self._body += data
        else:
            self._body = bytearray(self._body)
            self._body += data

    def _aside(self, make: Spooling, headers: dict[bytes, bytes]) -> Spool | None:
        try:
            return make(headers)
        except Refusal as refusal:
            self._refusal = refusal
            raise

    def _put_aside(self, spool: Spool, data: bytes) -> None:
        if self._body_left:
            self._body_left -= len(data)
        elif self._got > spool.most_bytes:
            raise self._too_large(spool.most_bytes)
        try:
            spool.write(data)
        except OSError as error:
            message = f"the body cannot be put aside ({error.strerror})"
            raise self._stop(503, "state_unavailable", message) from None

    def on_message_complete(self) -> None:
        if self._upgrading:  # the body is still to come: see `_after_upgrade`
            return
        exchange, self._request = self._request, None
        assert exchange is not None, "a message ends after its head"
        body = self._body
        exchange.body = body if isinstance(body, bytes) else bytes(body)
        self.server.requests = exchange.id = self.server.requests + 1
        self._body = b""
        if self._spool is not None:
            exchange.spool, self._spool = self._spool, None
        self._phase = _IDLE
        self._since = self.server.now
        self._expecting = False
        if self._current is None and not self.write_paused:
            self._current = exchange
            exchange._task = self.server.spawn(exchange)
        else:
            self._waiting.append(exchange)
            self._waiting_bytes += len(exchange.body)

    # What exchanges tell us.

    def exchange_ended(self, exchange: Exchange) -> None:
        """The answer is complete: close, or take the next request."""
        self._current = None
        self._charged -= len(exchange.body)
        self.server.buffered -= len(exchange.body)
        if not exchange._keep or (self.server.draining and not self._waiting):
            self._close()
        else:
            self._since = self.server.now
            if self._waiting or self._held or self._refusal or self._eof or self._expecting:
                self._advance()

    def cut(self, exchange: Exchange, *, flush: bool) -> None:
        """End the connection so that the answer reads as broken: by RST where a FIN would not."""
        self._current = None
        self._phase = _CLOSED
        self._since = self.server.now
        if flush and exchange.started:
            self.transport.close()
            return
        raw: socket.socket | None = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    async def writable(self) -> None:
        """Return once the transport's buffer is below its mark, or the client is gone."""
        if self._writable is None:
            self._writable = self._loop.create_future()
        await asyncio.shield(self._writable)

    def bound_unsent(self) -> None:
        """A writer that never waits is stopped before it fills the memory."""
        if self.transport.get_write_buffer_size() > self.server.limits.max_unsent_bytes:
            self.transport.abort()

    # What the server tells us.

    def sweep(self, now: float) -> None:
        """Once a second: close what has taken too long. Times are coarse, to a second."""
        limits, age = self.server.limits, now - self._since
        closing = self._phase >= _REFUSED
        unsent = self.transport.get_write_buffer_size() if closing or self.write_paused else 0
        if unsent:
            if unsent != self._unsent:
                self._unsent, self._since = unsent, now
            elif age > limits.write_timeout_s:
                self.transport.abort()
        elif closing:
            if age > _LINGER_S:
                self.transport.abort()
        elif self._current is not None:
            if self._eof:
                self._probe_stream()
        elif self._phase == _HEAD or self._phase == _FRESH:
            if age > limits.header_timeout_s:
                self._slow("the request head took too long")
        elif self._phase == _BODY:
            if age > limits.body_timeout_s + self._got / limits.min_body_rate:
                self._slow("the request body took too long")
        elif age > limits.idle_timeout_s:
            self.transport.close()

    def wind_down(self) -> None:
        """The server drains: close now if nothing is being answered or received."""
        if self._current is None and self._phase in (_FRESH, _IDLE) and not self._waiting:
            self.transport.close()

    def give_up(self) -> None:
        """The drain is over: the handler is cancelled, the connection closed."""
        current = self._current
        if current is not None and not current._ended:
            current._task.cancel()
        else:
            self.transport.abort()

    # Inside.

    def _feed(self, data: bytes) -> None:
        view, at = memoryview(data), 0
        while at < len(data):
            if self._is_ahead():
                self._held = bytes(view[at:])
                self.transport.pause_reading()
                return
            used = self._parse(view[at : at + max(_SLICE, self._body_left)])
            if used < 0:
                return
            at += used

    def _parse(self, piece: bytes | memoryview) -> int:
        """Bytes used; −1 once the connection takes no more."""
        self._raw += len(piece)
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            used: int = upgrade.args[0]
            self._after_upgrade()
            return used
        except httptools.HttpParserError as error:
            refusal, self._refusal = self._refusal, None
            self._refuse(refusal or Refusal(400, "bad_request", f"not HTTP/1.1: {error}"))
            return -1
        overrun = self._overrun() if self._phase in (_HEAD, _BODY) else None
        if overrun is not None:
            self._refuse(overrun)
            return -1
        return len(piece)

    def _overrun(self) -> Refusal | None:
        """What llhttp would read on for ever: a head without end, extensions, trailers."""
        if self._phase == _HEAD and self._raw > self.server.limits.max_header_bytes + 2 * _SLICE:
            return Refusal(431, "headers_too_large", "the request head is too large")
        if self._phase == _BODY and self._chunked and self._raw > _FRAMING_BYTES + 8 * self._got:
            return Refusal(400, "bad_request", "more framing than body")
        return None

    def _after_upgrade(self) -> None:
        """Upgrades are ignored. Parsing goes on behind the head, which llhttp took for the end.

        Java's HttpClient sends `Upgrade: h2c` with every first request, body included. A parser
        that was shown an equal head without the offer reads that body.
        """
        self._parser = httptools.HttpRequestParser(self)
        if not self._upgrading:
            return
        self._muted = True
        length = b"transfer-encoding: chunked"
        if not self._chunked:
            length = b"content-length: %d" % self._body_left
        self._parser.feed_data(b"POST / HTTP/1.1\r\n" + length + b"\r\n\r\n")
        self._muted = self._upgrading = False

    def _frame(self, headers: dict[bytes, bytes]) -> None:
        """How long the body is. llhttp has refused malformed and doubled lengths by now."""
        coding = headers.get(b"transfer-encoding")
        self._chunked = coding is not None
        if coding is not None:
            if coding.lower() != b"chunked" or not self._modern:
                raise self._stop(400, "bad_request", "the one transfer coding here is chunked")
        elif b"content-length" in headers:
            self._body_left = int(headers[b"content-length"])
            if self._spool is not None:
                if self._body_left > self._spool.most_bytes:
                    raise self._too_large(self._spool.most_bytes)
                return
            if self._body_left > self.server.limits.max_body_bytes:
                raise self._too_large(self.server.limits.max_body_bytes)
            if self.server.buffered + self._body_left > self.server.limits.max_buffered_bytes:
                raise self._full()

    def _expect(self, what: bytes) -> None:
        if what.lower() != b"100-continue":
            raise self._stop(417, "expectation_failed", "only 100-continue can be expected")
        if self._modern and (self._chunked or self._body_left):
            self._expecting = True
            if self._current is None and not self._waiting:
                self._invite()

    def _invite(self) -> None:
        self._expecting = False
        self.transport.write(_CONTINUE)

    def _is_ahead(self) -> bool:
        limits = self.server.limits
        return bool(self._waiting) and (
            len(self._waiting) >= limits.max_pipelined
            or self._waiting_bytes >= limits.max_pipelined_bytes
        )

    def _advance(self) -> None:
        """The line is free: the next waiting request, the bytes held back, or the end."""
        if self.write_paused:
            return
        if self._waiting:
            exchange = self._waiting.popleft()
            self._waiting_bytes -= len(exchange.body)
            self._current = exchange
            exchange._task = self.server.spawn(exchange)
        if self._held and not self._is_ahead():
            held, self._held = self._held, b""
            self._feed(held)
            if not self._held and not self._eof and not self.transport.is_closing():
                self.transport.resume_reading()
        if self._current is None and not self._waiting and self._phase < _REFUSED:
            if self._refusal is not None:
                refusal, self._refusal = self._refusal, None
                self._refuse(refusal)
            elif self._eof:
                self._close()
            elif self._expecting:
                self._invite()

    def _stop(self, status: int, code: str, message: str) -> Refusal:
        """To be raised in a parser's callback: stops it; `_parse` answers."""
        self._refusal = Refusal(status, code, message)
        return self._refusal

    def _too_large(self, limit: int) -> Refusal:
        return self._stop(413, "request_too_large", f"the body is over {limit} bytes")

    def _full(self) -> Refusal:
        """The newest is turned away: those whose bodies are here already go on."""
        self.server.shed += 1
        return self._stop(503, "overloaded", "the gateway holds as many requests as it may")

    def _slow(self, message: str) -> None:
        if self._phase == _FRESH:
            self._close()
        else:
            self._refuse(Refusal(408, "request_timeout", message))

    def _refuse(self, refusal: Refusal) -> None:
        """Answer in turn and close; what still arrives is read for a moment and dropped.

        Closing with unread bytes would make the kernel send RST, which can overtake the answer.
        """
        self._spool = None
        if self._current is not None or self._waiting:
            self._refusal = refusal
            self._phase = _DEAF
            self._linger_left = _LINGER_BYTES
            return
        self.server.told(refusal.code)
        kind = "server_error" if refusal.status >= 500 else "invalid_request_error"
        body = error_body(refusal.message, kind=kind, code=refusal.code)
        headers = [(b"content-type", b"application/json")]
        if refusal.status == 503:
            headers.append((b"retry-after", b"1"))
        framing = b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        if self.server.lines is not None:
            # A page must be able to read its error: as far as its request's head was read.
            framing = self.server.lines(getattr(self, "_headers", {})) + framing
        self.transport.write(render_head(refusal.status, self.server.date, headers, framing) + body)
        self._close()

    def _close(self) -> None:
        """Close for writing at once, for reading when the client has closed or a moment passed."""
        self._phase = _REFUSED
        self._since = self.server.now
        self._linger_left = _LINGER_BYTES
        if self._eof or not self.transport.can_write_eof():
            self.transport.close()
        else:
            self.transport.write_eof()
            if self._held:
                self._held = b""
                self.transport.resume_reading()

    def _probe(self) -> None:
        """Find out whether the client closed both ways, which a FIN alone does not say.

        An interim `100 Continue` is legal before any final answer and skipped by a client that
        still reads; from one that is gone it fetches an RST. A stream of events has comments.
        """
        current = self._current
        if self._phase >= _REFUSED or self.transport.is_closing():
            return
        if current is None or not current._modern:
            return
        if not current.started:
            self.transport.write(_CONTINUE)
        elif not current.sign_of_life():
            return
        self._loop.call_later(_PROBE_S, self._after_probe)

    def _probe_stream(self) -> None:
        """Once a second: an engine that says nothing must not work for a client that is gone."""
        if self._peer_is_gone():
            self.transport.abort()
        elif self._current is not None:
            self._current.sign_of_life()

    def _after_probe(self) -> None:
        if self._phase < _CLOSED and self._current is not None and self._peer_is_gone():
            self.transport.abort()

    def _peer_is_gone(self) -> bool:
        raw: Any = self.transport.get_extra_info("socket")
        if raw is None or raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return True
        info = getattr(socket, "TCP_INFO", None)
        if info is None or raw.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        state: int = raw.getsockopt(socket.IPPROTO_TCP, info, 1)[0]
        return state == _TCP_CLOSE

    def _lose(self, exchange: Exchange) -> None:
        exchange.gone = True
        if not exchange._ended:
            exchange._ended = True
            self.server.unspawn(exchange)


def _size(headers: dict[bytes, bytes]) -> int:
    return sum(map(len, headers)) + sum(map(len, headers.values())) + 4 * len(headers)


METHODS = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
}
_SINGLE = frozenset((b"host", b"content-length", b"transfer-encoding"))
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# Of `_phase`. Deaf: a refusal waits for the answers before it. Refused: said, reading out the rest.
_FRESH, _IDLE, _HEAD, _BODY, _DEAF, _REFUSED, _CLOSED = range(7)
_SLICE = 4096  # a usual request fits one; of the smallest ones, two hundred
_FRAMING_BYTES = 64 * 1024
_LINGER_S = 2.0
_LINGER_BYTES = 4 * 1024 * 1024
_PROBE_S = 0.05
_TCP_CLOSE = 7
