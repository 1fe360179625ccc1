"""The ledger of one budget in one period: what is spent, and who holds how much of the rest.

A holder (a gateway process) takes a slice, spends from it without asking anybody, and says now and
then how much it has spent. All figures of a holder are totals since it began, so that a message
that comes twice, or never, changes nothing that the next one does not put right. Amounts are
pico-dollars; nothing here waits, and nothing reads a clock.
"""

from typing import NamedTuple

import msgspec
from msgspec.structs import replace


class Lease(msgspec.Struct, frozen=True, array_like=True):
    """What one holder has of a budget."""

    holder: str
    home: str  # where its journal lies: who may say what it spent, should it die
    granted: int  # in all
    spent: int  # of that, as far as it has said
    expires_us: int  # it renews before; after, others look whether it lives


class Account(msgspec.Struct, frozen=True, array_like=True):
    """One budget in one period. `spent` is what those spent who hold nothing any more."""

    spent: int = 0
    leases: tuple[Lease, ...] = ()

    @property
    def total_spent(self) -> int:
        """What is known to be spent."""
        return self.spent + sum(lease.spent for lease in self.leases)

    @property
    def held(self) -> int:
        """What was granted and is not known to be spent."""
        return sum(max(0, lease.granted - lease.spent) for lease in self.leases)


class Asking(NamedTuple):
    """What a holder says of itself and asks for."""

    holder: str
    home: str
    spent: int  # in all, from this budget in this period
    kept: int  # of its slice, unspent, that it goes on holding
    least: int = 0  # less is of no use to it; 0: it asks for nothing
    want: int = 0  # what it could use at once, at least `least`


class Grant(NamedTuple):
    """What came of it."""

    granted: int  # new, beside what it kept: 0, or at least `least`
    spent: int  # by everyone, as far as is known
    held: int  # by everyone, this holder included


def exchange(
    account: Account, asking: Asking, *, limit: int, expires_us: int
) -> tuple[Account, Grant]:
    """The account after a holder spoke: what it spent is noted, what it let go is free again.

    It gets at least `least`, if that is free; up to `want`; and a little ahead of need while there
    is plenty, so that it need not ask for every request. With nothing kept and nothing asked for
    it holds no lease any more.
    """
    others = tuple(lease for lease in account.leases if lease.holder != asking.holder)
    known = next((lease for lease in account.leases if lease.holder == asking.holder), None)
    spent = max(asking.spent, known.spent if known else 0)
    kept = max(0, asking.kept)
    rest = Account(account.spent, others)
    free = limit - rest.total_spent - rest.held - spent - kept
    granted = _slice(free, asking, limit)
    if granted or kept:
        mine = Lease(asking.holder, asking.home, spent + kept + granted, spent, expires_us)
        after = replace(rest, leases=(*others, mine))
    elif spent:  # its total stays its own: it may say it once more
        after = replace(rest, leases=(*others, Lease(asking.holder, asking.home, spent, spent, 0)))
    else:
        after = rest
    return after, Grant(granted, after.total_spent, after.held)


def settle(account: Account, holder: str, spent: int) -> Account:
    """The account once a holder is gone for good and its journal says what it spent in all."""
    known = next((lease for lease in account.leases if lease.holder == holder), None)
    if known is None:
        return account
    others = tuple(lease for lease in account.leases if lease.holder != holder)
    return Account(account.spent + max(spent, known.spent), others)


def _slice(free: int, asking: Asking, limit: int) -> int:
    if asking.least <= 0 or free < asking.least:
        return 0
    want = max(asking.least, min(asking.want, free))
    # Ahead of need: an eighth of what is left after, and a fiftieth of the whole at most, so that
    # what idles with one holder when a budget runs out is little.
    return want + min((free - want) // 8, limit // 50)
