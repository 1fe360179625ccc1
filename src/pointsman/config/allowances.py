"""Bounds on the use of keys, teams and tenants: money exact and above zero, teams known."""

from collections.abc import Mapping
from decimal import Decimal

from pointsman.config.schema import RawAllowance, RawTeam, RawTenant
from pointsman.config.scope import Place, Scope
from pointsman.domain.limits import Allowance
from pointsman.domain.money import PICOS_PER_USD
from pointsman.domain.task import Team

MOST_USD = 1_000_000


def resolve_allowance(raw: RawAllowance, place: Place, scope: Scope) -> Allowance:
    """The bounds, every problem with them kept."""
    return Allowance(
        requests_per_minute=raw.requests_per_minute,
        tokens_per_minute=raw.tokens_per_minute,
        concurrency=raw.concurrency,
        day_usd_picos=_picos(raw.usd_per_day, (*place, "usd_per_day"), scope),
        month_usd_picos=_picos(raw.usd_per_month, (*place, "usd_per_month"), scope),
    )


def resolve_teams(raw: Mapping[str, RawTeam], scope: Scope) -> tuple[Team, ...]:
    """Teams by name."""
    return tuple(
        Team(
            name=name,
            tenant=each.tenant,
            limits=resolve_allowance(each.limits, ("teams", name, "limits"), scope),
        )
        for name, each in sorted(raw.items())
    )


def resolve_tenants(raw: Mapping[str, RawTenant], scope: Scope) -> dict[str, Allowance]:
    """Bounds of tenants by name."""
    return {
        name: resolve_allowance(each.limits, ("tenants", name, "limits"), scope)
        for name, each in raw.items()
    }


def usd_problem(usd: Decimal) -> str | None:
    """What is wrong with a sum of money as a budget, or None."""
    if not 0 < usd <= MOST_USD:
        return f"a budget is more than 0 and at most {MOST_USD} dollars"
    if usd * 1_000_000 != int(usd * 1_000_000):
        return "finer than a micro-dollar: at most 6 decimals"
    return None


def picos_of(usd: Decimal) -> int:
    """Dollars as pico-dollars, exact."""
    return int(usd * PICOS_PER_USD)


def _picos(usd: Decimal | None, place: Place, scope: Scope) -> int | None:
    if usd is None:
        return None
    problem = usd_problem(usd)
    if problem is not None:
        scope.problem(place, problem)
        return None
    return picos_of(usd)
