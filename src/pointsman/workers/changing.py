"""A configuration comes into force in every worker or in none: prepared by all, then committed."""

import asyncio
import logging
from typing import TYPE_CHECKING

from pointsman.domain.errors import PointsmanError, WorkerFailed
from pointsman.domain.task import Configuration
from pointsman.workers.messages import Abort, Commit, News, Prepare

if TYPE_CHECKING:
    from pointsman.workers.crew import Crew, Slot

log = logging.getLogger("pointsman.workers")
_TRIES = 3  # a worker may die meanwhile, for reasons of its own


async def bring_into_force(crew: "Crew", config: Configuration, news: News) -> None:
    """Have all who serve build what it needs; once each has, have all swap.

    A worker that dies meanwhile starts by whichever is in force then. One that prepared and does
    not swap is killed, and so starts by the new one: after the first swap there is no way back.
    Raises: PointsmanError of the first that cannot serve by it; then nobody swapped.
    """
    for attempt in range(1, _TRIES + 1):
        slots = crew.serving
        if not slots:
            raise WorkerFailed(
                "no worker serves", why="all of them are starting", next="try again in a moment"
            )
        told = await asyncio.gather(*(_prepare(crew, slot, config, news) for slot in slots))
        refused = [error for error in told if error is not None]
        if not refused:
            break
        for slot in slots:
            if slot.member is not None:
                slot.member.tell(Abort())
        own = [error for error in refused if not isinstance(error, WorkerFailed)]
        if own or attempt == _TRIES:
            raise (own or refused)[0]
    crew.config = config
    crew.generation += 1
    await asyncio.gather(*(_commit(crew, slot) for slot in slots))


async def _prepare(
    crew: "Crew", slot: "Slot", config: Configuration, news: News
) -> PointsmanError | None:
    member = slot.member
    if member is None:
        return WorkerFailed("the process is gone")
    try:
        await crew.answered(member, Prepare(config=config, news=news))
    except PointsmanError as error:
        return error
    return None


async def _commit(crew: "Crew", slot: "Slot") -> None:
    member = slot.member
    if member is None:
        return
    try:
        await crew.answered(member, Commit(generation=crew.generation))
        slot.generation = crew.generation
    except PointsmanError as error:
        log.warning("worker %d is replaced: %s", slot.index, error.sentence)
        member.kill()
