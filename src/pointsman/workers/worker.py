"""One worker's process: an application and its door, until its supervisor says or is gone."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Sequence

from pointsman.app import Application, Prepared, record_configuration
from pointsman.domain.errors import PointsmanError, WorkerFailed
from pointsman.gateway.collecting import settle
from pointsman.gateway.door import Door
from pointsman.gateway.http_server import HttpLimits, HttpServer
from pointsman.gateway.listening import met
from pointsman.gateway.serving import (
    certificates_of,
    checked_wire,
    drain,
    started,
)
from pointsman.telemetry.logs import configure
from pointsman.workers.common import Commons
from pointsman.workers.messages import (
    Abort,
    Begin,
    Certificates,
    Commit,
    Count,
    Counted,
    Done,
    Drain,
    Failed,
    Find,
    Found,
    Hurry,
    Leaving,
    Lend,
    Message,
    News,
    Prepare,
    Pulse,
    Serving,
    TraceRow,
)
from pointsman.workers.peer import Peer

log = logging.getLogger("pointsman.workers")
PULSE_S = 1.0
_BEGIN_S = 60.0


class Worker:
    """Answers by what its supervisor tells it. It ends on Drain, on SIGTERM, and when the
    supervisor is gone, however that died: what runs is finished first."""

    def __init__(self) -> None:
        self._begun: asyncio.Future[Begin] = asyncio.get_running_loop().create_future()
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()
        self._app: Application | None = None
        self._server: HttpServer | None = None
        self._commons: Commons | None = None
        self._lent: Sequence[int] = ()
        self._lending = asyncio.Event()
        self._prepared: Prepared | None = None
        self._pulsed = b""

    async def run(self, end: socket.socket) -> int:
        """Exit code: 0 after a drain, that of the error where it could not start."""
        self._peer = await Peer.on(end, told=self._hear, asked=self._answer)
        hearing = asyncio.ensure_future(self._peer.run())
        hearing.add_done_callback(lambda done: self._stop.set())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop.set)
        try:
            async with asyncio.timeout(_BEGIN_S):
                begin = await self._begun
            configure(begin.config.server.logs, role="worker", level=begin.log_level)
            return await self._serve(begin)
        except PointsmanError as error:
            self._peer.tell(Failed.of(error))
            return type(error).exit_code
        except TimeoutError:
            return 1  # whoever started us has nothing to say
        finally:
            await self._peer.flush()
            self._peer.close()
            hearing.cancel()

    async def _serve(self, begin: Begin) -> int:
        self._commons = Commons(self._peer, begin.news, slot=begin.slot, workers=begin.workers)
        config = begin.config
        app = self._app = Application(config, shared=self._commons.shared)
        app.reload_error = begin.news.reload_error
        try:
            if not await started(app, self._stop):
                return 0
            listeners = [_sockets(each) for each in begin.listeners]
            common = _sockets(begin.common)
            limits = HttpLimits(
                max_body_bytes=config.server.max_body_bytes,
                max_buffered_bytes=config.server.max_buffered_bytes,
                max_connections=max(1, -(-config.server.max_connections // begin.workers)),
            )
            door = Door(app)
            server = HttpServer(
                door, limits=limits, lines=door.lines, told=app.metrics.told, spools=door.spools
            )
            app.in_flight = lambda: server.in_flight
            own = [*listeners[begin.slot], *common]
            try:
                await server.start(sockets=own, certificates=certificates_of(config))
                if begin.slot == 0:
                    for remark in checked_wire(met(config, common), app.env):
                        log.warning("%s", remark)
                self._server = server
                self._peer.tell(Serving(generation=begin.generation))
                settle()
                app.start_judges()
                tasks = [
                    asyncio.ensure_future(each) for each in (self._pulse(), self._lend(listeners))
                ]
                await self._stop.wait()
                for task in tasks:
                    task.cancel()
            finally:
                self._peer.tell(Leaving())
                for each in [each for other in listeners for each in other]:
                    each.close()  # held open here, nobody's connection would be refused
                await drain(server, self._hurry)
        finally:
            await app.stop()
        self._peer.tell(self._sign())
        return 0

    def _hear(self, message: Message) -> None:
        match message:
            case Begin():
                if not self._begun.done():
                    self._begun.set_result(message)
            case News():
                if self._commons is not None and self._app is not None:
                    self._commons.hear(message)
                    self._app.reload_error = message.reload_error
            case Lend():
                self._lent = message.slots
                self._lending.set()
            case Abort():
                self._prepared = None
            case Drain():
                self._stop.set()
            case Hurry():
                self._hurry.set()
            case _:
                log.error("the supervisor said %s", type(message).__name__)

    async def _answer(self, message: Message) -> Message:
        app = self._app
        if app is None or self._commons is None:
            raise WorkerFailed("this worker is starting")
        match message:
            case Prepare():
                self._commons.hear(message.news)
                self._prepared = await app.prepare(message.config)
            case Commit():
                self._commit(app)
            case Certificates():
                if self._server is not None:
                    await self._server.reload_certificates()
                await app.reload_certificates()
            case Count():
                return Counted(snapshots=(app.metrics.snapshot(),))
            case Find():
                return Found(rows=_rows(app, message))
            case _:
                raise WorkerFailed(f"a worker is not asked {type(message).__name__}")
        return Done()

    def _commit(self, app: Application) -> None:
        """Swap. From the first swap of any worker there is no way back, so nothing here refuses."""
        prepared, self._prepared = self._prepared, None
        if prepared is None:
            raise WorkerFailed("nothing is prepared here")
        app.commit(prepared)
        app.reload_error = None
        try:
            record_configuration(app.journal, prepared.config, app.clock.now_us())
        except PointsmanError as error:  # nothing is answered then anyway, and each answer says so
            log.error("the configuration was not written down: %s", error.sentence)

    async def _pulse(self) -> None:
        while True:
            self._peer.tell(self._sign())
            await asyncio.sleep(PULSE_S)

    def _sign(self) -> Pulse:
        assert self._app is not None, "it is constructed before the first sign of life"
        server, snapshot = self._server, self._app.metrics.snapshot()
        changed, self._pulsed = snapshot != self._pulsed, snapshot
        return Pulse(
            digest=self._app.config.digest,
            ready=self._app.readiness()[0],
            connections=server.connections if server is not None else 0,
            in_flight=server.in_flight if server is not None else 0,
            requests=server.requests if server is not None else 0,
            snapshot=snapshot if changed else None,
        )

    async def _lend(self, listeners: Sequence[Sequence[socket.socket]]) -> None:
        """Accept for those whose worker is gone, by the latest word on who that is."""
        assert self._server is not None, "it listens before it is lent to others"
        while True:
            await self._lending.wait()
            self._lending.clear()
            await self._server.lend([each for slot in self._lent for each in listeners[slot]])


def _rows(app: Application, asked: Find) -> tuple[TraceRow, ...]:
    found = app.find(asked.reference, asked.tenant)
    if found is None:
        return ()
    facts = app.feedback.known_facts(found[0])
    return (TraceRow(trace=found[0], tenant=found[1], reference=asked.reference, facts=facts),)


def _sockets(fds: Sequence[int]) -> list[socket.socket]:
    for fd in fds:
        os.set_inheritable(fd, False)
    return [socket.socket(fileno=fd) for fd in fds]
