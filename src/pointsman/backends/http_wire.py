"""One upstream connection: a request out, an answer in with its flow control; no pooling."""

import asyncio
import socket
import ssl as tls
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Literal, Self, cast

import httptools

from pointsman.backends.http_tls import handshake_failure

if TYPE_CHECKING:
    from pointsman.backends.http_lane import Lane

Headers = Sequence[tuple[bytes, bytes]]
Taker = Callable[[bytes], bool]  # True: no more for now
WireFailure = Literal[
    "refused",
    "connect_timeout",
    "first_token_timeout",
    "between_tokens_timeout",
    "cut",
    "malformed",
    "too_large",
]


class WireError(Exception):
    """An upstream gave no proper answer; `kind` is one of the record's failure kinds."""

    def __init__(self, kind: WireFailure, detail: str) -> None:
        super().__init__(kind, detail)
        self.kind: WireFailure = kind
        self.detail = detail


class StaleConnection(Exception):
    """A kept connection had been closed by the upstream: nothing of an answer was read."""


class UpstreamResponse:
    """An answer whose head has arrived. Read it to its end, or `abort` or `release` it.

    Bytes wait here up to a bound; beyond it the upstream is not read from. A cancelled read
    aborts. Use as a context manager to abort whatever was not read.
    """

    __slots__ = (
        "_connection",
        "_ended",
        "_error",
        "_got_any",
        "_queue",
        "_queued",
        "_taker",
        "_trouble",
        "_waiter",
        "headers",
        "status",
    )

    def __init__(self, connection: "WireConnection") -> None:
        self._connection = connection
        self._queue: list[bytes] = []
        self._queued = 0
        self._ended = False
        self._got_any = False
        self._error: WireError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._taker: Taker | None = None  # of what arrives: see `flow`
        self._trouble: BaseException | None = None  # that it had
        self.status = 0
        self.headers: dict[bytes, bytes] = {}

    async def next_chunk(self, timeout_s: float) -> bytes | None:
        """What has arrived since, joined; None at the proper end.

        Raises: WireError: `first_token_timeout` before the first byte of the body,
        `between_tokens_timeout` after it, `cut`, `malformed`.
        """
        connection = self._connection
        while not self._queue:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            waiter = self._waiter = connection.loop.create_future()
            connection._deadline_kind = (
                "between_tokens_timeout" if self._got_any else "first_token_timeout"
            )
            connection._until(timeout_s)
            try:
                await waiter
            except asyncio.CancelledError:
                self.abort()
                raise
            finally:
                self._waiter = None
                if connection._response is self:  # else another has it by now, and a wait
                    connection.deadline = 0.0
        return self._take()

    async def flow(self, take: "Taker", *, timeout_s: float, left_s: float) -> bool:
        """Give what arrives to `take` at once, in the turn of the loop that it arrives in.

        Args: timeout_s is for each wait, left_s for all together. Returns: True as soon as `take`
            said True, False at the proper end. Raises: WireError as `next_chunk`, and what `take`
            raises.
        """
        connection = self._connection
        connection.flow_by, connection.flow_wait_s = connection.loop.time() + left_s, timeout_s
        while True:
            if self._queue and take(self._take()):
                return True
            if self._ended:
                if self._error is not None:
                    raise self._error
                return False
            connection._deadline_kind = (
                "between_tokens_timeout" if self._got_any else "first_token_timeout"
            )
            connection.wait_on()
            waiter = self._waiter = connection.loop.create_future()
            self._taker = take
            try:
                await waiter
            except asyncio.CancelledError:
                self.abort()
                raise
            finally:
                told = self._taker is None
                self._waiter = self._taker = None
                if connection._response is self:  # else another has it by now, and a wait
                    connection.deadline = 0.0
            if self._trouble is not None:
                trouble, self._trouble = self._trouble, None
                raise trouble
            if told:
                return True

    def hand_over(self) -> None:
        """To `take`, for as long as it wants more; then whoever awaits `flow` goes on."""
        taker = self._taker
        assert taker is not None, "somebody takes what arrives"
        queue = self._queue
        data = queue[0] if len(queue) == 1 else b"".join(queue)
        queue.clear()
        self._queued = 0
        try:
            if not taker(data):
                return
        except BaseException as trouble:  # it is of whoever awaits, not of the connection
            self._trouble = trouble
        self._taker = None
        self.wake()

    async def read(self, *, limit: int, timeout_s: float) -> bytes:
        """The whole rest of the body. Raises: WireError; `too_large` over `limit` bytes."""
        loop = self._connection.loop
        if self._ended and self._error is None and self._queued <= limit:
            return self._take() if self._queue else b""  # the usual case: it all came at once
        parts: list[bytes] = []
        size, deadline = 0, loop.time() + timeout_s
        length = self.headers.get(b"content-length")
        if length is not None and int(length) > limit:
            self.abort()
            raise WireError("too_large", f"the answer is over {limit} bytes")
        while (chunk := await self.next_chunk(deadline - loop.time())) is not None:
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                self.abort()
                raise WireError("too_large", f"the answer is over {limit} bytes")
        return b"".join(parts)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Chunks as they arrive, without a time limit of their own."""
        while (chunk := await self.next_chunk(_FOREVER_S)) is not None:
            yield chunk

    def abort(self) -> None:
        """Close the connection at once, so that the upstream stops. Nothing once it has ended."""
        if not self._ended:
            self._ended = True
            self._error = WireError("cut", "aborted by us")
            self._connection.abort()
            self.wake()

    def release(self) -> None:
        """No more is wanted. The rest is read and dropped if it is small and comes at once.

        For an SSE answer read to `[DONE]`, whose last chunk header is still under way.
        """
        self._queue.clear()
        self._queued = 0
        if not self._ended:
            self._connection.drop_rest()

    @property
    def ended(self) -> bool:
        """Nothing more will arrive (what did may still wait to be read)."""
        return self._ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def _take(self) -> bytes:
        queue = self._queue
        chunk = queue[0] if len(queue) == 1 else b"".join(queue)
        queue.clear()
        self._queued = 0
        if self._connection.paused:
            self._connection.resume(self)
        return chunk

    # What the connection tells us.

    def end(self, error: WireError | None = None) -> None:
        """The answer has ended, properly or by `error`."""
        if not self._ended:
            self._ended = True
            self._error = error

    def wake(self) -> None:
        """Let a reader look."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class WireConnection(asyncio.Protocol):
    """Speaks HTTP/1.1 to one upstream, one exchange at a time. The lane keeps and hands it out."""

    _headers: dict[bytes, bytes]
    _raw: int  # bytes received for this answer
    _got: int  # bytes of body among them
    _interim: int
    _headed: bool  # the final head has arrived
    _complete: bool
    _keep: bool  # the connection may be used again
    _to_the_end: bool  # the body ends with the connection
    _has_body: bool  # False for HEAD
    _sent_at: float
    _silent: bool  # not one byte has arrived
    _trouble: WireError | None
    _dropping: int  # bytes that may still be dropped; −1: the answer is wanted

    def __init__(self, lane: "Lane", loop: asyncio.AbstractEventLoop) -> None:
        self.lane = lane
        self.loop = loop
        self.closed = False
        self.retired = False  # the upstream's name no longer means `address`
        self.address = ""  # that we are connected to
        self.counted = True  # in the lane's `open`; ours to give back
        self.paused = False  # reading is, as too much waits
        self.served = 0  # answers read to their end
        self.idle_since = 0.0
        self.deadline = 0.0  # of the wait under way; 0: none
        self.flow_by = self.flow_wait_s = 0.0  # of an answer that flows: its end, and each wait
        self.transport: asyncio.Transport | None = None
        self._deadline_kind: WireFailure = "cut"
        self._timer: asyncio.TimerHandle | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._response: UpstreamResponse | None = None
        self._head: asyncio.Future[UpstreamResponse] | None = None
        self._eof = False
        self._reset()

    # What the pool asks of us.

    async def exchange(
        self, request: bytes, body: bytes, *, has_body: bool, timeout_s: float
    ) -> UpstreamResponse:
        """Send a request; its answer once the head has arrived.

        Raises: WireError; StaleConnection where a kept connection died without one byte.
        """
        transport = self.transport
        if self.closed or transport is None or transport.is_closing():
            raise StaleConnection
        self._reset()
        self._has_body = has_body
        self._response = UpstreamResponse(self)
        head: asyncio.Future[UpstreamResponse] = self.loop.create_future()
        self._head = head
        if not body:
            transport.write(request)
        elif len(body) <= _JOIN_BYTES:
            transport.write(request + body)
        else:
            transport.writelines((request, body))
        self._deadline_kind = "first_token_timeout"
        self._until(timeout_s)
        self._sent_at = self.deadline - timeout_s
        try:
            return await head
        except asyncio.CancelledError:
            if self._head is head:
                self.abort()
            elif head.done() and not head.cancelled() and head.exception() is None:
                head.result().abort()  # it had arrived; the connection may serve another by now
            raise

    def abort(self) -> None:
        """Close now; the lane hears of it when the transport has gone."""
        if self.transport is not None:
            self.transport.abort()

    # What a response asks of us.

    def wait_on(self) -> None:
        """Time the wait for more of an answer that flows."""
        now = self.loop.time()
        deadline = now + self.flow_wait_s
        if deadline > self.flow_by:
            deadline = self.flow_by
        timer = self._timer
        if timer is not None and timer.when() <= deadline:
            self.deadline = deadline
        else:
            self._until(deadline - now)

    def resume(self, response: UpstreamResponse) -> None:
        """The reader has taken what waited."""
        if self._response is response and self.transport is not None:
            self.paused = False
            self.transport.resume_reading()

    def drop_rest(self) -> None:
        """Read the answer to its end for no one, within a bound; then the lane has us back."""
        self._dropping = _DROP_BYTES
        self._deadline_kind = "cut"
        self._until(_DROP_S)
        if self.paused and self.transport is not None:
            self.paused = False
            self.transport.resume_reading()

    # What the transport tells us.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if not self.counted:  # the connect was given up meanwhile
            self.abort()
            return
        raw: socket.socket | None = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:  # bytes that answer nothing
            self.abort()
            return
        self._raw += len(data)
        self._silent = False
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._complete:  # what came behind a whole answer costs the connection alone
                self._keep = False
                self._finish(response)
            else:
                self._break(self._trouble or WireError("malformed", f"not HTTP/1.1: {error}"))
            return
        if response._taker is not None and response._queue:
            response.hand_over()
        if self._complete:
            self._finish(response)
        elif not self._headed:
            if self._raw > 2 * _MAX_HEAD_BYTES:
                self._break(WireError("malformed", "the head of the answer is too large"))
                return
        elif self._raw > _FRAMING_BYTES + 8 * self._got:
            self._break(WireError("malformed", "more framing than body"))
            return
        elif response._queued > _QUEUE_BYTES and not self.paused and self.transport is not None:
            self.paused = True
            self.transport.pause_reading()
        if response._taker is not None:
            if not self._complete:
                self.wait_on()
            return
        waiter = response._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def eof_received(self) -> bool:
        self._eof = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        response = self._response
        if response is not None:
            if self._headed and self._to_the_end and self._eof and exc is None:
                self._finish(response)
            elif self._is_stale():
                self._fail_head(StaleConnection())
            elif self._silent and isinstance(exc, tls.SSLError):
                # In TLS 1.3 the upstream judges our certificate after the handshake.
                self._break(WireError("refused", handshake_failure(exc)))
            else:
                self._break(WireError("cut", f"closed before the answer's end{_why(exc)}"))
        self._response = None
        self.lane.lost(self)

    # What the parser tells us.

    def on_message_begin(self) -> None:
        if self._complete:
            raise self._wrong("bytes after the end of the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._headed:  # a trailer
            return
        headers = self._headers
        name = name.lower()
        if name in headers:
            headers[name] += b", " + value.strip()
            if len(headers[name]) > _MAX_HEAD_BYTES:
                raise self._wrong("the head of the answer is too large")
        else:
            headers[name] = value.strip()

    def on_headers_complete(self) -> None:
        parser = self._parser
        status = parser.get_status_code()
        if status < 200:
            self._interim += 1
            self._headers = {}
            if status == 101 or self._interim > _MAX_INTERIM:
                raise self._wrong(f"an interim answer {status} that was not asked for")
            return
        headers = self._headers
        if (
            self._raw > _MAX_HEAD_BYTES < sum(map(len, headers.values()))
            or len(headers) > _MAX_HEADERS
        ):
            raise self._wrong("the head of the answer is too large")
        self._headed = True
        self._keep = parser.should_keep_alive() and self._has_body
        if not self._keep or b"connection" in headers:  # else it is 1.1: 1.0 would have to ask
            version = parser.get_http_version()
            if version not in ("1.1", "1.0"):
                raise self._wrong(f"an answer in HTTP/{version}")
        coding = headers.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            raise self._wrong("an unknown transfer coding")
        bodiless = status in (204, 304) or not self._has_body
        self._to_the_end = not bodiless and coding is None and b"content-length" not in headers
        if not self._has_body:
            self._complete = True
        response = self._response
        assert response is not None, "bytes without a request are not parsed"
        response.status = status
        response.headers = headers
        head, self._head = self._head, None
        self.deadline = 0.0
        if head is not None and not head.done():
            head.set_result(response)

    def on_body(self, data: bytes) -> None:
        self._got += len(data)
        if self._dropping >= 0:
            self._dropping -= len(data)
            if self._dropping < 0:
                raise self._wrong("more of the answer came than is worth dropping")
        else:
            response = self._response
            assert response is not None, "bytes without a request are not parsed"
            response._queue.append(data)
            response._queued += len(data)
            response._got_any = True

    def on_message_complete(self) -> None:
        if self._headed:
            self._complete = True

    # Inside.

    def _reset(self) -> None:
        """Before an exchange."""
        self._headers = {}
        self._raw = self._got = self._interim = 0
        self._headed = self._complete = self._keep = self._to_the_end = False
        self._has_body = self._silent = True
        self._trouble = None
        self._dropping = -1

    def _is_stale(self) -> bool:
        """Whether a kept connection was closed by the upstream before it saw the request.

        Told by silence and time: an upstream that dies after a while was at work.
        """
        soon = self.loop.time() - self._sent_at < _RACE_S
        return soon and self._silent and self.served > 0 and self._head is not None

    def _finish(self, response: UpstreamResponse) -> None:
        """The answer is complete: back to the lane, or closed."""
        self._response = None
        self.deadline = 0.0
        self.served += 1
        response._ended = True
        if response._waiter is not None:
            response.wake()
        transport = self.transport
        if transport is None or self.closed:
            return
        if self.paused:
            self.paused = False
            transport.resume_reading()
        if self._keep and not self._eof and not transport.get_write_buffer_size():
            self.lane.give(self)
        else:
            transport.abort()

    def _break(self, error: WireError) -> None:
        """The answer is worth nothing, or no more: tell whoever waits, and close."""
        response, self._response = self._response, None
        self.deadline = 0.0
        if response is not None:
            response.end(error)
            response.wake()
        self._fail_head(error)
        if not self.closed:
            self.abort()

    def _fail_head(self, error: Exception) -> None:
        head, self._head = self._head, None
        if head is not None and not head.done():
            head.set_exception(error)

    def _wrong(self, detail: str) -> WireError:
        """To be raised in a parser's callback: stops it; `data_received` breaks."""
        self._trouble = WireError("malformed", detail)
        return self._trouble

    def _until(self, timeout_s: float) -> None:
        """One timer per connection, moved only when it would ring too late: waits are hot."""
        self.deadline = deadline = self.loop.time() + timeout_s
        timer = self._timer
        if timer is not None:
            if timer.when() <= deadline:
                return
            timer.cancel()
        self._timer = self.loop.call_at(deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        deadline = self.deadline
        if not deadline or self.closed:
            return
        if self.loop.time() < deadline:
            self._timer = self.loop.call_at(deadline, self._ring)
            return
        self._break(WireError(self._deadline_kind, "nothing came in time"))


def _why(exc: Exception | None) -> str:
    return f": {exc}" if exc is not None else ""


_JOIN_BYTES = 64 * 1024  # copying less than this is cheaper than a second buffer
_QUEUE_BYTES = 256 * 1024  # waiting for the reader, beyond which the upstream waits
_MAX_HEAD_BYTES = 64 * 1024  # of values; as much again and one read while it is incomplete
_MAX_HEADERS = 256
_FRAMING_BYTES = 256 * 1024
_MAX_INTERIM = 16
_DROP_BYTES = 64 * 1024
_DROP_S = 1.0
_RACE_S = 1.0  # several round trips: the keep-alive race is lost within one
_FOREVER_S = 86400.0
