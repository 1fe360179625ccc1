"""The connections of one origin: made, kept, handed out in order, retired; `http_dial` connects."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from pointsman.backends.http_dial import DialError, connect, literal_address, tunnel
from pointsman.backends.http_origin import Origin
from pointsman.backends.http_tls import handshake_failure
from pointsman.backends.http_wire import WireConnection, WireError
from pointsman.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from pointsman.backends.http_pool import HttpPool


class Lane:
    """The connections of one origin.

    `open` counts connections made or being made, and places promised to a waiter; each is given
    back exactly once, in `_free`.
    """

    def __init__(self, pool: "HttpPool", origin: Origin) -> None:
        self.open = 0
        self.idle: list[WireConnection] = []  # the most recently used last
        self.waiters: deque[asyncio.Future[WireConnection | None]] = deque()
        self._pool = pool
        self._origin = origin
        self._proxy = origin.way.proxy if origin.way is not None else None
        self._host, self._port = origin.host, origin.port  # whom we connect to
        if self._proxy is not None:
            self._host, self._port = self._proxy.host, self._proxy.port
        self._is_name = literal_address(self._host, self._port) is None
        self._addresses: frozenset[str] | None = None  # the latest answer for the name
        self._resolved_at = 0.0
        self._refreshing: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time  # monotonic seconds
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
        if self._closed or connection.retired:
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
        due = self._loop.time() - self._resolved_at >= self._pool.dns_refresh_s
        if due and self._is_name and self.idle and self._refreshing is None:
            self._refreshing = self._loop.create_task(self._refresh())

    def close(self) -> None:
        """Close everything, refuse who waits."""
        self._closed = True
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_exception(WireError("refused", "the pool is closing"))
        self.waiters.clear()
        if self._refreshing is not None:
            self._refreshing.cancel()
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
        connection = WireConnection(self, self._loop)
        try:
            await self._dial(connection)
        except BaseException as error:
            connection.abort()
            self._uncount(connection)  # uvloop may never call `connection_lost` here
            if isinstance(error, TimeoutError):
                raise
            if isinstance(error, OSError | UnicodeError | DialError | ConfigurationError):
                raise WireError("refused", self._why(error)) from error
            raise
        if self._closed:
            connection.abort()
            raise WireError("refused", "the pool is closing")
        if not connection.closed:
            self._made.add(connection)
        return connection

    async def _dial(self, connection: WireConnection) -> None:
        """Resolve, connect, pass the proxy, shake hands: the transport is the connection's."""
        origin, secure = self._origin, self._origin.scheme == "https"
        said = origin.way.tls if origin.way is not None else None
        context = self._pool.contexts.of(said) if secure else None
        addresses = await self._pool.resolve(self._host, self._port)
        self._heard({each.host for each in addresses})
        if not addresses:
            raise DialError(f"{self._host} has no address")
        raw, connection.address = await connect(addresses, delay_s=self._pool.next_address_s)
        try:
            if self._proxy is not None and secure:
                await tunnel(raw, self._proxy, _with_port(origin))
            name = said.server_name if said is not None else None
            await self._loop.create_connection(
                lambda: connection,
                sock=raw,
                ssl=context,
                server_hostname=(name or origin.host) if secure else None,
            )
        except BaseException:
            raw.close()
            raise

    def _why(self, error: Exception) -> str:
        if isinstance(error, ConfigurationError):
            return error.sentence
        why = handshake_failure(error) if isinstance(error, OSError) else str(error)
        through = self._proxy is not None and isinstance(error, DialError)
        return f"the proxy {self._host}:{self._port}: {why}" if through else why

    async def _refresh(self) -> None:
        """Ask again what the name means, for connections that would otherwise be kept for ever."""
        try:
            async with asyncio.timeout(_REFRESH_S):
                addresses = await self._pool.resolve(self._host, self._port)
        except (OSError, UnicodeError):  # a name server that is away retires nothing
            self._resolved_at = self._loop.time()
        else:
            self._heard({each.host for each in addresses})
        finally:
            self._refreshing = None

    def _heard(self, addresses: set[str]) -> None:
        """What the name means now: connections to what it no longer means serve no new request."""
        now = self._loop.time()
        if not self._is_name or not addresses:
            return
        due = self._addresses is None or now - self._resolved_at >= self._pool.dns_refresh_s
        if not due:
            return
        self._resolved_at, self._addresses = now, frozenset(addresses)
        for connection in list(self._made):
            connection.retired = connection.address not in addresses
        for connection in [idle for idle in self.idle if idle.retired]:
            connection.abort()

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


def _with_port(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return f"{host}:{origin.port}"


_REFRESH_S = 10.0
