"""A purse: what this process holds of one budget in one period, and who waits for more of it.

While the slice suffices, reserving is an addition. Only a refill asks the store.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal, NamedTuple

from pointsman.domain.errors import (
    BudgetExceeded,
    PointsmanError,
    RateLimited,
    StateUnavailable,
)
from pointsman.domain.money import usd
from pointsman.limits.ledger import Asking, Grant
from pointsman.limits.periods import Period

_WAITING_MOST = 1000
_LOOK_AGAIN_S = 0.2  # where others hold what is left
_SURE_S = 1.0  # for which "used up" stands without asking again


class _Waiting(NamedTuple):
    amount: int
    turn: "asyncio.Future[None]"
    until_s: float


Exchange = Callable[["Purse", Asking], Awaitable[Grant]]


class Purse:
    """For one event loop. Amounts in pico-dollars.

    Args: holder and home are those of this process; exchange speaks to the store.
    """

    __slots__ = (
        "_exchange",
        "_freed",
        "_holder",
        "_home",
        "_monotonic",
        "_others",
        "_pump",
        "_sure_until",
        "_turn",
        "_waiting",
        "active",
        "granted",
        "limit",
        "period",
        "reserved",
        "scope",
        "spent",
        "told",
    )  # fmt: skip

    def __init__(
        self,
        scope: str,
        period: Period,
        *,
        limit: int,
        holder: str,
        home: str,
        exchange: Exchange,
        monotonic: Callable[[], float],
    ) -> None:
        self.scope = scope
        self.period = period
        self.limit = limit
        self.granted = 0  # in all, as `spent`
        self.spent = 0
        self.reserved = 0
        self.told = 0  # of `spent`: what the store knows
        self.active = False  # something was reserved since the last report
        self._holder = holder
        self._home = home
        self._exchange = exchange
        self._monotonic = monotonic
        self._others = 0  # spent by all other holders, when the store last said
        self._sure_until = 0.0
        self._waiting: deque[_Waiting] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._freed = asyncio.Event()
        self._turn = asyncio.Lock()

    @property
    def name(self) -> str:
        """Of its cell."""
        return f"budget:{self.scope}:{self.period.name}"

    @property
    def free(self) -> int:
        """What can be reserved here without asking."""
        return self.granted - self.spent - self.reserved

    def look(self, amount: int) -> Literal["yes", "ask"]:
        """Whether so much can be reserved at once. Raises: BudgetExceeded where it never can."""
        if amount <= self.free and not self._waiting:
            return "yes"
        if self._hopeless(amount) and self._monotonic() < self._sure_until:
            raise self._used_up(amount)
        return "ask"

    def take(self, amount: int) -> None:
        """Reserve what `look` said yes to."""
        self.reserved += amount
        self.active = True

    async def reserve(self, amount: int, *, wait_s: float) -> None:
        """Reserve, in the order of asking, once there is enough; the store is asked at least once.

        Raises: BudgetExceeded; RateLimited where others still have it reserved after wait_s;
            StateUnavailable.
        """
        if self.look(amount) == "yes":
            return self.take(amount)
        if len(self._waiting) >= _WAITING_MOST:
            raise self._reserved(amount)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(amount, turn, self._monotonic() + wait_s))
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._serve_waiting())
        try:
            await asyncio.shield(turn)  # each round of who serves it is bounded
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.settle(amount, 0)  # granted in the same moment
            turn.cancel()
            raise

    def settle(self, amount: int, cost: int) -> None:
        """What was reserved was spent, or is free again."""
        self.reserved -= amount
        self.spent += cost
        # Should an engine count more than it was allowed, what runs beside it stays reserved.
        self.granted = max(self.granted, self.spent + self.reserved)
        self._freed.set()

    async def report(self) -> None:
        """Tell the store what was spent; what idles goes back. Raises: StateUnavailable."""
        async with self._turn:
            if not self.active and not self._waiting:
                self.granted = self.spent + self.reserved
            self.active = False
            await self._ask(0, 0)

    @property
    def idle(self) -> bool:
        """Whether nobody would miss it."""
        return not (self.active or self.reserved or self._waiting)

    async def close(self) -> None:
        """Nobody waits any more."""
        if self._pump is not None:
            self._pump.cancel()
            with suppress(asyncio.CancelledError):
                await self._pump

    async def _serve_waiting(self) -> None:
        while True:
            self._serve_from_slice()
            if not self._waiting:
                return
            self._freed.clear()
            try:
                async with self._turn:
                    if self._waiting[0].amount > self.free:
                        # What is too little for us goes into the same word: were it kept, two who
                        # wait would each hold a part of what one of them could use.
                        self.granted = self.spent + self.reserved
                        want = sum(each.amount for each in self._waiting)
                        await self._ask(self._waiting[0].amount, want)
            except PointsmanError as error:
                return self._refuse_all(error)
            except BaseException:  # we are stopping, or broken: nobody is to wait for that
                self._refuse_all(StateUnavailable("budgets are not counted here any more"))
                raise
            self._serve_from_slice()
            self._refuse_some()
            if self._waiting:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_AGAIN_S):
                        await self._freed.wait()

    def _serve_from_slice(self) -> None:
        """In order: a small one does not overtake, or a large one would never come."""
        while self._waiting:
            amount, turn, _ = self._waiting[0]
            if not turn.done():
                if amount > self.free:
                    return
                self.take(amount)
                turn.set_result(None)
            self._waiting.popleft()

    def _refuse_some(self) -> None:
        """Those who never will have it, and those who waited long enough."""
        now_s, kept = self._monotonic(), deque[_Waiting]()
        for each in self._waiting:
            if each.turn.done():
                continue
            if self._hopeless(each.amount):
                _refuse(each.turn, self._used_up(each.amount))
            elif each.until_s <= now_s:
                _refuse(each.turn, self._reserved(each.amount))
            else:
                kept.append(each)
        self._waiting = kept

    def _refuse_all(self, error: PointsmanError) -> None:
        for each in self._waiting:
            if not each.turn.done():
                _refuse(each.turn, type(error)(error.what, why=error.why, next=error.next))
        self._waiting.clear()

    async def _ask(self, least: int, want: int) -> None:
        """One exchange with the store; what ends meanwhile is told the next time."""
        spent = self.spent
        grant = await self._exchange(
            self,
            Asking(self._holder, self._home, spent, max(0, self.granted - spent), least, want),
        )
        self.granted += grant.granted
        self.told = spent
        self._others = grant.spent - spent
        self._sure_until = self._monotonic() + _SURE_S

    def _hopeless(self, amount: int) -> bool:
        """Whether it would be too much even if everything reserved by anyone cost nothing."""
        return amount > self.limit - self._others - self.spent

    def _used_up(self, amount: int) -> BudgetExceeded:
        left = max(0, self.limit - self._others - self.spent)
        return BudgetExceeded(
            f"the budget of {words(self.scope)} for {self.period.name} (UTC) is used up",
            why=f"this request may cost up to ${usd(amount):.6f}, and ${usd(left):.6f} of "
            f"${usd(self.limit):.6f} is left",
            next="ask for a shorter answer (max_tokens), wait for the next period, or raise it",
        )

    def _reserved(self, amount: int) -> RateLimited:
        return RateLimited(
            f"what is left of the budget of {words(self.scope)} is reserved by requests that run",
            why=f"this one may cost up to ${usd(amount):.6f}",
            next="try again once they have ended",
            code="budget_reserved",
            retry_after_s=1.0,
        )


def words(scope: str) -> str:
    """A scope as people read it: `the key app1`."""
    kind, _, name = scope.partition(":")
    return f"the {kind} {name}"


def _refuse(turn: "asyncio.Future[None]", error: PointsmanError) -> None:
    turn.set_exception(error)
    turn.exception()  # looked at, should its client be gone
