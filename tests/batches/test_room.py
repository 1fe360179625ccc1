"""The room for batches: bounded, fair, and never held by who is gone."""

import asyncio
from collections.abc import Awaitable, Callable

from pointsman.batches.room import Room


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await work()

    asyncio.run(bounded())


def never() -> bool:
    return False


def test_who_comes_first_enters_first_and_no_more_are_in_than_may():
    async def work() -> None:
        room, entered, most = Room(most=lambda: 2, free=lambda: True), [], 0

        async def one(number: int) -> None:
            nonlocal most
            seat = await room.enter(give_up=never)
            assert seat is not None
            entered.append(number)
            most = max(most, room.inside)
            await asyncio.sleep(0)
            seat.leave()
            seat.leave()  # once more is nothing

        await asyncio.gather(*(one(number) for number in range(20)))
        assert entered == list(range(20))
        assert (most, room.inside) == (2, 0)

    run(work)


def test_nobody_enters_while_clients_leave_no_room():
    async def work() -> None:
        busy = True
        room = Room(most=lambda: 5, free=lambda: not busy)
        entering = asyncio.ensure_future(room.enter(give_up=never))
        await asyncio.sleep(0.25)
        assert not entering.done()
        busy = False
        assert await entering is not None

    run(work)


def test_who_gives_up_or_is_cancelled_lets_the_next_one_in():
    async def work() -> None:
        room = Room(most=lambda: 1, free=lambda: True)
        seat = await room.enter(give_up=never)
        assert seat is not None
        tired = False
        first = asyncio.ensure_future(room.enter(give_up=lambda: tired))
        second = asyncio.ensure_future(room.enter(give_up=never))
        third = asyncio.ensure_future(room.enter(give_up=never))
        await asyncio.sleep(0)
        second.cancel()
        tired = True
        seat.leave()
        assert await first is None
        last = await third
        assert last is not None
        last.leave()
        assert room.inside == 0

    run(work)
