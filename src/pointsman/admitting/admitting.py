"""Implements the port `Admittance`: requests at once, rates and budgets, key, team and tenant."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter

import msgspec

from pointsman.admitting.counters import Counters
from pointsman.admitting.gone import Gone, Home
from pointsman.admitting.purse import Purse, words
from pointsman.admitting.rates import Rate, What, headers
from pointsman.domain.errors import PointsmanError, RateLimited, StateUnavailable
from pointsman.domain.limits import Allowance, Need, Scope
from pointsman.domain.task import BudgetSettings
from pointsman.limits.ledger import Account, Asking, Grant, exchange, settle
from pointsman.limits.periods import DAY_US, Period, day_of, month_of

log = logging.getLogger("pointsman.limits")
_KEPT_AFTER_US = 7 * DAY_US  # an account stays so long after its period: late ends, and people
_REMAINING = attrgetter("remaining")
_FORGET_EVERY_S = 600.0
_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(Account)


@dataclass(slots=True)
class _Counted:
    """What is counted of one scope."""

    allowance: Allowance
    concurrency: int | None  # of this process
    requests: Rate | None
    tokens: Rate | None
    running: int = 0


@dataclass(slots=True)
class Held:
    """The port `Reservation`."""

    counted: tuple[_Counted, ...]
    tokens: int
    usd_picos: int
    purses: tuple[Purse, ...] = ()
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    settled: bool = False


class Admitting:
    """For one event loop. `start` reports what is spent now and then; `stop` gives all back.

    Args: counters is where budgets are counted; shared says whether rates are, too; workers is
        how many processes share what is not counted together; monotonic is in seconds.
    """

    def __init__(
        self,
        counters: Counters,
        settings: BudgetSettings,
        *,
        home: Home,
        now_us: Callable[[], int],
        monotonic: Callable[[], float],
        shared: bool = False,
        workers: int = 1,
    ) -> None:
        self._counters = counters
        self._settings = settings
        self._home = home
        self._gone = Gone(home, monotonic)
        self._now_us = now_us
        self._monotonic = monotonic
        self._shared = shared and not counters.local
        self._workers = workers
        self._counted: dict[str, _Counted] = {}
        self._purses: dict[tuple[str, str], Purse] = {}
        self._day = self._month = Period("", 0, 0)
        self._ticking: asyncio.Task[None] | None = None

    # Letting in

    def at_once(self, scopes: Sequence[Scope], need: Need, *, at_us: int) -> Held | None:
        """Everything is looked at before anything is taken."""
        now_us = self._now_us()
        counted = self._scopes(scopes, now_us)
        purses = self._purses_of(scopes, need, at_us)
        ready = True
        for each, scope in zip(counted, scopes, strict=True):
            _check_concurrency(each, scope.name)
            if each.requests is not None and each.requests.look(1, now_us) == "ask":
                ready = False
            rate = each.tokens
            if rate is not None and rate.look(rate.clipped(need.tokens), now_us) == "ask":
                ready = False
        for purse in purses:
            if purse.look(need.usd_picos) == "ask":
                ready = False
        if not ready:
            return None
        for each in counted:
            each.running += 1
            if each.requests is not None:
                each.requests.take(1, now_us)
            if each.tokens is not None:
                each.tokens.take(each.tokens.clipped(need.tokens), now_us)
        for purse in purses:
            purse.take(need.usd_picos)
        return self._held(counted, need, purses, now_us)

    async def admit(self, scopes: Sequence[Scope], need: Need, *, at_us: int) -> Held:
        """One after another, always in the same order; what was taken goes back at a refusal."""
        now_us = self._now_us()
        counted = self._scopes(scopes, now_us)
        for each, scope in zip(counted, scopes, strict=True):
            _check_concurrency(each, scope.name)
        for each in counted:
            each.running += 1
        undo: list[Callable[[], None]] = []
        try:
            for each in counted:
                for rate, count in ((each.requests, 1), (each.tokens, need.tokens)):
                    if rate is not None:
                        charged = rate.clipped(count)
                        await rate.fetch(charged, self._now_us)
                        undo.append(_giving_back(rate, charged, self._now_us))
            purses = self._purses_of(scopes, need, at_us)
            for purse in purses:
                await purse.reserve(need.usd_picos, wait_s=self._settings.wait_s)
                undo.append(_letting_go(purse, need.usd_picos))
        except BaseException as error:
            for each in counted:
                each.running -= 1
            for back in undo:
                back()
            if isinstance(error, StateUnavailable):
                raise StateUnavailable(
                    "the budget of this request cannot be looked at, so nothing was spent",
                    why=error.why or error.what,
                    next=error.next,
                    code="budget_unavailable",
                    retry_after_s=1.0,
                ) from error
            raise
        return self._held(counted, need, purses, self._now_us())

    def settle(self, reservation: object, *, usd_picos: int, tokens: int) -> None:
        """Once: what was reserved is what was used."""
        assert isinstance(reservation, Held), "what is settled was reserved here"
        assert not reservation.settled, "a reservation is settled once"
        reservation.settled = True
        for each in reservation.counted:
            each.running -= 1
            rate = each.tokens
            if rate is not None:
                more = tokens - rate.clipped(reservation.tokens)
                if more:
                    rate.take(more, self._now_us())
        if usd_picos > reservation.usd_picos and reservation.purses:
            log.error(
                "a request cost %d pico-dollars, more than the %d that were its bound",
                usd_picos, reservation.usd_picos,
            )  # fmt: skip
        for purse in reservation.purses:
            purse.settle(reservation.usd_picos, usd_picos)

    # In the background

    def start(self) -> None:
        """Report now and then, so that a slice stays ours and what idles does not."""
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Tell what was spent and give all back; what cannot be told now is in the journal."""
        if self._ticking is not None:
            self._ticking.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticking
        for purse in self._purses.values():
            await purse.close()
            with suppress(StateUnavailable):
                await self._leave(purse)
        self._purses.clear()
        await asyncio.to_thread(self._counters.close)

    def change(self, settings: BudgetSettings) -> None:
        """Other settings, from the next time on."""
        self._settings = settings

    async def _tick(self) -> None:
        forgotten_s = self._monotonic()
        while True:
            await asyncio.sleep(self._settings.lease_s / 3)
            with suppress(StateUnavailable):  # it stays ours: the next time tells it all
                await self.report()
                if self._monotonic() - forgotten_s > _FORGET_EVERY_S:
                    forgotten_s = self._monotonic()
                    await self._counters.forget(self._now_us())

    async def report(self) -> None:
        """Tell the store of every purse; those of a period that is over are closed."""
        now_us = self._now_us()
        for key, purse in list(self._purses.items()):
            if purse.period.end_us <= now_us and purse.idle:
                del self._purses[key]
                await self._leave(purse)
            elif purse.active or purse.told != purse.spent or purse.granted > purse.spent:
                await purse.report()

    # The store

    async def _exchange(self, purse: Purse, asking: Asking) -> Grant:
        account, grant = await self._exchanged(purse, asking)
        settled = await self._settle_gone(purse, account)
        if settled and not grant.granted and asking.least:
            _, grant = await self._exchanged(purse, asking)
        return grant

    async def _exchanged(self, purse: Purse, asking: Asking) -> tuple[Account, Grant]:
        expires_us = self._now_us() + round(self._settings.lease_s * 1e6)
        limit, seed = purse.limit, await self._seed(purse)
        made: list[Grant] = []

        def change(old: bytes | None) -> bytes:
            account = _decode(old)
            if old is None and seed:
                account = Account(seed)
            after, grant = exchange(account, asking, limit=limit, expires_us=expires_us)
            made.append(grant)
            return _encode(after)

        value = await self._change(purse, change)
        return _decode(value), made[-1]

    async def _seed(self, purse: Purse) -> int:
        """What was spent before this process began, where no store remembers it: the journal."""
        if not self._counters.local or purse.granted or purse.spent:
            return 0
        try:
            return await asyncio.to_thread(self._gone.before, purse.scope, purse.period)
        except (PointsmanError, OSError) as error:
            raise StateUnavailable(
                "what was spent before cannot be read in the journal", why=str(error)[:300]
            ) from error

    async def _settle_gone(self, purse: Purse, account: Account) -> bool:
        """Close the leases of processes of this journal that died; whether there were any."""
        found = False
        for lease in account.leases:
            if lease.home != self._home.name or not self._gone.worth_a_look(lease.holder):
                continue
            try:
                spent = await asyncio.to_thread(
                    self._gone.spent, lease.holder, purse.scope, purse.period
                )
            except (PointsmanError, OSError) as error:
                log.warning("what %s spent cannot be read yet: %s", lease.holder, error)
                continue
            if spent is not None:
                await self._change(purse, _settling(lease.holder, spent))
                log.info("settled %s for %s: %d", lease.holder, purse.name, spent)
                found = True
        return found

    async def _leave(self, purse: Purse) -> None:
        await self._change(purse, _settling(self._home.holder, purse.spent))

    async def _change(self, purse: Purse, change: Callable[[bytes | None], bytes]) -> bytes:
        until_us = purse.period.end_us + _KEPT_AFTER_US
        return await self._counters.change(purse.name, change, until_us=until_us)

    # What is counted

    def _scopes(self, scopes: Sequence[Scope], now_us: int) -> tuple[_Counted, ...]:
        found = []
        for name, allowance in scopes:
            known = self._counted.get(name)
            if known is None or known.allowance is not allowance:
                known = self._counted[name] = self._renewed(name, allowance, known, now_us)
            found.append(known)
        return tuple(found)

    def _renewed(
        self, name: str, allowance: Allowance, known: _Counted | None, now_us: int
    ) -> _Counted:
        """A scope that is new here, or whose bounds changed; what runs is counted on."""
        if known is not None and known.allowance == allowance:
            known.allowance = allowance
            return known
        most = allowance.concurrency
        requests = self._rate(name, "requests", allowance.requests_per_minute, now_us)
        tokens = self._rate(name, "tokens", allowance.tokens_per_minute, now_us)
        share = None if most is None else -(-most // self._workers)
        if known is None:
            return _Counted(allowance, share, requests, tokens)
        known.allowance, known.concurrency = allowance, share
        known.requests, known.tokens = requests, tokens
        return known

    def _rate(self, name: str, what: What, per_minute: int | None, now_us: int) -> Rate | None:
        if per_minute is None:
            return None
        if not self._shared:
            per_minute = -(-per_minute // self._workers)
        counters = self._counters if self._shared else None
        return Rate(name, what, per_minute, counters=counters, now_us=now_us)

    def _purses_of(self, scopes: Sequence[Scope], need: Need, at_us: int) -> tuple[Purse, ...]:
        if not need.usd_picos:
            return ()
        if not self._day.start_us <= at_us < self._day.end_us:
            self._day, self._month = day_of(at_us), month_of(at_us)
        found = []
        for name, allowance in scopes:
            if allowance.day_usd_picos is not None:
                found.append(self._purse(name, self._day, allowance.day_usd_picos))
            if allowance.month_usd_picos is not None:
                found.append(self._purse(name, self._month, allowance.month_usd_picos))
        return tuple(found)

    def _purse(self, scope: str, period: Period, limit: int) -> Purse:
        if self._counters.local:
            limit = limit // self._workers
        purse = self._purses.get((scope, period.name))
        if purse is None:
            purse = self._purses[scope, period.name] = Purse(
                scope,
                period,
                limit=limit,
                holder=self._home.holder,
                home=self._home.name,
                exchange=self._exchange,
                monotonic=self._monotonic,
            )
        purse.limit = limit
        return purse

    def _held(
        self, counted: tuple[_Counted, ...], need: Need, purses: tuple[Purse, ...], now_us: int
    ) -> Held:
        held = Held(counted, need.tokens, need.usd_picos, purses)
        requests = [each.requests.standing(now_us) for each in counted if each.requests]
        tokens = [each.tokens.standing(now_us) for each in counted if each.tokens]
        if requests:
            held.headers += headers("requests", min(requests, key=_REMAINING))
        if tokens:
            held.headers += headers("tokens", min(tokens, key=_REMAINING))
        return held


def _decode(value: bytes | None) -> Account:
    """The account in a cell. Raises: StateUnavailable for bytes that are none."""
    if value is None:
        return Account()
    try:
        return _decoder.decode(value)
    except msgspec.MsgspecError as error:
        raise StateUnavailable(
            "the account of a budget is damaged",
            why=str(error)[:200],
            next="restore the database; until then nothing is spent from it",
        ) from error


def _check_concurrency(counted: _Counted, scope: str) -> None:
    if counted.concurrency is not None and counted.running >= counted.concurrency:
        raise RateLimited(
            f"{words(scope)} may have {counted.concurrency} requests at once, and has",
            next="wait for one to end",
            code="too_many_at_once",
            retry_after_s=1.0,
        )


def _settling(holder: str, spent: int) -> Callable[[bytes | None], bytes]:
    def change(old: bytes | None) -> bytes:
        return _encode(settle(_decode(old), holder, spent))

    return change


def _giving_back(rate: Rate, count: int, now_us: Callable[[], int]) -> Callable[[], None]:
    return lambda: rate.take(-count, now_us())


def _letting_go(purse: Purse, amount: int) -> Callable[[], None]:
    return lambda: purse.settle(amount, 0)
