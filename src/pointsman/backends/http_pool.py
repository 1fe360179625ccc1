"""Connections to upstreams: made, kept, handed out in order, bounded; `http_wire` speaks."""

import asyncio
import ssl as tls
from collections import deque
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from pointsman.backends.http_wire import (
    Headers,
    StaleConnection,
    UpstreamResponse,
    WireConnection,
    WireError,
    WireFailure,
)

__all__ = ["HttpPool", "Origin", "UpstreamResponse", "WireError", "WireFailure"]


class Origin(NamedTuple):
    """Where an upstream is: `http://host:port/base_path`, the path without a slash at its end."""

    scheme: str
    host: str  # an IPv6 literal without its brackets
    port: int
    base_path: str = ""

    @classmethod
    def parse(cls, base_url: str) -> "Origin":
        """The origin of a base URL. Raises: ValueError for what is not http(s)://host[:port]/…."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http address: {base_url}")
        if parts.query or parts.fragment or parts.username is not None:
            raise ValueError(f"a base URL is scheme, host, port and path alone: {parts.hostname}")
        if any(ord(character) <= 32 or ord(character) > 126 for character in base_url):
            raise ValueError("a base URL holds no spaces, control or non-ASCII characters")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """The Host header: the port is left out where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.scheme == "https" else 80)
        return host if usual else f"{host}:{self.port}"


class HttpPool:
    """Keeps connections by origin. The most recently used is taken first; waiting is in order.

    One request is repeated, once: when a *kept* connection closes with not one byte of an answer
    read, within a second. A server may close an idle connection just as we send; without the
    repeat each such race would be an error. A fresh connection that does the same is an error,
    since the server may have acted. The race cannot be told for certain from a server that dies
    at work on a kept connection, so such a request may run twice; it answers once.
    """

    def __init__(
        self,
        *,
        max_connections_per_origin: int = 512,
        max_idle_per_origin: int = 64,
        max_waiting_per_origin: int = 4096,
        idle_timeout_s: float = 30.0,
        ca_file: str | None = None,
    ) -> None:
        self.max_connections = max_connections_per_origin
        self.max_idle = max_idle_per_origin
        self.max_waiting = max_waiting_per_origin
        self.idle_timeout_s = idle_timeout_s
        self._ca_file = ca_file
        self._tls: tls.SSLContext | None = None
        self._lanes: dict[tuple[str, str, int], Lane] = {}
        self.timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def request(
        self,
        origin: Origin,
        method: bytes | str,
        target: str,
        headers: Headers,
        body: bytes,
        *,
        connect_timeout_s: float,
        first_byte_timeout_s: float,
    ) -> UpstreamResponse:
        """Send a request; its answer once the head has arrived.

        Args: `target` is a path below the origin's base path, with its query; `headers` without
        Host and Content-Length. `connect_timeout_s` covers the wait for a free connection too,
        `first_byte_timeout_s` begins when the request is written and ends with the answer's head.
        Raises: WireError; ValueError for a target or header that would break out of its line.
        """
        assert not self._closed, "the pool is closed"
        verb = method if isinstance(method, bytes) else method.encode()
        head = _head(origin, verb, target, headers, body)
        has_body = verb != b"HEAD"
        lane = self._lane(origin)
        connection = lane.take()
        if connection is None:
            connection = await lane.wait_or_connect(connect_timeout_s)
        try:
            return await connection.exchange(
                head, body, has_body=has_body, timeout_s=first_byte_timeout_s
            )
        except StaleConnection:
            connection = await lane.wait_or_connect(connect_timeout_s, fresh=True)
        try:
            return await connection.exchange(
                head, body, has_body=has_body, timeout_s=first_byte_timeout_s
            )
        except StaleConnection:
            raise WireError("cut", "closed without an answer, twice") from None

    async def close(self) -> None:
        """Close every connection, used or idle; those waiting are refused."""
        self._closed = True
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        for lane in self._lanes.values():
            lane.close()
        for lane in self._lanes.values():
            await lane.closed()

    @property
    def open_connections(self) -> int:
        """Connections made or being made."""
        return sum(lane.open for lane in self._lanes.values())

    @property
    def idle_connections(self) -> int:
        """Connections kept for the next request."""
        return sum(len(lane.idle) for lane in self._lanes.values())

    @property
    def waiting(self) -> int:
        """Requests waiting for a connection."""
        return sum(len(lane.waiters) for lane in self._lanes.values())

    # What lanes ask of us.

    def tls_context(self) -> tls.SSLContext:
        """Verifies certificate and name; made when first needed."""
        if self._tls is None:
            self._tls = tls.create_default_context(cafile=self._ca_file)
        return self._tls

    def watch_idle(self) -> None:
        """See to it that idle connections are closed in time."""
        if self.timer is None and not self._closed:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(max(0.05, self.idle_timeout_s / 4), self._reap)

    # Inside.

    def _lane(self, origin: Origin) -> "Lane":
        key = (origin.scheme, origin.host, origin.port)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(self, origin)
        return lane

    def _reap(self) -> None:
        self.timer = None
        before = asyncio.get_running_loop().time() - self.idle_timeout_s
        for lane in self._lanes.values():
            lane.reap(before)
        if any(lane.idle for lane in self._lanes.values()):
            self.watch_idle()


