"""What a key, a team or a tenant may use, and what one request needs of it; nothing is counted."""

from typing import NamedTuple

import msgspec


class Allowance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The most that may be used; None: no bound of that kind."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None  # requests at once
    day_usd_picos: int | None = None  # of a day in UTC
    month_usd_picos: int | None = None  # of a calendar month in UTC

    @property
    def bounds_money(self) -> bool:
        """Whether spending is bounded."""
        return self.day_usd_picos is not None or self.month_usd_picos is not None

    @property
    def empty(self) -> bool:
        """Whether nothing is bounded."""
        return self == NO_BOUNDS


NO_BOUNDS = Allowance()


class Scope(NamedTuple):
    """Whose use is counted together: `key:app1`, `team:search`, `tenant:acme`."""

    name: str
    allowance: Allowance


class Need(NamedTuple):
    """The most that one request will use."""

    tokens: int  # an estimate: rates are settled to what it was
    usd_picos: int  # an upper bound: never less than what it will cost


class Bounds(NamedTuple):
    """The scopes a caller's requests count in, and what of a request must be known for them."""

    scopes: tuple[Scope, ...]
    money: bool
    tokens: bool


def bounds_of(scopes: tuple[Scope, ...]) -> Bounds | None:
    """None where nothing is bounded: such a caller costs nothing here."""
    bounding = tuple(scope for scope in scopes if not scope.allowance.empty)
    if not bounding:
        return None
    return Bounds(
        bounding,
        money=any(scope.allowance.bounds_money for scope in bounding),
        tokens=any(scope.allowance.tokens_per_minute is not None for scope in bounding),
    )
