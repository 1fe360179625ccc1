"""The supervisor: holds the sockets, runs the workers and what they share, answers nothing."""

import asyncio
import importlib.util
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec

from pointsman.domain.errors import PointsmanError, WorkerFailed
from pointsman.domain.task import Configuration
from pointsman.gateway.auth import check_exposure
from pointsman.gateway.listening import addresses, bind_each, cannot_listen, met, release
from pointsman.gateway.reloading import Load, Reloader
from pointsman.gateway.systemd import Systemd
from pointsman.keeping.child import KeeperProcess
from pointsman.state.later import LaterSubjectKeys
from pointsman.workers.admin_seat import AdminSeat
from pointsman.workers.crew import Crew
from pointsman.workers.messages import (
    Certificates,
    Counted,
    EnginePlace,
    Find,
    Found,
    KeyIs,
    KeyOf,
    Look,
    Message,
    News,
    Scrape,
    Seen,
)
from pointsman.workers.reader_seat import ReaderSeat

if TYPE_CHECKING:
    from pointsman.backends.embedded_engine import EmbeddedEngine
    from pointsman.backends.embedded_engines import Engines
    from pointsman.domain.portfolio import Deployment
    from pointsman.state import State

log = logging.getLogger("pointsman.workers")
Ready = Callable[[Sequence[tuple[str, int]]], None]
GRACE_S = 30.0  # what runs may take after SIGTERM
_NEWS_S = 0.5
_RETIRE_S = 30.0  # what runs on an engine that a change dropped has so long to end
_CERTIFICATES_S = 30.0


