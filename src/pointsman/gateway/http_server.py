"""The HTTP/1.1 server of the door: listens, bounds, times out, drains; `http_connection` speaks."""

import asyncio
import logging
import socket
import ssl as tls
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pointsman.gateway.http_connection import Connection
from pointsman.gateway.http_exchange import Exchange, Handler
from pointsman.gateway.http_message import (
    Headers,
    HttpLimits,
    Request,
    date_line,
    error_body,
)
from pointsman.gateway.http_spool import Spooling
from pointsman.gateway.listening import BACKLOG, addresses, bind

__all__ = ["Exchange", "Handler", "Headers", "HttpLimits", "HttpServer", "Request", "error_body"]

log = logging.getLogger(__name__)
Certificates = Callable[[], tls.SSLContext]
Lines = Callable[[Mapping[bytes, bytes]], bytes]


class HttpServer:
    """Serves `handler`, one task per request. Construct and use inside a running loop."""

    def __init__(
        self,
        handler: Handler,
        *,
        limits: HttpLimits | None = None,
        lines: Lines | None = None,
        told: Callable[[str], None] = lambda _: None,
        spools: Mapping[bytes, Spooling] = MappingProxyType({}),
    ) -> None:
        """Args: lines gives whole header lines for every answer, from its request's headers; told
        hears the code of each error that is told to a client without the handler; spools says,
        by target, where bodies of a POST go instead of the memory.
        """
        self.limits = limits or HttpLimits()
        self.lines = lines
        self.told = told
        self.spools = spools
        self.loop = asyncio.get_running_loop()
        self.draining = False
        self.requests = 0  # received whole since the start
        self.buffered = 0  # bytes of bodies that are held now
        self.shed = 0  # requests turned away because of them, since the start
        self.now = self.loop.time()  # coarse: moved on once a second
        self.date = date_line()
        self._handler = handler
        self._servers: list[asyncio.Server] = []
        self._lent: dict[socket.socket, asyncio.Server] = {}
        self._context: tls.SSLContext | None = None
        self._listeners: list[socket.socket] = []
        self._certificates: Certificates | None = None
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
        certificates: Certificates | None = None,
    ) -> list[tuple[str, int]]:
        """Listen on `sockets`, or on host and port; the addresses bound. UNIX sockets have port 0.

        Args: certificates reads what TLS shows; without it we speak plain HTTP.
        Raises: OSError if an address is taken; ConfigurationError from `certificates`.
        """
        self._certificates = certificates
        context = self._context = certificates() if certificates is not None else None
        self._listeners = list(sockets) or bind([host or "127.0.0.1"], port, reuse_port=reuse_port)
        self._servers = await self._listen(context)
        self._sweep()
        return addresses(self._listeners)

    async def reload_certificates(self) -> None:
        """Read what TLS shows and trusts anew, for connections to come; those there are stay.

        Raises: ConfigurationError, and everything stays as it was.
        """
        if self._certificates is None or self.draining:
            return
        context = await asyncio.to_thread(self._certificates)
        if self.draining:
            return
        # Who connects between the two waits in the kernel's queue.
        self._context = context
        for server in self._servers:
            server.close()
        self._servers = await self._listen(context)
        lent = list(self._lent)
        await self.lend([])
        await self.lend(lent)

    async def lend(self, listeners: Sequence[socket.socket]) -> None:
        """Accept on these as well, whose own process is gone, and on no others lent before."""
        for listener in [each for each in self._lent if each not in listeners]:
            self._lent.pop(listener).close()
        for listener in listeners:
            if listener not in self._lent and not self.draining:
                self._lent[listener] = await self._serve(listener, self._context)

    async def _listen(self, context: tls.SSLContext | None) -> list[asyncio.Server]:
        return [await self._serve(listener, context) for listener in self._listeners]

    async def _serve(
        self, listener: socket.socket, context: tls.SSLContext | None
    ) -> asyncio.Server:
        """A server on a duplicate of the listener, so that it can be replaced."""
        how: dict[str, object] = {"backlog": BACKLOG, "ssl": context}
        if context is not None:
            how["ssl_handshake_timeout"] = self.limits.header_timeout_s
        unix = listener.family == socket.AF_UNIX
        create: Any = self.loop.create_unix_server if unix else self.loop.create_server
        made: asyncio.Server = await create(self._connect, sock=listener.dup(), **how)
        return made

    async def drain(self, timeout_s: float) -> None:
        """Accept no more, let what is in flight end, cancel what has not after `timeout_s`."""
        self.draining = True
        for server in (*self._servers, *self._lent.values()):
            server.close()
        self._lent.clear()
        for listener in self._listeners:
            listener.close()
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
_MAX_SURPLUS = 256
_GRACE_S = 1.0
