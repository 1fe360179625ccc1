"""How budgets stand: what is spent, what is held by whom, what is left; read, never changed."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from pointsman.domain.limits import Allowance
from pointsman.domain.money import usd
from pointsman.domain.task import Configuration, VirtualKey
from pointsman.limits.ledger import Account
from pointsman.limits.periods import day_of, month_of

if TYPE_CHECKING:
    from pointsman.state import State

PREFIX = "budget:"
_WAIT_S = 5.0  # a person waits longer than a request
_decode = msgspec.json.Decoder(Account).decode


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One budget in its present period; amounts in pico-dollars."""

    scope: str  # `key:app`, `team:search`, `tenant:acme`
    period: str  # `2026-11-24`, `2026-11`
    limit: int
    spent: int
    held: int  # granted to gateways and not known to be spent
    holders: int  # gateways that hold some of it
    late: int  # of them, those that have not said a word for longer than their lease

    @property
    def left(self) -> int:
        """What nobody has spent or holds."""
        return max(0, self.limit - self.spent - self.held)


def standings(
    config: Configuration,
    keys: Iterable[VirtualKey],
    cells: Mapping[str, bytes],
    *,
    now_us: int,
) -> list[Standing]:
    """Every budget of the configuration and of virtual keys that are not over, by scope."""
    found = []
    for scope, allowance in _allowances(config, keys, now_us):
        for limit, period in (
            (allowance.day_usd_picos, day_of(now_us)),
            (allowance.month_usd_picos, month_of(now_us)),
        ):
            if limit is None:
                continue
            raw = cells.get(f"{PREFIX}{scope}:{period.name}")
            account = _decode(raw) if raw is not None else Account()
            holding = [lease for lease in account.leases if lease.granted > lease.spent]
            found.append(
                Standing(
                    scope=scope,
                    period=period.name,
                    limit=limit,
                    spent=account.total_spent,
                    held=account.held,
                    holders=len(holding),
                    late=sum(lease.expires_us <= now_us for lease in holding),
                )
            )
    return found


def look(config: Configuration, state: "State | None", *, now_us: int) -> list[Standing]:
    """How every budget stands, wherever it is counted. Raises: StateUnavailable, ExtraMissing."""
    keys = state.virtual_keys.all() if state is not None else ()
    cells: Mapping[str, bytes] = {}
    if config.state.counters is not None:
        from pointsman.state.redis_cells import RedisCells

        redis = RedisCells(config.state.counters, wait_s=_WAIT_S)
        try:
            cells = redis.read(PREFIX)
        finally:
            redis.close()
    elif state is not None:
        cells = state.cells.read(PREFIX)
    return standings(config, keys, cells, now_us=now_us)


def as_data(standing: Standing) -> dict[str, Any]:
    """A standing as JSON tells it, in dollars beside pico-dollars."""
    return {
        **msgspec.to_builtins(standing),
        "left": standing.left,
        "limit_usd": usd(standing.limit),
        "spent_usd": usd(standing.spent),
        "left_usd": usd(standing.left),
    }


def _allowances(
    config: Configuration, keys: Iterable[VirtualKey], now_us: int
) -> Iterator[tuple[str, Allowance]]:
    for key in config.keys:
        yield f"key:{key.name}", key.limits
    for each in keys:
        over = each.expires_us is not None and each.expires_us <= now_us
        if each.revoked_us is None and not over:
            yield f"key:{each.name}", each.limits
    for team in config.teams:
        yield f"team:{team.name}", team.limits
    for tenant, allowance in config.tenants.items():
        yield f"tenant:{tenant}", allowance