async def supervise(
    config: Configuration,
    *,
    ready: Ready,
    stopping: Callable[[], None] = lambda: None,
    load: Load | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Serve with `server.workers` processes until SIGTERM or SIGINT; then drain them together.

    `ready` is called with the addresses once every worker serves, `stopping` at the first signal;
    a second one cancels what runs. With `load`, a changed configuration comes into force in every
    worker or in none. systemd is told by this process alone.
    Raises: ConfigurationError where the door would stand open or nobody can listen there; what
        kept a worker from starting; WorkerFailed where none serves any more and none can start.
    """
    stop, hurry = asyncio.Event(), asyncio.Event()
    systemd = Systemd(os.environ if env is None else env)

    def signalled() -> None:
        if stop.is_set():
            return hurry.set()
        stop.set()
        stopping()
        systemd.stopping()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, signalled)
    handed = systemd.listeners()
    try:
        with _Doors(config, handed) as doors:
            whole = Supervisor(config, doors, env=os.environ if env is None else env)
            try:
                if not await _before(stop, whole.start()):
                    return
                ready(doors.shown)
                async with _reloading(whole, systemd, load):
                    systemd.ready(f"configuration {config.digest}")
                    whole.start_beside()
                    failed = whole.crew.failed
                    stopped = asyncio.ensure_future(stop.wait())
                    waited: set[asyncio.Future[Any]] = {stopped, failed}
                    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                    stopped.cancel()
                    if failed.done():
                        raise failed.result()
            finally:
                doors.close()
                await whole.stop(hurry)
    finally:
        systemd.close()


class _Doors:
    """The listening sockets, opened before anything else, so that a taken port is told at once."""

    def __init__(self, config: Configuration, handed: Sequence[socket.socket]) -> None:
        settings = config.server
        check_exposure(config.keys, met(config, handed).server, virtual=config.virtual_keys.enabled)
        self._hosts = () if handed else settings.hosts
        self.own: list[list[socket.socket]] = [[] for _ in range(settings.workers)]
        self.common = list(handed)
        if not handed:
            try:
                self.own, self.common = bind_each(
                    settings.hosts, settings.port, count=settings.workers
                )
            except OSError as error:
                raise cannot_listen(error, settings.hosts, settings.port) from error
        self.shown = addresses([*self.common, *self.own[0]])

    def close(self) -> None:
        """Nobody knocks any more: the workers close theirs as well."""
        for each in [*self.common, *(each for own in self.own for each in own)]:
            each.close()

    def __enter__(self) -> "_Doors":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
        release(self._hosts)


class Supervisor:
    """Workers, engines, keeper and admin of one gateway."""

    def __init__(self, config: Configuration, doors: _Doors, *, env: Mapping[str, str]) -> None:
        self._env = env
        self.config = config
        self._said: str | None = None
        self._engines: Engines | None = None
        self._preparing = config
        self._keeper = KeeperProcess()
        self._reader = ReaderSeat(config)
        self._keys = LaterSubjectKeys(self._opened_state)
        self._told = News()
        self.crew = Crew(
            config,
            listeners=doors.own,
            common=doors.common,
            news=self._news,
            asked=self.asked,
        )
        self._admin = AdminSeat(config, self.asked)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def reload_error(self) -> str | None:
        """Why the latest change did not come into force."""
        return self._said

    @reload_error.setter
    def reload_error(self, said: str | None) -> None:
        self._said = said
        self._spread()

    async def start(self) -> None:
        """Start the engines, then the workers. Raises: what kept one of them from starting."""
        self._admin.bind()
        await self._prepare_engines(self.config)
        await self.crew.start()

    def start_beside(self) -> None:
        """Start what answers nothing: keeper, admin, the spreading of news."""
        if importlib.util.find_spec("sqlalchemy") is not None:
            self._keeper.start(self.config)
        self._admin.start()
        self._do(self._spread_news())

    async def change(self, config: Configuration) -> None:
        """Bring a configuration into force everywhere. Raises: PointsmanError; then nowhere."""
        await self._prepare_engines(config)
        await self.crew.change(config)
        self.config = config
        self._admin.change(config)
        await self._keeper.change(config)
        self._do(self._retire(config))

    async def reload_certificates(self) -> None:
        """Every worker reads its certificates anew; one that cannot keeps what it had."""
        members = [slot.member for slot in self.crew.serving if slot.member is not None]
        told = await asyncio.gather(
            *(each.ask(Certificates(), timeout_s=_CERTIFICATES_S) for each in members),
            return_exceptions=True,
        )
        for error in told:
            if isinstance(error, PointsmanError):
                log.warning("the certificates stay as they were: %s", error)

    async def stop(self, hurry: asyncio.Event) -> None:
        """Drain the workers; then stop what they shared."""
        for task in list(self._tasks):
            task.cancel()
        await self.crew.stop(GRACE_S, hurry)
        await asyncio.gather(self._admin.stop(), self._keeper.stop(), self._reader.stop())
        await asyncio.to_thread(self._keys.close)
        if self._engines is not None:
            await self._engines.stop()

    async def asked(self, message: Message) -> Message:
        """What the admin asks, and workers where none of them knows. Raises: WorkerFailed."""
        match message:
            case Scrape():
                counted: Counted = await self.crew.counts.all(self.crew.serving)
                return counted
            case Look():
                return self.look()
            case KeyOf():
                return KeyIs(
                    key=await asyncio.to_thread(self._keys.key, message.tenant, message.subject)
                )
            case Find():
                return Found(rows=await self._reader.find(message.reference))
            case _:
                raise WorkerFailed(f"the supervisor is not asked {type(message).__name__}")

    def _opened_state(self) -> "State":
        from pointsman.state import open_state  # loads SQLAlchemy

        return open_state(self.config.state_url)

    def look(self) -> Seen:
        """How the whole stands: each worker, what they share, the configuration in force."""
        slots = self.crew.slots
        digests = {slot.pulse.digest for slot in slots if slot.serving}
        told = {
            "workers": [
                {
                    "slot": slot.index,
                    "pid": slot.member.pid if slot.member is not None else None,
                    "state": slot.state,
                    "ready": slot.serving and slot.pulse.ready,
                    "digest": slot.pulse.digest or None,
                    "connections": slot.pulse.connections if slot.member else 0,
                    "in_flight": slot.pulse.in_flight if slot.member else 0,
                    "requests": slot.pulse.requests,
                    "restarts": slot.starts - 1,
                    "last_end": slot.ended or None,
                }
                for slot in slots
            ],
            "configuration": {
                "digest": self.config.digest,
                "everywhere": digests == {self.config.digest},
                "reload_error": self._said,
            },
            "keeper": self._keeper.status,
            "engines": {
                each.deployment: {"status": each.state.status, "reason": each.state.reason}
                for each in self._told.engines
            },
        }
        ready = all(slot.serving and slot.pulse.ready for slot in slots)
        return Seen(ready=ready, body=msgspec.json.encode(told))

    # What the workers share.

    async def _prepare_engines(self, config: Configuration) -> None:
        embedded = [each for each in config.deployments.values() if each.embedded is not None]
        if not embedded and self._engines is None:
            return
        if self._engines is None:
            from pointsman.backends.embedded_engines import Engines

            self._engines = Engines(self._engine)
        self._preparing = config
        await self._engines.prepare(embedded)

    def _engine(self, deployment: "Deployment") -> "EmbeddedEngine":
        from pointsman.backends.embedded_making import embedded_engine

        return embedded_engine(self._preparing, deployment, self._env)

    async def _retire(self, config: Configuration) -> None:
        await asyncio.sleep(_RETIRE_S)
        if self._engines is not None and config is self.config:
            await self._engines.keep_only(config.deployments.values())

    def _news(self) -> News:
        return News(
            engines=self._places(), keeper=dict(self._keeper.status), reload_error=self._said
        )

    def _places(self) -> tuple[EnginePlace, ...]:
        if self._engines is None:
            return ()
        return tuple(
            EnginePlace(
                deployment=name,
                model=model,
                state=state,
                base_url=address.base_url if address is not None else None,
                api_key=address.api_key if address is not None else None,
            )
            for name, model, address, state in self._engines.all()
        )

    def _spread(self) -> None:
        news = self._news()
        if news != self._told:
            self._told = news
            self.crew.tell(news)

    async def _spread_news(self) -> None:
        while True:
            self._spread()
            await asyncio.sleep(_NEWS_S)

    def _do(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def _reloading(whole: Supervisor, systemd: Systemd, load: Load | None) -> AsyncIterator[None]:
    """Watch the configuration meanwhile, and read it and the certificates anew on SIGHUP."""
    if load is None:
        yield
        return
    reloader, hung_up = Reloader(whole, load), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up.set)

    async def reload_when_told() -> None:
        while True:
            await hung_up.wait()
            hung_up.clear()
            systemd.reloading()
            await whole.reload_certificates()
            reloader.ask()
            systemd.ready(f"configuration {whole.config.digest}")

    tasks = [asyncio.create_task(each) for each in (reloader.run(), reload_when_told())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _before(stop: asyncio.Event, doing: Coroutine[Any, Any, None]) -> bool:
    """Whether it was done before we were told to stop. Raises: what it raises."""
    done = asyncio.ensure_future(doing)
    stopped = asyncio.ensure_future(stop.wait())
    waited: set[asyncio.Future[Any]] = {done, stopped}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if done.done():
        await done
        return True
    done.cancel()
    with suppress(asyncio.CancelledError):
        await done
    return False
