"""Several opinions to one verdict: repeats of one question, and the two orders of a pair."""

import math
from collections.abc import Sequence

import msgspec

from pointsman.domain.judges import JudgeSpec
from pointsman.evals.judging.reading import Opinion


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a judge made of one answer, or of one pair (1: the first given is better)."""

    value: float | None = None  # in [0, 1]; None: unjudged
    passed: bool | None = None
    why: str = ""
    asked: int = 1  # requests that it took
    judged: int = 1  # of these, how many gave an opinion
    variance: float | None = None  # of repeats of the same question; None: asked once
    consistent: bool | None = None  # of a pair: whether both orders agree; None: one is unjudged
    orders: tuple[float | None, float | None] | None = None  # what each order gave, as given

    @property
    def unjudged(self) -> bool:
        """Whether it came to no verdict."""
        return self.value is None


def of_repeats(spec: JudgeSpec, opinions: Sequence[Opinion]) -> Verdict:
    """One verdict on one answer, of however many times it was asked for.

    Unjudged unless more than half of the opinions are there, and where they are split evenly.
    """
    asked = len(opinions)
    seen = [each for each in opinions if each.value is not None]
    if not seen or len(seen) * 2 <= asked:
        why = next((each.why for each in opinions if each.value is None), "nobody was asked")
        return Verdict(why=why, asked=asked, judged=len(seen))
    values = [each.value for each in seen if each.value is not None]
    mean = math.fsum(values) / len(values)
    variance = (
        math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
        if len(values) > 1
        else None
    )
    passes = _passes(spec, mean)
    if passes is None:
        return Verdict(why="as many opinions pass it as fail it", asked=asked, judged=len(seen),
                       variance=variance)  # fmt: skip
    closest = min(seen, key=lambda each: abs((each.value or 0.0) - mean))
    return Verdict(value=mean, passed=passes, why=closest.why, asked=asked, judged=len(seen),
                   variance=variance)  # fmt: skip


def _passes(spec: JudgeSpec, mean: float) -> bool | None:
    if spec.scale is None:
        return None if mean == 0.5 else mean > 0.5
    low, high = spec.scale
    return mean * (high - low) + low >= spec.passes_from - 1e-9


def of_orders(as_given: Verdict, swapped: Verdict) -> Verdict:
    """One verdict on a pair from the verdicts on its two orders.

    Args: in both, 1 says that the answer which was shown first is better.
    Returns: a tie where the orders disagree; unjudged where one of them is.
    """
    orders = (as_given.value, None if swapped.value is None else 1.0 - swapped.value)
    asked, judged = as_given.asked + swapped.asked, as_given.judged + swapped.judged
    variance = _pooled(as_given.variance, swapped.variance)
    first, second = orders
    if first is None or second is None:
        return Verdict(why=as_given.why if first is None else swapped.why, asked=asked,
                       judged=judged, variance=variance, orders=orders)  # fmt: skip
    agree = _side(first) == _side(second)
    value = (0.0, 0.5, 1.0)[_side(first) + 1] if agree else 0.5
    return Verdict(
        value=value,
        passed=None if value == 0.5 else value == 1.0,
        why=as_given.why if agree else "the two orders disagree",
        asked=asked,
        judged=judged,
        variance=variance,
        consistent=agree,
        orders=orders,
    )


def of_orders_repeated(first: Sequence[Opinion], second: Sequence[Opinion]) -> Verdict:
    """`of_orders`, where each order was asked several times."""
    return of_orders(_pair_repeats(first), _pair_repeats(second))


def _pair_repeats(opinions: Sequence[Opinion]) -> Verdict:
    values = [each.value for each in opinions if each.value is not None]
    if not values or len(values) * 2 <= len(opinions):
        why = next((each.why for each in opinions if each.value is None), "nobody was asked")
        return Verdict(why=why, asked=len(opinions), judged=len(values))
    mean = math.fsum(values) / len(values)
    variance = (
        math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
        if len(values) > 1
        else None
    )
    why = next(each.why for each in opinions if each.value is not None)
    return Verdict(value=mean, why=why, asked=len(opinions), judged=len(values), variance=variance)


def _side(value: float) -> int:
    return (value > 0.5) - (value < 0.5)


def _pooled(a: float | None, b: float | None) -> float | None:
    known = [each for each in (a, b) if each is not None]
    return math.fsum(known) / len(known) if known else None
