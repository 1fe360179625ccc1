"""A threshold from a tenant's own honest traffic: the score that a stated share of it passes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman.stats.estimate import Estimate
from pointsman.stats.proportions import clopper_pearson


@dataclass(frozen=True, slots=True)
class Threshold:
    """The least score that counts, and the share of honest texts that passes it, with its doubt.

    Where `enough` is False nothing can be promised of so little traffic; `needed` texts would do.
    """

    value: float
    passing: Estimate
    asked: float
    enough: bool
    needed: int


def threshold_for(scores: Sequence[float], *, rate: float, level: float = 0.95) -> Threshold:
    """The lowest threshold whose false-alarm rate is below `rate` with confidence `level`.

    Args: scores of honest texts, independent, in [0, 1]; rate and level in (0, 1).
    A score counts where it is greater than or equal to the threshold. Where no threshold can be
    promised, the one above every score is given.
    Raises: ValueError for no score, a score that is no number, or a rate or level outside (0, 1).
    Source: order statistics with the one-sided Clopper-Pearson bound; as conformal prediction's
    training-conditional guarantee (Vovk 2012, ACML), without a distribution assumed.
    """
    if not scores or any(not 0.0 <= score <= 1.0 for score in scores):
        raise ValueError("scores must be at least one number in [0, 1]")
    if not (0.0 < rate < 1.0 and 0.0 < level < 1.0):
        raise ValueError(f"rate and level lie between 0 and 1: {rate:g}, {level:g}")
    n = len(scores)
    ordered = sorted(scores, reverse=True)
    needed = math.ceil(math.log(1.0 - level) / math.log(1.0 - rate))
    best = -1  # how many of the highest may pass
    while best + 1 < n and _bound(best + 1, n, level) <= rate:
        best += 1
    # just above the first score that may not pass; ties with it must not pass either
    value = min(1.0, math.nextafter(ordered[max(best, 0)], 2.0))
    passing = sum(score >= value for score in scores)
    enough = best >= 0 and passing <= best
    return Threshold(value, clopper_pearson(passing, n, level=level), rate, enough, needed)


def moved(scores: Sequence[float], threshold: float, *, rate: float, level: float = 0.95) -> bool:
    """Does later honest traffic pass the threshold more often than `rate`, beyond chance?

    Raises: ValueError for no score.
    """
    if not scores:
        raise ValueError("there is no later traffic to compare")
    passing = sum(score >= threshold for score in scores)
    low = clopper_pearson(passing, len(scores), level=level).low
    return low is not None and low > rate


def _bound(passing: int, n: int, level: float) -> float:
    """The one-sided upper bound: the end of the two-sided interval with that much error above."""
    if level <= 0.5:
        return 1.0
    high = clopper_pearson(passing, n, level=2.0 * level - 1.0).high
    return 1.0 if high is None else high
