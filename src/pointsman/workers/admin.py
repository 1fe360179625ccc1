"""The admin's process: its server, and what it asks of the process that started it."""

import asyncio
import logging
import signal
import socket
from typing import TYPE_CHECKING

from pointsman.domain.errors import PointsmanError, WorkerFailed
from pointsman.domain.task import Configuration
from pointsman.gateway.http_server import HttpLimits, HttpServer
from pointsman.journal import JournalReader, open_master_key
from pointsman.telemetry.logs import configure
from pointsman.workers.admin_audit import AdminAudit
from pointsman.workers.admin_door import AdminDoor
from pointsman.workers.admin_held import AdminHeld
from pointsman.workers.admin_keys import AdminKeys
from pointsman.workers.messages import (
    Begin,
    Changed,
    Counted,
    Drain,
    Failed,
    Look,
    Message,
    Scrape,
    Seen,
)
from pointsman.workers.peer import Peer, nothing_asked

if TYPE_CHECKING:
    from pointsman.state import State

log = logging.getLogger("pointsman.admin")
_BEGIN_S = 60.0
_ASK_S = 5.0
_DRAIN_S = 3.0
_LIMITS = HttpLimits(max_body_bytes=2**20, max_connections=64)


class Admin:
    """Serves the admin's door until its parent says so or is gone."""

    def __init__(self) -> None:
        self._begun: asyncio.Future[Begin] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()
        self._door: AdminDoor | None = None

    async def run(self, end: socket.socket) -> int:
        """Exit code."""
        self._peer = await Peer.on(end, told=self._hear, asked=nothing_asked)
        hearing = asyncio.ensure_future(self._peer.run())
        hearing.add_done_callback(lambda done: self._stop.set())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop.set)
        try:
            async with asyncio.timeout(_BEGIN_S):
                begin = await self._begun
            configure(begin.config.server.logs, role="admin", level=begin.log_level)
            await self._serve(begin)
        except PointsmanError as error:
            self._peer.tell(Failed.of(error))
            return type(error).exit_code
        except TimeoutError:
            return 1
        finally:
            await self._peer.flush()
            self._peer.close()
            hearing.cancel()
        return 0

    async def _serve(self, begin: Begin) -> None:
        # The bodies stay shut: of what people wrote only held answers are shown, to be decided on.
        reports = JournalReader(begin.config.journal_path)
        self._config = begin.config
        keys = AdminKeys(lambda: self._config, lambda: _state(self._config))
        held = AdminHeld(lambda: self._config, lambda: _state(self._config))
        audit = AdminAudit(lambda: self._config)
        more = {**keys.routes, **held.routes, **audit.routes}
        self._door = AdminDoor(begin.config, self, lambda: reports, more=more)
        server = HttpServer(self._door, limits=_LIMITS)
        sockets = [socket.socket(fileno=fd) for fd in begin.common]
        await server.start(sockets=sockets)
        try:
            await self._stop.wait()
        finally:
            await server.drain(_DRAIN_S)
            await asyncio.to_thread(reports.close)
            await asyncio.to_thread(keys.close)
            await asyncio.to_thread(held.close)

    def _hear(self, message: Message) -> None:
        match message:
            case Begin():
                if not self._begun.done():
                    self._begun.set_result(message)
            case Changed():
                self._config = message.config
                if self._door is not None:
                    self._door.change(message.config)
            case Drain():
                self._stop.set()
            case _:
                log.error("the supervisor said %s", type(message).__name__)

    async def scrape(self) -> bytes:
        """The counts of all workers as text. Raises: WorkerFailed."""
        from pointsman.telemetry import merge

        said = await self._peer.ask(Scrape(), timeout_s=_ASK_S)
        if not isinstance(said, Counted):
            raise WorkerFailed("the counts were not told")
        return await asyncio.to_thread(merge, said.snapshots)

    async def look(self) -> tuple[bool, bytes]:
        """How the whole stands. Raises: WorkerFailed."""
        said = await self._peer.ask(Look(), timeout_s=_ASK_S)
        if not isinstance(said, Seen):
            raise WorkerFailed("how the whole stands was not told")
        return said.ready, said.body


def _state(config: Configuration) -> "State":
    from pointsman.state import open_state  # loads SQLAlchemy

    return open_state(config.state_url, wrapper=open_master_key(config))
