"""The workers as their supervisor sees them: started, watched, started again, changed together."""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from pointsman.domain.errors import PointsmanError, WorkerFailed
from pointsman.domain.task import Configuration
from pointsman.workers.backoff import Backoff
from pointsman.workers.changing import bring_into_force
from pointsman.workers.counting import Counts
from pointsman.workers.member import Member
from pointsman.workers.messages import (
    Abort,
    Begin,
    Commit,
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
    Scrape,
    Serving,
)

log = logging.getLogger("pointsman.workers")
START_S = 120.0  # from the start of a worker until it serves
CHANGE_S = 30.0  # for each half of a change; a worker that does not follow is replaced
SILENT_TICKS = 30  # seconds of ours without a sign of life: the loop of that worker hangs
FRUITLESS = 5  # starts in a row that failed while no other worker serves: then it is over
_FIND_S = 2.0
_KILL_S = 5.0  # what a worker may take beyond its grace before it is killed
State = Literal["down", "starting", "serving", "leaving"]


@dataclass(eq=False)
class Slot:
    """The place of one worker; processes come and go in it, its listeners stay."""

    index: int
    listeners: Sequence[socket.socket] = ()
    member: Member | None = None
    state: State = "down"
    generation: int = -1
    pulse: Pulse = field(default_factory=lambda: Pulse(digest="", ready=False))
    starts: int = 0
    silent: int = 0  # ticks since it was heard
    failure: PointsmanError | None = None  # why it could not start
    fruitless: int = 0  # starts in a row that ended before it served
    ended: str = ""  # how the process before ended
    lent: tuple[int, ...] = ()
    served: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def serving(self) -> bool:
        return self.state == "serving" and self.member is not None


