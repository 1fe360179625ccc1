"""Which plan is taken when some requests explore: propensities that sum to one, and the draw."""

from collections.abc import Sequence
from typing import NamedTuple

_THIN: float = 10.0  # outcomes, from which on an arm is asked less and less often


class Taken(NamedTuple):
    """What a draw gives."""

    plan: tuple[str, ...]
    propensity: float
    explored: bool


def propensities(
    best: tuple[str, ...], others: Sequence[tuple[tuple[str, ...], float]], share: float
) -> dict[tuple[str, ...], float]:
    """The chance of each plan to be taken; they sum to one.

    Args: others are plans to explore with the outcomes known of each: the less is known, the more
        of the share goes there; share in [0, 1) is that of requests that explore.
    """
    found = {best: 1.0}
    weights = {plan: 1.0 / (max(0.0, n) + _THIN) for plan, n in others if plan != best}
    if not weights or share <= 0.0:
        return found
    total = sum(weights.values())
    given = 0.0
    for plan, weight in weights.items():
        found[plan] = share * weight / total
        given += found[plan]
    found[best] = 1.0 - given
    return found


def take(chances: dict[tuple[str, ...], float], draw: float) -> Taken:
    """The plan that a draw in [0, 1) gives; the first of `chances` is the one not explored."""
    assert chances, "there is always a plan to take"
    plans = list(chances)
    reached = 0.0
    for plan in plans:
        reached += chances[plan]
        if draw < reached:
            return Taken(plan, chances[plan], plan is not plans[0])
    return Taken(plans[0], chances[plans[0]], False)  # the last ulp belongs to the best
