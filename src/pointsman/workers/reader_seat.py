"""The process that looks traces up in the journal for all workers, while anybody asks."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

import msgspec

from pointsman.domain.errors import Overloaded, PointsmanError, WorkerFailed
from pointsman.domain.task import Configuration
from pointsman.workers.member import Member
from pointsman.workers.messages import Begin, Drain, Failed, Found, Message, Recall, TraceRow
from pointsman.workers.peer import nothing_asked

log = logging.getLogger("pointsman.workers")
_WAITING = 4096  # references looked up at once; a query takes them all
_QUERY_S = 60.0
_IDLE_S = 120.0  # without a question it ends: DuckDB is 40 MB and more
_STOP_S = 5.0


class ReaderSeat:
    """Starts the reader with the first question and lets it end when none comes any more.

    Workers do not ask the journal themselves: each would hold a DuckDB and the journal's tail.
    """

    def __init__(self, config: Configuration) -> None:
        self._config = config
        self._member: Member | None = None
        self._asked: dict[str, asyncio.Future[tuple[TraceRow, ...]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._more = asyncio.Event()

    async def find(self, reference: str) -> tuple[TraceRow, ...]:
        """The traces with this id, or whose answer had it. Raises: Overloaded, WorkerFailed."""
        answer = self._asked.get(reference)
        if answer is None:
            if len(self._asked) >= _WAITING:
                raise Overloaded("too many traces are being looked up", retry_after_s=5)
            answer = self._asked[reference] = asyncio.get_running_loop().create_future()
        self._more.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await asyncio.shield(answer)

    async def stop(self) -> None:
        """End it."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        """Look up all that was asked meanwhile, again and again, until it is idle."""
        try:
            while await self._has_more():
                asked, self._asked = self._asked, {}
                await self._look_up(asked)
        finally:
            _settle(self._asked.values(), WorkerFailed("the gateway is stopping"))
            self._asked = {}
            self._task = None  # whoever asks from here on starts another
            await self._end()

    async def _has_more(self) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(_IDLE_S):
                await self._more.wait()
        self._more.clear()
        return bool(self._asked)

    async def _look_up(self, asked: "dict[str, asyncio.Future[tuple[TraceRow, ...]]]") -> None:
        try:
            member = await self._started()
            said = await member.ask(Recall(references=tuple(asked)), timeout_s=_QUERY_S)
            rows = said.rows if isinstance(said, Found) else ()
            for reference, answer in asked.items():
                if not answer.done():
                    answer.set_result(
                        tuple(each for each in rows if reference in (each.trace, each.reference))
                    )
        except (PointsmanError, OSError) as error:
            log.warning("traces could not be looked up: %s", error)
            await self._end()
        finally:
            _settle(asked.values(), WorkerFailed("the journal could not be asked"))

    async def _started(self) -> Member:
        if self._member is None or not self._member.alive:
            await self._end()
            self._member = await Member.start("reader", told=_hear, asked=nothing_asked)
            needed = msgspec.structs.replace(
                self._config, deployments={}, routes={}, prompts={}, keys=(), secret_sources=()
            )  # where the journal lies; no secret
            self._member.tell(Begin(config=needed, log_level=logging.getLogger().level))
        return self._member

    async def _end(self) -> None:
        member, self._member = self._member, None
        if member is None:
            return
        member.tell(Drain())
        try:
            async with asyncio.timeout(_STOP_S):
                await member.ended()
        except TimeoutError:
            member.kill()
            await member.ended()


def _hear(message: Message) -> None:
    if isinstance(message, Failed):
        log.error("the reader cannot start: %s", message.error().sentence)


def _settle(answers: "Iterable[asyncio.Future[tuple[TraceRow, ...]]]", error: Exception) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # whoever asked may be gone
