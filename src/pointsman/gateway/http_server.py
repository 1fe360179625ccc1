"""The HTTP/1.1 server of the door: listens, bounds, times out, drains; `http_connection` speaks."""

import asyncio
import logging
import socket
import ssl as tls
from collections.abc import Sequence

from pointsman.gateway.http_connection import Connection
from pointsman.gateway.http_exchange import Exchange, Handler
from pointsman.gateway.http_message import (
    Headers,
    HttpLimits,
    Request,
    date_line,
    error_body,
)

__all__ = ["Exchange", "Handler", "Headers", "HttpLimits", "HttpServer", "Request", "error_body"]

log = logging.getLogger(__name__)


class HttpServer:
    """Serves `handler`, one task per request. Construct and use inside a running loop."""

    def __init__(self, handler: Handler, *, limits: HttpLimits | None = None) -> None:
        self.limits = limits or HttpLimits()
        self.loop = asyncio.get_running_loop()
        self.draining = False
        self.requests = 0  # received whole since the start
        self.now = self.loop.time()  # coarse: moved on once a second
        self.date = date_line()
        self._handler = handler
        self._servers: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._surplus: set[Connection] = set()  # over max_connections, being told so
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._empty: asyncio.Event = asyncio.Event()

    @property
    def connections(self) -> int:
        """Open client connections."""
        return len(self._connections)

    @property
    def in_flight(self) -> int:
        """Handlers that have not returned."""
        return len(self._tasks)

    async def start(
        self,
        host: str | None = None,
        port: int = 0,
        *,
        sockets: Sequence[socket.socket] = (),
        reuse_port: bool = False,
        ssl: tls.SSLContext | None = None,
    ) -> list[tuple[str, int]]:
        """Listen on `sockets`, or on host and port; the addresses bound.

        Raises: OSError if an address is taken.
        """
        create = self.loop.create_server
        if sockets:
            for listener in sockets:
                self._servers.append(
                    await create(self._connect, sock=listener, backlog=_BACKLOG, ssl=ssl)
                )
        else:
            self._servers.append(
                await create(
                    self._connect,
                    host,
                    port,
                    backlog=_BACKLOG,
                    ssl=ssl,
                    reuse_port=reuse_port or None,
                )
            )
        self._sweep()
        return [
            (name[0], name[1]) if isinstance(name, tuple) else (name, 0)
            for server in self._servers
            for name in (listening.getsockname() for listening in server.sockets)
        ]

    async def drain(self, timeout_s: float) -> None:
        """Accept no more, let what is in flight end, cancel what has not after `timeout_s`."""
        self.draining = True
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.wind_down()
        if not await self._emptied(timeout_s):
            for connection in list(self._connections | self._surplus):
                connection.give_up()
            for task in list(self._tasks):
                task.cancel()
            if not await self._emptied(_GRACE_S):
                for connection in list(self._connections | self._surplus):
                    connection.transport.abort()
                await self._emptied(_GRACE_S)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # What connections ask of us.

    def admit(self, connection: Connection) -> bool:
        """Whether there is room; a connection over the bound is only told so."""
        if len(self._connections) < self.limits.max_connections:
            self._connections.add(connection)
            return True
        self._surplus.add(connection)
        if len(self._surplus) > _MAX_SURPLUS:
            connection.transport.abort()
        return False

    def forget(self, connection: Connection) -> None:
        """The connection is closed."""
        self._connections.discard(connection)
        self._surplus.discard(connection)
        self._tell_empty()

    def spawn(self, exchange: Exchange) -> asyncio.Task[None]:
        """The handler's task for a request."""
        task = self.loop.create_task(self._run(exchange))
        self._tasks.add(task)
        return task

    def unspawn(self, exchange: Exchange) -> None:
        """Cancel the handler's task; one that never began would not take itself off the list."""
        exchange._task.cancel()
        if not exchange._running:
            self._tasks.discard(exchange._task)

    # Inside.

    def _connect(self) -> Connection:
        return Connection(self)

    async def _run(self, exchange: Exchange) -> None:
        exchange._running = True
        try:
            await self._handler(exchange)
            if not exchange._ended:
                log.error("request %d: the handler returned without an answer", exchange.id)
                self._fail(exchange, 500, "internal_error", "the server gave no answer")
        except asyncio.CancelledError:
            self._fail(exchange, 503, "overloaded", "the server is shutting down")
            raise
        except Exception:
            log.exception("request %d: the handler failed", exchange.id)
            self._fail(exchange, 500, "internal_error", "the server had an error")
        finally:
            self._tasks.discard(exchange._task)
            if self.draining:
                self._tell_empty()

    def _fail(self, exchange: Exchange, status: int, code: str, message: str) -> None:
        if exchange._ended:
            return
        if exchange.started:
            exchange.abort()
            return
        exchange._keep = exchange._keep and status == 500
        body = error_body(message, kind="server_error", code=code)
        exchange.respond(status, ((b"content-type", b"application/json"),), body)

    def _sweep(self) -> None:
        self.now = now = self.loop.time()
        self.date = date_line()
        for connection in list(self._connections):
            connection.sweep(now)
        for connection in list(self._surplus):
            connection.sweep(now)
        self._timer = self.loop.call_later(SWEEP_S, self._sweep)

    def _tell_empty(self) -> None:
        if not self._connections and not self._surplus and not self._tasks:
            self._empty.set()

    async def _emptied(self, timeout_s: float) -> bool:
        self._empty.clear()
        self._tell_empty()
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True


SWEEP_S = 1.0
_BACKLOG = 2048
_MAX_SURPLUS = 256
_GRACE_S = 1.0
