"""Route or cascade: the plan of one request that is expected to be worth most; nothing is called.

One call and a cascade are weighed in one enumeration, on what a plan costs (every paid try, the
checks between, waiting where it is priced) and how likely what it delivers is accepted.

Source: the unification of routing and cascading of Dekoninck, Baader, Vechev, "A Unified Approach
to Routing and Cascading for LLMs", ICML 2025 (arXiv 2410.10347). Here plans are enumerated rather
than sampled, and what a rejected try says of the later ones is a correlation between two arms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from typing import Final

MOST_STEPS: Final = 3  # 8 arms then make 92 plans, weighed in 0.4 ms; a fourth try gained nothing
SAME_FAMILY: Final = 0.4  # median over pairs of models in three recorded portfolios (.38, .43, .47)
_CERTAIN: Final = 1e-9


@dataclass(frozen=True, slots=True)
class GateQuality:
    """How well the gate behind an arm tells its good answers from the others.

    `passes_right` and `passes_wrong` are the shares of good and of bad answers that it accepts;
    a gate that looks at nothing has them equal. A check is paid whenever the arm was.
    """

    passes_right: float
    passes_wrong: float
    cost_usd_picos: int = 0
    wait_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Option:
    """One arm as far as this request is concerned; without a gate it can only come last."""

    arm: str
    accepted: float  # chance that its answer is accepted, in [0, 1]
    cost_usd_picos: float  # expected, of one call
    wait_ms: float = 0.0
    gate: GateQuality | None = None


@dataclass(frozen=True, slots=True)
class Objective:
    """What a plan is to be: at least `floor` accepted, then worth most.

    With `value_usd_picos` an accepted output is worth so much, and the plan with the largest
    value - cost is taken; without it the cheapest one. A plan that could cost more than
    `most_usd_picos` is never taken. Waiting costs `wait_usd_picos_per_ms`.
    """

    floor: float | None = None
    value_usd_picos: float | None = None
    most_usd_picos: float | None = None
    wait_usd_picos_per_ms: float = 0.0
    most_steps: int = MOST_STEPS


@dataclass(frozen=True, slots=True)
class Weighed:
    """A plan and what is expected of it; the arms in the order they are tried.

    `reach` is the chance that each step is run, `price_usd_picos` cost and priced waiting.
    """

    arms: tuple[str, ...]
    accepted: float
    cost_usd_picos: float
    most_usd_picos: float  # when every step is run
    wait_ms: float
    price_usd_picos: float
    reach: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Optimum:
    """The plan to take; `met` is False where no plan reaches the floor: then the best one is."""

    best: Weighed
    met: bool
    weighed: tuple[Weighed, ...]  # all that were admissible, the best first


def optimise(
    options: Sequence[Option], objective: Objective, *, correlation: float = SAME_FAMILY
) -> Optimum | None:
    """The plan of single calls and cascades that serves the objective best.

    Arms that another beats or equals in everything are left out, so that an arm which can do
    nothing better changes nothing. A cascade tries arms in order of their cost.

    Args: correlation of two arms' successes, in [0, 1]: 0 says that a failed try tells nothing of
        the next one, 1 that whatever the first cannot do no other can that is no better.
    Returns: None where no plan keeps within `most_usd_picos`, or there is no option.
    """
    useful = _undominated(options, objective.wait_usd_picos_per_ms)
    useful.sort(key=lambda o: (o.cost_usd_picos, o.arm))
    plans = []
    for steps in range(1, min(objective.most_steps, len(useful)) + 1):
        for arms in combinations(useful, steps):
            if all(option.gate is not None for option in arms[:-1]):
                plan = weigh(arms, objective.wait_usd_picos_per_ms, correlation=correlation)
                if objective.most_usd_picos is None or (
                    plan.most_usd_picos <= objective.most_usd_picos
                ):
                    plans.append(plan)
    if not plans:
        return None
    floor = objective.floor
    good = plans if floor is None else [p for p in plans if p.accepted >= floor - _CERTAIN]
    met = bool(good)
    if not met:
        best = max(plans, key=lambda p: (p.accepted, -p.price_usd_picos))
    elif objective.value_usd_picos is not None:
        value = objective.value_usd_picos
        best = max(good, key=lambda p: (value * p.accepted - p.price_usd_picos, -len(p.arms)))
    else:
        best = min(good, key=lambda p: (p.price_usd_picos, -p.accepted, len(p.arms)))
    return Optimum(best, met, (best, *(p for p in plans if p is not best)))


def weigh(
    options: Sequence[Option],
    wait_usd_picos_per_ms: float = 0.0,
    *,
    correlation: float = SAME_FAMILY,
) -> Weighed:
    """What to expect of trying these arms in this order; every one but the last has a gate."""
    assert options, "a plan has a step"
    last = len(options) - 1
    reach, accepted, cost, wait, most = 1.0, 0.0, 0.0, 0.0, 0.0
    reached = []
    chances = [option.accepted for option in options]
    for at, option in enumerate(options):
        gate = option.gate if at < last else None
        price = option.cost_usd_picos + (gate.cost_usd_picos if gate else 0)
        reached.append(reach)
        cost += reach * price
        most += price
        wait += reach * (option.wait_ms + (gate.wait_ms if gate else 0.0))
        right = chances[at]
        if gate is None:
            accepted += reach * right
            break
        passed = right * gate.passes_right
        rejected = 1.0 - passed - (1.0 - right) * gate.passes_wrong
        accepted += reach * passed
        if rejected <= _CERTAIN:
            reach = 0.0
            continue
        reach *= rejected
        if 0.0 < right < 1.0:
            # Two yes/no outcomes of correlation r: knowing the first for sure moves the second
            # by r * sd(second) / sd(first) per unit.
            moved = (right - passed) / rejected - right
            slope = correlation / sqrt(right * (1.0 - right)) * moved
            for later in range(at + 1, last + 1):
                chance = chances[later]
                chance += slope * sqrt(chance * (1.0 - chance))
                chances[later] = 0.0 if chance < 0.0 else min(chance, 1.0)
    return Weighed(
        arms=tuple([option.arm for option in options]),
        accepted=min(1.0, accepted),
        cost_usd_picos=cost,
        most_usd_picos=most,
        wait_ms=wait,
        price_usd_picos=cost + wait * wait_usd_picos_per_ms,
        reach=tuple(reached),
    )


def _undominated(options: Sequence[Option], wait_price: float) -> list[Option]:
    kept: list[Option] = []
    for position, option in enumerate(options):
        beaten = any(
            _at_least(other, option, wait_price)
            # of two that are equal the earlier one stays
            and (at < position or not _at_least(option, other, wait_price))
            for at, other in enumerate(options)
            if at != position
        )
        if not beaten:
            kept.append(option)
    return kept


def _at_least(one: Option, other: Option, wait_price: float) -> bool:
    """Whether `one` is in nothing worse than `other`."""
    if one.accepted < other.accepted or one.cost_usd_picos > other.cost_usd_picos:
        return False
    if wait_price > 0 and one.wait_ms > other.wait_ms:
        return False
    mine, theirs = one.gate, other.gate
    if theirs is None:
        return True
    return (
        mine is not None
        and mine.passes_right >= theirs.passes_right
        and mine.passes_wrong <= theirs.passes_wrong
        and mine.cost_usd_picos <= theirs.cost_usd_picos
        and (wait_price <= 0 or mine.wait_ms <= theirs.wait_ms)
    )
