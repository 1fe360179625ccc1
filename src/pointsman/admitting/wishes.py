"""A virtual key as somebody wishes it, checked against the configuration before it is made."""

from collections.abc import Collection
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from pointsman.config.allowances import picos_of, usd_problem
from pointsman.domain.errors import UsageError
from pointsman.domain.limits import Allowance
from pointsman.domain.money import usd
from pointsman.domain.task import Configuration, VirtualKey

if TYPE_CHECKING:
    from pointsman.state.virtual_keys import Made, StoredVirtualKeys

_DAY_US = 86_400_000_000
_Count = Annotated[int, Meta(ge=1, le=2**31)]


class KeyWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a key is to be."""

    name: str
    tenant: str | None = None  # None: its team's, else `default`
    team: str | None = None
    tasks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    requests_per_minute: _Count | None = None
    tokens_per_minute: _Count | None = None
    concurrency: _Count | None = None
    usd_per_day: Decimal | None = None
    usd_per_month: Decimal | None = None
    expires_in_days: Annotated[float, Meta(gt=0, le=36_500)] | None = None


def make_key(
    config: Configuration, keys: "StoredVirtualKeys", wish: KeyWish, *, by: str, now_us: int
) -> "Made":
    """The key and its secret. Raises: UsageError for what cannot be, and nothing is made."""
    if any(wish.name == key.name for key in config.keys):
        raise UsageError(
            f"the configuration has a key {wish.name!r} already", next="choose another"
        )
    _check_known("task", wish.tasks, config.tasks)
    _check_known("deployment or route", wish.models, [*config.deployments, *config.routes])
    days = wish.expires_in_days
    return keys.create(
        wish.name,
        by=by,
        tenant=_tenant(config, wish),
        team=wish.team,
        tasks=wish.tasks,
        models=wish.models,
        limits=Allowance(
            requests_per_minute=wish.requests_per_minute,
            tokens_per_minute=wish.tokens_per_minute,
            concurrency=wish.concurrency,
            day_usd_picos=_picos(wish.usd_per_day),
            month_usd_picos=_picos(wish.usd_per_month),
        ),
        expires_us=None if days is None else now_us + max(1, round(days * _DAY_US)),
    )


def key_as_data(key: VirtualKey) -> dict[str, Any]:
    """A key as JSON tells it, money in dollars; it holds no secret."""
    made: dict[str, Any] = msgspec.to_builtins(key)
    limits = key.limits
    made["limits"] = {
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrency": limits.concurrency,
        "usd_per_day": None if limits.day_usd_picos is None else usd(limits.day_usd_picos),
        "usd_per_month": None if limits.month_usd_picos is None else usd(limits.month_usd_picos),
    }
    return made


def _picos(dollars: Decimal | None) -> int | None:
    if dollars is None:
        return None
    problem = usd_problem(dollars) if dollars.is_finite() else "that is no sum of money"
    if problem is not None:
        raise UsageError(problem)
    return picos_of(dollars)


def _tenant(config: Configuration, wish: KeyWish) -> str:
    if wish.team is None:
        return wish.tenant or "default"
    _check_known("team", [wish.team], [each.name for each in config.teams])
    owner = next(each.tenant for each in config.teams if each.name == wish.team)
    if wish.tenant is not None and wish.tenant != owner:
        raise UsageError(f"the team {wish.team} is of the tenant {owner}", next="name no tenant")
    return owner


def _check_known(what: str, words: Collection[str], known: Collection[str]) -> None:
    for word in words:
        if word not in known:
            raise UsageError(
                f"the configuration has no {what} {word[:100]!r}",
                next=f"it has: {', '.join(known)}",
            )
