"""What is shared is waited on briefly: counters and their rest, keys at the door, rates."""

import asyncio
import threading

import pytest

from pointsman.admitting.counters import Counters, LocalCells
from pointsman.admitting.keyring import Keyring
from pointsman.admitting.rates import Rate, duration
from pointsman.domain.errors import Overloaded, RateLimited, StateUnavailable
from pointsman.domain.task import VirtualKey
from pointsman.limits.bucket import MINUTE_US


class Cells:
    """A store that can hang or fail, and counts who asks."""

    def __init__(self):
        self.asked, self.fails, self.go = 0, False, threading.Event()
        self.go.set()
        self.value = None

    def change(self, name, change, *, until_us):
        self.asked += 1
        self.go.wait(10)
        if self.fails:
            raise StateUnavailable("away", why="on purpose")
        self.value = change(self.value)
        return self.value

    def close(self):
        pass


class Mono:
    s = 100.0

    def __call__(self):
        return self.s


def run(live):
    asyncio.run(live())


def plus(old):
    return (old or b"") + b"x"


def test_a_store_that_hangs_is_waited_on_once_and_then_not_until_it_had_a_rest():
    cells, mono = Cells(), Mono()

    async def live():
        counters = Counters(cells, wait_s=0.05, monotonic=mono)
        cells.go.clear()
        for _ in range(20):
            with pytest.raises(StateUnavailable):
                await counters.change("a", plus, until_us=1)
        assert cells.asked == 1, "only the first waited"
        mono.s += 1.01
        with pytest.raises(StateUnavailable):
            await counters.change("a", plus, until_us=1)
        cells.go.set()
        mono.s += 1.5
        with pytest.raises(StateUnavailable):  # the second rest is twice as long
            await counters.change("a", plus, until_us=1)
        mono.s += 1
        await counters.change("a", plus, until_us=1)
        assert await counters.change("a", plus, until_us=1) == b"xxxx", "late ones were made, too"
        counters.close()

    run(live)


def test_a_rest_never_grows_beyond_a_few_seconds():
    cells, mono = Cells(), Mono()
    cells.fails = True

    async def live():
        counters = Counters(cells, wait_s=1, monotonic=mono)
        for tries in range(1, 20):
            with pytest.raises(StateUnavailable):
                await counters.change("a", plus, until_us=1)
            assert cells.asked == tries
            mono.s += 5.01
        cells.fails = False
        assert await counters.change("a", plus, until_us=1) == b"x"
        counters.close()

    run(live)


def test_local_cells_let_go_of_what_is_over_once_there_are_many(monkeypatch):
    monkeypatch.setattr("pointsman.admitting.counters._LOCAL_MOST", 10)
    now = [0]
    cells = LocalCells(lambda: now[0])
    for number in range(10):
        cells.change(f"a{number}", plus, until_us=number)
    now[0] = 5
    cells.change("b", plus, until_us=100)
    assert set(cells.read("")) == {"a5", "a6", "a7", "a8", "a9", "b"}


def test_a_shared_rate_asks_the_store_a_few_times_and_not_for_each_who_is_refused():
    cells = Cells()

    async def live():
        counters = Counters(cells, wait_s=5, monotonic=Mono())
        rate = Rate("key:a", "requests", 5, counters=counters, now_us=0)
        results = await asyncio.gather(
            *(rate.fetch(1, lambda: 0) for _ in range(50)), return_exceptions=True
        )
        assert results.count(None) == 5
        assert all(isinstance(each, RateLimited) for each in results if each is not None)
        assert cells.asked == 6
        counters.close()

    run(live)


def test_a_rate_that_lost_its_store_counts_here_and_still_refuses():
    cells = Cells()
    cells.fails = True

    async def live():
        counters = Counters(cells, wait_s=5, monotonic=Mono())
        rate = Rate("key:a", "requests", 3, counters=counters, now_us=0)
        for _ in range(3):
            await rate.fetch(1, lambda: 0)
        with pytest.raises(RateLimited) as caught:
            await rate.fetch(1, lambda: 0)
        assert caught.value.retry_after_s == pytest.approx(20)
        counters.close()

    run(live)


def test_a_slice_of_a_rate_that_nobody_uses_does_not_keep():
    cells = Cells()
    now = [0]

    async def live():
        counters = Counters(cells, wait_s=5, monotonic=Mono())
        rate = Rate("key:a", "requests", 6000, counters=counters, now_us=0)
        await rate.fetch(1, lambda: now[0])
        assert rate.look(40, now[0]) == "yes"
        now[0] = MINUTE_US
        assert rate.look(1, now[0]) == "ask"
        counters.close()

    run(live)


@pytest.mark.parametrize(
    ("us", "text"),
    [(0, "0s"), (1, "1ms"), (120_000, "120ms"), (1_000_000, "1s"), (1_500_000, "1.5s"),
     (60_000_000, "1m0s"), (90_250_000, "1m30.25s")],
)  # fmt: skip
def test_durations_are_written_as_openai_writes_them(us, text):
    assert duration(us) == text


class Keys:
    """A database of one key."""

    def __init__(self, key):
        self.key, self.asked, self.go = key, 0, threading.Event()
        self.go.set()

    def find(self, token):
        self.asked += 1
        self.go.wait(10)
        return self.key if token == b"right" else None


def a_ring(keys, mono, now_us=lambda: 1000):
    return Keyring(keys, fresh_s=5, monotonic=mono, now_us=now_us)


def test_a_key_is_looked_up_once_for_all_who_ask_at_once_and_then_remembered():
    keys, mono = Keys(VirtualKey(name="a")), Mono()

    async def live():
        ring = a_ring(keys, mono)
        found = await asyncio.gather(*(ring.look(b"right") for _ in range(50)))
        assert {each.name for each in found} == {"a"}
        assert ring.known(b"right") is not None
        mono.s += 5.1
        assert ring.known(b"right") is None
        assert keys.asked == 1

    run(live)


def test_an_unknown_key_is_remembered_as_unknown():
    keys, mono = Keys(None), Mono()

    async def live():
        ring = a_ring(keys, mono)
        for _ in range(9):
            assert await ring.look(b"wrong") is None
        assert keys.asked == 1
        mono.s += 5.1
        assert await ring.look(b"wrong") is None
        assert keys.asked == 2

    run(live)


def test_a_remembered_key_expires_by_the_clock_and_not_when_it_is_looked_up_again():
    keys, now = Keys(VirtualKey(name="a", expires_us=2000)), [1000]

    async def live():
        ring = a_ring(keys, Mono(), lambda: now[0])
        assert await ring.look(b"right") is not None
        now[0] = 2000
        assert ring.known(b"right") is None

    run(live)


def test_many_unknown_keys_at_once_do_not_queue_without_bound():
    keys = Keys(None)
    keys.go.clear()

    async def live():
        ring = a_ring(keys, Mono())
        looking = [asyncio.create_task(ring.look(b"%d" % number)) for number in range(100)]
        await asyncio.sleep(0)
        keys.go.set()
        found = await asyncio.gather(*looking, return_exceptions=True)
        assert sum(isinstance(each, Overloaded) for each in found) == 36
        assert found.count(None) == 64

    run(live)
