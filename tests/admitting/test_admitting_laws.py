"""Laws of letting in, over any interleaving of processes that ask, end, report, stop and die."""

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.admitting.admitting import Admitting, Held
from pointsman.admitting.counters import Counters
from pointsman.admitting.gone import Home
from pointsman.domain.errors import BudgetExceeded, RateLimited, StateUnavailable
from pointsman.domain.limits import Allowance, Need, Scope
from pointsman.domain.task import BudgetSettings
from pointsman.limits.ledger import Account
from pointsman.limits.periods import DAY_US, day_of, month_of

START_US = 20_000 * DAY_US + DAY_US // 2
LIMIT_DAY, LIMIT_MONTH = 1000, 1700


class Cells:
    """Cells in memory that several processes share; they may be away."""

    def __init__(self):
        self.cells, self.away, self.turn = {}, False, threading.Lock()

    def change(self, name, change, *, until_us):
        with self.turn:
            if self.away:
                raise StateUnavailable("away")
            self.cells[name] = value = change(self.cells.get(name))
            return value

    def forget(self, *, now_us):
        return 0

    def close(self):
        pass

    def account(self, period):
        raw = self.cells.get(f"budget:key:app:{period.name}")
        return Account() if raw is None else msgspec.json.decode(raw, type=Account)