class Lane:
    """The connections of one origin.

    `open` counts connections made or being made, and places promised to a waiter; each is given
    back exactly once, in `_free`.
    """

    def __init__(self, pool: HttpPool, origin: Origin) -> None:
        self.open = 0
        self.idle: list[WireConnection] = []  # the most recently used last
        self.waiters: deque[asyncio.Future[WireConnection | None]] = deque()
        self._pool = pool
        self._origin = origin
        self._loop = asyncio.get_running_loop()
        self._made: set[WireConnection] = set()
        self._closed = False
        self._empty = asyncio.Event()

    def take(self) -> WireConnection | None:
        """An idle connection, the most recently used; it may turn out to be closing."""
        return self.idle.pop() if self.idle else None

    async def wait_or_connect(self, timeout_s: float, *, fresh: bool = False) -> WireConnection:
        """A new connection, or where there are too many, the first to come free.

        Raises: WireError, `connect_timeout` or `refused`.
        """
        deadline = self._loop.time() + timeout_s
        try:
            async with asyncio.timeout_at(deadline):
                while self.open >= self._pool.max_connections:
                    connection = await self._next_free()
                    if connection is None:
                        return await self._connect()
                    if not connection.closed and not fresh:
                        return connection
                    connection.abort()
                self.open += 1
                return await self._connect()
        except TimeoutError:
            detail = f"no connection within {timeout_s:g} s ({self.open} open)"
            raise WireError("connect_timeout", detail) from None

    def give(self, connection: WireConnection) -> None:
        """An answer was read to its end: on to the next in line, or to the idle ones."""
        if self._closed:
            connection.abort()
            return
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if len(self.idle) >= self._pool.max_idle:
            connection.abort()
            return
        connection.idle_since = self._loop.time()
        self.idle.append(connection)
        if self._pool.timer is None:
            self._pool.watch_idle()

    def lost(self, connection: WireConnection) -> None:
        """A connection has closed."""
        self._made.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        self._uncount(connection)

    def reap(self, before: float) -> None:
        """Close what has been idle since then."""
        for connection in [idle for idle in self.idle if idle.idle_since < before]:
            connection.abort()

    def close(self) -> None:
        """Close everything, refuse who waits."""
        self._closed = True
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_exception(WireError("refused", "the pool is closing"))
        self.waiters.clear()
        for connection in list(self._made):
            connection.abort()
        if not self.open:
            self._empty.set()

    async def closed(self) -> None:
        """Return once every connection has gone."""
        await self._empty.wait()

    async def _next_free(self) -> WireConnection | None:
        """The first connection to come free, or None for a free place to make one."""
        if len(self.waiters) >= self._pool.max_waiting:
            raise WireError("connect_timeout", f"{len(self.waiters)} requests wait already")
        waiter: asyncio.Future[WireConnection | None] = self._loop.create_future()
        self.waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._pass_on(waiter.result())
            elif waiter in self.waiters:
                self.waiters.remove(waiter)
            raise

    def _pass_on(self, connection: WireConnection | None) -> None:
        """What was promised to one that no longer wants it."""
        if connection is None:
            self._free()
        elif not connection.closed:
            self.give(connection)

    async def _connect(self) -> WireConnection:
        """A new connection; the place for it is already counted in `open`."""
        origin, secure = self._origin, self._origin.scheme == "https"
        connection = WireConnection(self, self._loop)
        try:
            await self._loop.create_connection(
                lambda: connection,
                origin.host,
                origin.port,
                ssl=self._pool.tls_context() if secure else None,
                server_hostname=origin.host if secure else None,
            )
        except BaseException as error:
            connection.abort()
            self._uncount(connection)  # uvloop may never call `connection_lost` here
            if isinstance(error, (OSError, UnicodeError)) and not isinstance(error, TimeoutError):
                raise WireError("refused", _said(error)) from error
            raise
        if self._closed:
            connection.abort()
            raise WireError("refused", "the pool is closing")
        if not connection.closed:
            self._made.add(connection)
        return connection

    def _uncount(self, connection: WireConnection) -> None:
        if connection.counted:
            connection.counted = False
            self._free()

    def _free(self) -> None:
        """A place is free: promise it to the first in line."""
        self.open -= 1
        if self._closed and not self.open:
            self._empty.set()
        while self.waiters and self.open < self._pool.max_connections:
            waiter = self.waiters.popleft()
            if not waiter.done():
                self.open += 1
                waiter.set_result(None)
                return


def _head(origin: Origin, verb: bytes, target: str, headers: Headers, body: bytes) -> bytes:
    parts = [_opening(origin, verb, target)]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    breaks = len(headers) + 3
    if body or verb not in (b"GET", b"HEAD"):
        parts.append(b"content-length: %d\r\n" % len(body))
        breaks += 1
    parts.append(b"\r\n")
    head = b"".join(parts)
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks:
        raise ValueError("a header of the request holds a line break")
    return head


@lru_cache(maxsize=1024)
def _opening(origin: Origin, verb: bytes, target: str) -> bytes:
    """Request line and Host."""
    path = origin.base_path + target
    if not path.startswith("/") or not path.isascii() or any(c <= " " or c == "\x7f" for c in path):
        raise ValueError(f"not a request target: {path!r}")
    return b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (verb, path.encode(), origin.authority.encode())


def _said(error: OSError | UnicodeError) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
