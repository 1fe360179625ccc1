"""Places on a deployment: bounded, fair, and none is ever lost or given twice."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from pointsman.answering.places import Places
from pointsman.routing.turns import Who

ME = Who("t", "k")


def test_who_waits_is_served_in_turn_and_a_free_place_costs_no_wait():
    async def run():
        places, order = Places(1, 10), []
        assert places.take()
        assert not places.take()

        async def wait(number):
            assert await places.wait(ME, 5) is None
            order.append(number)
            places.give()

        waiting = [asyncio.create_task(wait(n)) for n in range(4)]
        await asyncio.sleep(0)
        assert places.waiting == 4
        places.give()
        await asyncio.gather(*waiting)
        assert order == [0, 1, 2, 3]
        assert places.taken == places.waiting == 0

    asyncio.run(run())


def test_a_wait_is_bounded_in_time_and_in_number():
    async def run():
        places = Places(1, 1)
        assert places.take()
        late = asyncio.create_task(places.wait(ME, 0.02))
        await asyncio.sleep(0)
        assert await places.wait(ME, 5) == "full"
        assert await late == "late"
        assert places.waiting == 0
        places.give()
        assert places.taken == 0

    asyncio.run(run())


def test_the_newest_of_a_flood_is_told_so_when_another_needs_its_room():
    async def run():
        places = Places(1, 2)
        assert places.take()
        flood = [asyncio.create_task(places.wait(Who("flood", "k"), 5)) for _ in range(2)]
        await asyncio.sleep(0)
        quiet = asyncio.create_task(places.wait(Who("quiet", "k"), 5))
        assert await flood[1] == "displaced"
        places.give()
        assert await flood[0] is None
        places.give()
        assert await quiet is None

    asyncio.run(run())


moves = st.lists(st.sampled_from(["take", "give", "cancel", "turn", "late", "change"]), max_size=80)


@given(st.integers(1, 3), st.integers(0, 4), moves, st.data())
def test_whatever_is_cancelled_each_waiter_is_released_once_and_no_place_is_lost(
    limit, queue, moves, data
):
    async def run():
        places, held, tasks, most = Places(limit, queue), 0, [], limit
        for number, move in enumerate(moves):
            if move == "take":
                if places.take():
                    held += 1
                else:
                    who = Who(str(number % 3), "k")
                    tasks.append(asyncio.create_task(places.wait(who, 60)))
            elif move == "turn":
                await asyncio.sleep(0)
            elif move == "cancel" and tasks:
                tasks[data.draw(st.integers(0, len(tasks) - 1))].cancel()
            elif move == "late":
                places._late(asyncio.get_running_loop().create_future())  # one long gone
            elif move == "change":
                limit_now = data.draw(st.integers(1, 3))
                most = max(most, limit_now)
                places.change(limit_now, queue)
            elif move == "give":
                won = [t for t in tasks if t.done() and not t.cancelled() and t.result() is None]
                if won:
                    tasks.remove(won[0])
                    places.give()
                elif held:
                    held -= 1
                    places.give()
            assert 0 <= places.taken <= most
            assert places.waiting <= queue
        while held:
            held -= 1
            places.give()
        for _ in range(300):
            await asyncio.sleep(0)
            for task in [t for t in tasks if t.done()]:
                tasks.remove(task)
                if not task.cancelled() and task.result() is None:
                    places.give()
        assert not tasks, "somebody was never released"
        assert places.taken == places.waiting == 0

    asyncio.run(run())


def test_a_raised_limit_lets_waiters_in_and_a_lowered_one_is_reached_as_places_come_back():
    async def run():
        places = Places(1, 5)
        assert places.take()
        waiting = [asyncio.create_task(places.wait(ME, 5)) for _ in range(2)]
        await asyncio.sleep(0)
        places.change(3, 5)
        assert await asyncio.gather(*waiting) == [None, None]
        places.change(1, 5)
        for _ in range(2):
            places.give()
            assert not places.take()
        places.give()
        assert places.take()

    asyncio.run(run())