@dataclass
class World:
    """A few processes, one store, one journal, one clock."""

    now_us: int = START_US
    mono: float = 0.0
    cells: Cells = field(default_factory=Cells)
    journal: list = field(default_factory=list)  # (holder, day, cost): the End records
    alive: dict = field(default_factory=dict)  # holder -> Admitting
    running: list = field(default_factory=list)  # (holder, Held, day, most)
    born: int = 0
    wait_s: float = 0
    scopes: tuple = (
        Scope("key:app", Allowance(day_usd_picos=LIMIT_DAY, month_usd_picos=LIMIT_MONTH)),
    )

    def start(self):
        self.born += 1
        holder = f"w{self.born}"
        self.alive[holder] = Admitting(
            Counters(self.cells, wait_s=5, monotonic=lambda: self.mono),
            BudgetSettings(wait_s=self.wait_s),
            home=Home("here", holder, self.alive.__contains__, self.spent_of),
            now_us=lambda: self.now_us,
            monotonic=lambda: self.mono,
            shared=True,
        )
        return holder

    def spent_of(self, writer, since_us):
        return [
            {"day": day, "principal": "app", "team": None, "tenant": "t", "cost_usd_picos": cost}
            for holder, day, cost in self.journal
            if holder == writer
        ]

    def spent(self, period):
        inside = range(period.start_us // DAY_US, period.end_us // DAY_US)
        return sum(cost for _, day, cost in self.journal if day in inside)

    async def ask(self, holder, most):
        one, at_us = self.alive[holder], self.now_us
        held = one.at_once(self.scopes, Need(0, most), at_us=at_us)
        if held is None:
            held = await one.admit(self.scopes, Need(0, most), at_us=at_us)
        self.running.append((holder, held, at_us // DAY_US, most))

    def end(self, index, share):
        holder, held, day, most = self.running.pop(index)
        cost = most * share // 100
        self.journal.append((holder, day, cost))  # the journal first
        self.alive[holder].settle(held, usd_picos=cost, tokens=0)

    async def die(self, holder, share):
        """Killed; one request has its end in the journal that the ledger does not know."""
        one = self.alive.pop(holder)
        mine = [each for each in self.running if each[0] == holder]
        if mine:
            self.journal.append((holder, mine[0][2], mine[0][3] * share // 100))
        self.running = [each for each in self.running if each[0] != holder]
        for purse in one._purses.values():
            await purse.close()
        one._counters._thread.shutdown(wait=True)
        self.mono += 2  # until it is looked at again

    def check(self):
        for when in {START_US + days * DAY_US for days in range(-1, 4)}:
            assert self.spent(day_of(when)) <= LIMIT_DAY
            assert self.spent(month_of(when)) <= LIMIT_MONTH
            account = self.cells.account(day_of(when))
            assert account.total_spent + account.held <= LIMIT_DAY


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["ask"] * 8 + ["end"] * 6 + ["report"] * 2
            + ["die", "stop", "away", "midnight", "clock back", "later"]
        ),
        st.integers(0, 7),
        st.integers(1, 400),
        st.integers(0, 100),
    ),
    max_size=50,
)  # fmt: skip


@given(STEPS)
@settings(max_examples=80, deadline=None)
def test_spend_never_exceeds_a_budget_and_in_the_end_is_the_sum_of_the_ends(steps):
    asyncio.run(_live(steps))


async def _live(steps):
    world = World()
    for _ in range(2):
        world.start()
    for what, which, amount, share in steps:
        holder = list(world.alive)[which % len(world.alive)]
        match what:
            case "ask":
                with contextlib.suppress(BudgetExceeded, RateLimited, StateUnavailable):
                    await world.ask(holder, amount)
            case "end" if world.running:
                world.end(which % len(world.running), share)
            case "report":
                try:
                    await world.alive[holder].report()
                except StateUnavailable:
                    assert world.cells.away
            case "die":
                await world.die(holder, share)
                world.start()
            case "stop" if not any(each[0] == holder for each in world.running):
                one = world.alive.pop(holder)
                await one.stop()
                world.start()
            case "away":
                world.cells.away = not world.cells.away
            case "midnight":
                world.now_us += DAY_US // 2
            case "clock back":
                world.now_us -= DAY_US // 4
            case "later":
                world.mono += 10
        world.check()
    world.cells.away = False
    world.mono += 10
    while world.running:
        world.end(0, 50)
    world.check()
    await _agree(world)


async def _agree(world):
    """After everybody stopped, and who died was looked at, ledger and journal say the same."""
    for one in list(world.alive.values()):
        await one.stop()
    world.alive.clear()
    last = world.start()
    for day in sorted({day for _, day, _ in world.journal}):
        world.now_us = day * DAY_US
        try:
            await world.ask(last, 1)
            world.end(0, 0)
        except (BudgetExceeded, RateLimited):
            pass
    await world.alive[last].stop()
    for day in {day for _, day, _ in world.journal}:
        for period in (day_of(day * DAY_US), month_of(day * DAY_US)):
            account = world.cells.account(period)
            assert account.held == 0
            assert account.total_spent == world.spent(period)


def test_two_who_wait_do_not_each_hold_a_part_of_what_one_could_use():
    async def live():
        world = World(wait_s=1)
        one, other = world.start(), world.start()
        for holder, most in ((one, 300), (other, 300), (one, 300)):
            await world.ask(holder, most)
        assert all(
            0 < purse.free < 100 for each in world.alive.values() for purse in each._purses.values()
        )
        waiting = [asyncio.create_task(world.ask(each, 100)) for each in (one, other)]
        done, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        assert [each.exception() for each in done] == [None]
        while world.running:
            world.end(0, 100)
        for each in world.alive.values():
            await each.report()
        for each in rest:
            with pytest.raises(BudgetExceeded):
                await each
        assert world.spent(day_of(world.now_us)) == LIMIT_DAY
        for each in world.alive.values():
            await each.stop()

    asyncio.run(live())


def test_a_reservation_is_settled_once():
    async def live():
        world = World()
        holder = world.start()
        await world.ask(holder, 10)
        held = world.running[0][1]
        assert isinstance(held, Held)
        world.end(0, 100)
        with pytest.raises(AssertionError, match="once"):
            world.alive[holder].settle(held, usd_picos=10, tokens=0)
        await world.alive[holder].stop()

    asyncio.run(live())


def test_a_day_and_a_month_begin_anew_in_utc():
    async def live():
        world = World()
        holder = world.start()
        month = month_of(world.now_us)
        world.now_us = month.end_us - DAY_US - 1  # the day before the last
        await world.ask(holder, LIMIT_DAY)
        world.end(0, 100)
        with pytest.raises(BudgetExceeded):
            await world.ask(holder, 1)
        world.now_us += 1
        await world.ask(holder, LIMIT_MONTH - LIMIT_DAY)
        world.end(0, 100)
        with pytest.raises(BudgetExceeded, match=month.name):
            await world.ask(holder, 1)
        world.now_us = month.end_us
        await world.ask(holder, LIMIT_DAY)
        world.end(0, 100)
        await world.alive[holder].stop()

    asyncio.run(live())


def test_what_was_reserved_before_midnight_is_spent_of_the_day_it_was_reserved_in():
    async def live():
        world = World()
        holder = world.start()
        before = day_of(world.now_us)
        await world.ask(holder, LIMIT_DAY)
        world.now_us = before.end_us + 5
        world.end(0, 100)
        await world.ask(holder, 100)
        world.end(0, 100)
        await world.alive[holder].report()
        assert world.cells.account(before).total_spent == LIMIT_DAY
        await world.alive[holder].stop()
        assert world.cells.account(day_of(world.now_us)).total_spent == 100

    asyncio.run(live())


def test_a_clock_that_jumps_back_spends_what_is_left_of_that_day_and_no_more():
    async def live():
        world = World()
        holder = world.start()
        await world.ask(holder, LIMIT_DAY - 10)
        world.end(0, 100)
        world.now_us += DAY_US
        await world.ask(holder, 500)
        world.end(0, 100)
        world.now_us -= DAY_US
        await world.ask(holder, 10)
        world.end(0, 100)
        with pytest.raises(BudgetExceeded):
            await world.ask(holder, 1)
        await world.alive[holder].stop()

    asyncio.run(live())


def test_an_engine_that_counts_more_than_it_was_allowed_is_written_down_and_stops_the_rest(caplog):
    async def live():
        world = World()
        holder = world.start()
        await world.ask(holder, 10)
        _, held, _, _ = world.running.pop()
        world.alive[holder].settle(held, usd_picos=LIMIT_DAY + 5, tokens=0)
        with pytest.raises(BudgetExceeded):
            await world.ask(holder, 1)
        await world.alive[holder].stop()
        assert world.cells.account(day_of(world.now_us)).total_spent == LIMIT_DAY + 5

    asyncio.run(live())
    assert "more than" in caplog.text


def test_a_holder_of_another_journal_is_never_settled_here():
    async def live():
        world = World()
        dead = world.start()
        await world.ask(dead, 600)
        world.alive[dead]._home  # noqa: B018
        for lease_home in ("elsewhere",):
            for name, raw in world.cells.cells.items():
                account = msgspec.json.decode(raw, type=Account)
                moved = tuple(
                    msgspec.structs.replace(lease, home=lease_home) for lease in account.leases
                )
                world.cells.cells[name] = msgspec.json.encode(Account(account.spent, moved))
        await world.die(dead, 0)
        world.mono += 1000
        world.now_us += 3_600_000_000
        other = world.start()
        with pytest.raises(RateLimited):
            await world.ask(other, 500)
        await world.ask(other, 300)
        world.end(0, 100)
        await world.alive[other].stop()

    asyncio.run(live())