class Crew:
    """All workers of one gateway. Construct and use inside a running loop.

    Args: slots' listeners are each worker's own, `common` those that all accept on. `news` is
    what a worker is told when it starts; `asked` answers what only the supervisor knows.
    """

    def __init__(
        self,
        config: Configuration,
        *,
        listeners: Sequence[Sequence[socket.socket]],
        common: Sequence[socket.socket],
        news: Callable[[], News],
        asked: Callable[[Message], Awaitable[Message]],
        backoff: Backoff | None = None,
        silent_ticks: int = SILENT_TICKS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self.generation = 0
        self.slots = [Slot(index, own) for index, own in enumerate(listeners)]
        self.counts = Counts()
        self.failed: asyncio.Future[PointsmanError] = asyncio.get_running_loop().create_future()
        self._common = common
        self._news = news
        self._asked = asked
        self._backoff = backoff or Backoff()
        self._silent_ticks = silent_ticks
        self._clock = clock
        self._stop = asyncio.Event()
        self._started = False
        self._changing = asyncio.Lock()
        self._keeping: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start them all; returns once each of them serves.

        Raises: what kept the first that could not start from it. The others run on until `stop`.
        """
        self._keeping = [asyncio.create_task(self._keep(slot)) for slot in self.slots]
        self._keeping.append(asyncio.create_task(self._watch()))
        all_serve = asyncio.ensure_future(self._all_serve())
        waited: set[asyncio.Future[Any]] = {all_serve, self.failed}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if self.failed.done():
            all_serve.cancel()
            raise self.failed.result()
        self._started = True

    async def _all_serve(self) -> None:
        for slot in self.slots:
            await slot.served.wait()

    async def stop(self, grace_s: float, hurry: asyncio.Event) -> None:
        """Drain them all together; whoever takes longer than its grace and a bit is killed."""
        self._stop.set()
        for slot in self.slots:
            if slot.member is not None:
                slot.member.tell(Drain())
        keeping = [task for task in self._keeping if not task.done()]
        ending = asyncio.ensure_future(_all_ended(keeping))
        hurried = asyncio.ensure_future(hurry.wait())
        waited: set[asyncio.Future[Any]] = {ending, hurried}
        await asyncio.wait(waited, timeout=grace_s + _KILL_S, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done() and hurry.is_set():
            for slot in self.slots:
                if slot.member is not None:
                    slot.member.tell(Hurry())
            await asyncio.wait({ending}, timeout=2 * _KILL_S)
        hurried.cancel()
        for slot in self.slots:
            if slot.member is not None and slot.member.alive:
                log.warning("worker %d did not end in time and is killed", slot.index)
                slot.member.kill()
        await ending

    async def change(self, config: Configuration) -> None:
        """Bring a configuration into force in every worker, or in none.

        Raises: PointsmanError where one of them cannot serve by it.
        """
        async with self._changing:
            await bring_into_force(self, config, self._news())

    def tell(self, message: Message) -> None:
        """Tell every worker that runs."""
        for slot in self.slots:
            if slot.member is not None:
                slot.member.tell(message)

    @property
    def serving(self) -> list[Slot]:
        """The places whose worker answers."""
        return [slot for slot in self.slots if slot.serving]

    async def find(self, asked: Find, *, but: Slot) -> Found:
        """What the others remember of this reference."""
        others = [slot.member for slot in self.slots if slot.member and slot is not but]
        told = await asyncio.gather(
            *(member.ask(asked, timeout_s=_FIND_S) for member in others), return_exceptions=True
        )
        rows = [row for each in told if isinstance(each, Found) for row in each.rows]
        return Found(rows=tuple(rows))

    # One place.

    async def _keep(self, slot: Slot) -> None:
        """Have a process in this place until we stop."""
        deaths = 0
        while not self._stop.is_set():
            began_s = self._clock()
            try:
                await self._live(slot)
            finally:
                self._became(slot, "down")
            if self._stop.is_set():
                return
            deaths = self._backoff.deaths(deaths, lived_s=self._clock() - began_s)
            if self._is_over(slot):
                return self._fail(slot)
            delay_s = self._backoff.delay_s(deaths)
            log.warning("worker %d %s; started again in %g s", slot.index, slot.ended, delay_s)
            await self._pause(delay_s)

    async def _live(self, slot: Slot) -> None:
        """One process from its start to its end."""
        slot.served.clear()
        slot.failure, slot.silent = None, 0
        slot.starts += 1
        begin = Begin(
            config=self.config,
            generation=self.generation,
            slot=slot.index,
            workers=len(self.slots),
            listeners=tuple(
                tuple(each.fileno() for each in other.listeners) for other in self.slots
            ),
            common=tuple(each.fileno() for each in self._common),
            log_level=logging.getLogger().level,
        )
        everyone = [each for other in self.slots for each in other.listeners]
        try:
            member = await Member.start(
                "worker",
                told=lambda message: self._hear(slot, message),
                asked=lambda message: self._answer(slot, message),
                listeners=[*everyone, *self._common],
            )
        except OSError as error:
            slot.ended = f"could not be started: {error.strerror or error}"
            slot.fruitless += 1
            return
        slot.member = member
        self._became(slot, "starting")
        slot.generation = begin.generation
        member.tell(msgspec.structs.replace(begin, news=self._news()))
        if self._stop.is_set():  # told before it was there to hear
            member.tell(Drain())
        try:
            code = await member.ended()
        finally:
            member.kill()
            slot.member = None
        self.counts.retire(slot.index)
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        slot.ended = slot.failure.sentence if slot.failure else how
        slot.fruitless = 0 if slot.served.is_set() else slot.fruitless + 1

    def _is_over(self, slot: Slot) -> bool:
        """Whether trying on is hopeless: at the start at once, later when nobody serves."""
        if not self._started:
            return slot.fruitless > 0
        return slot.fruitless >= FRUITLESS and not self.serving

    def _fail(self, slot: Slot) -> None:
        error = slot.failure or WorkerFailed(
            f"worker {slot.index} {slot.ended}, before it could serve",
            next="what it logged stands above; --log-level info tells more",
        )
        if not self.failed.done():
            self.failed.set_result(error)

    async def _pause(self, delay_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._stop.wait()

    def _hear(self, slot: Slot, message: Message) -> None:
        slot.silent = 0
        match message:
            case Serving():
                slot.generation = message.generation
                slot.served.set()
                self._became(slot, "serving")
                if slot.generation != self.generation:
                    self._keeping.append(asyncio.create_task(self._catch_up(slot, slot.member)))
            case Pulse():
                slot.pulse = message
                if message.snapshot is not None:
                    self.counts.take(slot.index, message.snapshot)
            case Leaving():
                self._became(slot, "leaving")
            case Failed():
                slot.failure = message.error()
            case _:
                log.error("worker %d said %s", slot.index, type(message).__name__)

    async def _answer(self, slot: Slot, message: Message) -> Message:
        match message:
            case Scrape():
                return await self.counts.all(self.serving)
            case Find():
                found = await self.find(message, but=slot)
                return found if found.rows else await self._asked(message)
            case _:
                return await self._asked(message)

    async def _catch_up(self, slot: Slot, member: Member | None) -> None:
        """It started by a configuration that is not in force any more."""
        async with self._changing:
            if member is None or slot.member is not member or slot.generation == self.generation:
                return
            try:
                await member.ask(Prepare(config=self.config, news=self._news()), timeout_s=CHANGE_S)
                await member.ask(Commit(generation=self.generation), timeout_s=CHANGE_S)
                slot.generation = self.generation
            except PointsmanError as error:
                log.warning("worker %d is replaced: %s", slot.index, error.sentence)
                member.tell(Abort())
                member.kill()

    # All of them.

    def _became(self, slot: Slot, state: State) -> None:
        if slot.state != state:
            slot.state = state
            self._lend()

    def _lend(self) -> None:
        """Have those who serve accept for those who do not, so that nobody waits for a restart."""
        able = self.serving
        orphans = [slot.index for slot in self.slots if not slot.serving and slot.listeners]
        for number, slot in enumerate(able):
            lent = tuple(orphans[number :: len(able)])
            if lent != slot.lent and slot.member is not None:
                slot.lent = lent
                slot.member.tell(Lend(slots=lent))
        for slot in self.slots:
            if not slot.serving:
                slot.lent = ()

    async def _watch(self) -> None:
        """Replace a worker that does not get to serve, or whose event loop hangs.

        Counted in turns of this loop, so that a machine that slept is no reason.
        """
        while not self._stop.is_set():
            await self._pause(1.0)
            for slot in self.slots:
                if slot.member is None or slot.state == "leaving":
                    continue
                slot.silent += 1
                bound = START_S if slot.state == "starting" else self._silent_ticks
                if slot.silent > bound:
                    log.error("worker %d gave no sign of life and is killed", slot.index)
                    slot.member.kill()

    async def answered(self, member: Member, message: Message) -> Done:
        """What a worker says to a half of a change. Raises: PointsmanError."""
        said = await member.ask(message, timeout_s=CHANGE_S)
        assert isinstance(said, Done), "a change is answered by Done or an error"
        return said


async def _all_ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            log.error("watching a worker failed", exc_info=result)
