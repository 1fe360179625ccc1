"""Keeps embedded engines alive: starts them together, restarts what dies, gives up in the end."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from pointsman.backends.address import Address
from pointsman.backends.embedded_engine import EmbeddedEngine
from pointsman.domain.errors import PointsmanError, UpstreamError
from pointsman.domain.identity import Found

_log = logging.getLogger("pointsman.embedded")


class EngineState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an embedded deployment stands; `down` stays until someone starts it again."""

    name: str
    status: Literal["stopped", "starting", "running", "restarting", "down"] = "stopped"
    reason: str = ""  # of the last death: exit code and the engine's last lines
    restarts: int = 0
    read: Found | None = None  # what the file it loaded is
    told: Found | None = None  # what the engine says of itself


@dataclass(frozen=True, kw_only=True)
class RestartRule:
    """How long to wait after a death, and how many within a window are too many."""

    first_delay_s: float = 0.5
    longest_delay_s: float = 30.0
    most: int = 5
    window_s: float = 300.0

    def delay_s(self, deaths_s: Sequence[float]) -> float | None:
        """Seconds to wait after the last of these deaths (monotonic, ascending); None: give up."""
        recent = sum(1 for death in deaths_s if death > deaths_s[-1] - self.window_s)
        if recent > self.most:
            return None
        return float(min(self.first_delay_s * 2.0 ** (recent - 1), self.longest_delay_s))


class Supervisor:
    """Owns the engines of a portfolio, from `start` to `stop`.

    Args: starts_at_once bounds how many load at the same time; on_change hears every new state,
    in the event loop, and must not block.
    """

    def __init__(
        self,
        engines: Iterable[EmbeddedEngine],
        *,
        rule: RestartRule | None = None,
        start_timeout_s: float = 60.0,
        starts_at_once: int = 2,
        on_change: Callable[[EngineState], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._engines = {engine.name: engine for engine in engines}
        self._states = {name: EngineState(name=name) for name in self._engines}
        self._rule = rule or RestartRule()
        self._start_timeout_s = start_timeout_s
        self._starts = asyncio.Semaphore(starts_at_once)
        self._on_change = on_change
        self._clock = clock
        self._sleep = sleep
        self._watches: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> tuple[EngineState, ...]:
        """Start every engine; one that refuses is `down`, the others serve.

        Raises: ConfigurationError or ExtraMissing, after everything is stopped again.
        """
        tasks = [asyncio.create_task(self._begin(engine)) for engine in self._engines.values()]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.stop()
            raise
        return self.states

    async def stop(self) -> None:
        """Stop watching, then stop every engine."""
        watches, self._watches = list(self._watches.values()), {}
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        await asyncio.gather(*(engine.stop() for engine in self._engines.values()))
        for engine in self._engines.values():
            if self._states[engine.name].status != "down":
                self._become(engine, "stopped")

    async def revive(self, name: str) -> EngineState:
        """Start one engine that is `down` again, with a clean slate of deaths."""
        if self._states[name].status == "down":
            await self._begin(self._engines[name])
        return self._states[name]

    def address(self, name: str) -> Address | None:
        """Where the engine of this deployment listens now; None: it does not."""
        engine = self._engines.get(name)
        return engine.address if engine is not None else None

    def state(self, name: str) -> EngineState:
        """How it stands; what its file is may become known later than that it runs."""
        state, engine = self._states[name], self._engines[name]
        if state.read is not engine.read:
            state = self._states[name] = msgspec.structs.replace(state, read=engine.read)
        return state

    @property
    def states(self) -> tuple[EngineState, ...]:
        return tuple(self._states.values())

    async def _begin(self, engine: EmbeddedEngine) -> None:
        self._become(engine, "starting")
        try:
            await self._start(engine)
        except UpstreamError as error:
            self._become(engine, "down", error.why)
            return
        self._become(engine, "running")
        watch = asyncio.create_task(self._watch(engine), name=f"watch {engine.name}")
        watch.add_done_callback(_tell_failure)
        self._watches[engine.name] = watch

    async def _watch(self, engine: EmbeddedEngine) -> None:
        """Restart the engine whenever it dies, until it dies too often."""
        deaths_s: list[float] = []
        while True:
            reason = str(await engine.ended())
            while not engine.running:
                deaths_s.append(self._clock())
                delay_s = self._rule.delay_s(deaths_s)
                if delay_s is None:
                    self._become(engine, "down", reason)
                    return
                self._become(engine, "restarting", reason)
                await self._sleep(delay_s)
                try:
                    await self._start(engine)
                except PointsmanError as error:  # also a file that is gone: it may come back
                    reason = error.why or error.what
            deaths_s = deaths_s[-self._rule.most :]
            self._become(engine, "running", reason)

    async def _start(self, engine: EmbeddedEngine) -> None:
        async with self._starts:
            await engine.start(self._start_timeout_s)

    def _become(
        self,
        engine: EmbeddedEngine,
        status: Literal["stopped", "starting", "running", "restarting", "down"],
        reason: str = "",
    ) -> None:
        state = EngineState(
            name=engine.name, status=status, reason=reason, restarts=engine.restarts,
            read=engine.read, told=engine.told,
        )  # fmt: skip
        self._states[engine.name] = state
        if status in ("restarting", "down"):
            _log.warning("%s: %s: %s", engine.name, status, reason)
        if self._on_change is not None:
            self._on_change(state)


def _tell_failure(watch: asyncio.Task[None]) -> None:
    if not watch.cancelled() and (error := watch.exception()) is not None:
        _log.error("%s ended: its engine is restarted no more", watch.get_name(), exc_info=error)
