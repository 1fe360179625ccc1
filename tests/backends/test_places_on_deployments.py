"""Places on a deployment: bounded, in order, and none is ever lost."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from pointsman.backends.places import Places


def test_places_are_given_in_the_order_of_asking():
    async def run():
        places, order = Places(1), []
        assert await places.take(1)

        async def wait(number):
            assert await places.take(5)
            order.append(number)
            places.give()

        waiting = [asyncio.create_task(wait(n)) for n in range(4)]
        await asyncio.sleep(0)
        places.give()
        await asyncio.gather(*waiting)
        assert order == [0, 1, 2, 3]
        assert places.taken == 0

    asyncio.run(run())


def test_a_wait_is_bounded():
    async def run():
        places = Places(1)
        assert await places.take(1)
        assert not await places.take(0.01)
        places.give()
        assert places.taken == 0

    asyncio.run(run())


@given(
    st.integers(1, 3), st.lists(st.sampled_from(["take", "give", "cancel", "turn"]), max_size=60)
)
def test_whatever_is_cancelled_no_place_is_lost_and_the_bound_holds(limit, moves):
    async def run():
        places, tasks = Places(limit), []
        for move in moves:
            if move == "take":
                tasks.append(asyncio.create_task(places.take(60)))
            elif move == "turn":
                await asyncio.sleep(0)
            elif move == "cancel" and tasks:
                tasks[-1].cancel()
            elif move == "give":
                held = [t for t in tasks if t.done() and not t.cancelled() and t.result()]
                if held:
                    tasks.remove(held[0])
                    places.give()
            assert 0 <= places.taken <= limit
        for _ in range(200):
            await asyncio.sleep(0)
            for task in [t for t in tasks if t.done()]:
                tasks.remove(task)
                if not task.cancelled() and task.result():
                    places.give()
        assert not tasks
        assert places.taken == 0

    asyncio.run(run())


def test_a_lowered_limit_is_reached_as_places_come_back():
    async def run():
        places = Places(2)
        assert await places.take(1)
        assert await places.take(1)
        places.limit = 1
        places.give()
        assert not await places.take(0.01)

    asyncio.run(run())
