"""How far one rate lies below another on the same cases: an exact test of a stated margin."""

import math
from functools import lru_cache
from typing import NamedTuple

from pointsman.stats.binomial import BinomialWalk, binomial_mass
from pointsman.stats.estimate import Estimate, check_level
from pointsman.stats.quantiles import beta_quantile

SPARE = 1e-3  # given away by the search unless asked otherwise
_FINENESS = 1e-4  # of a limit: a hundredth of a point
_TIE = 1e-12  # statistics this close are equal but for rounding


class Pairs(NamedTuple):
    """Cases that two ways answered, by who was right where they differ.

    `lost`: only the reference was accepted; `won`: only the candidate was; `n`: all cases.
    """

    lost: int
    won: int
    n: int

    @property
    def shortfall(self) -> float:
        """The reference's rate less the candidate's, in [-1, 1]. Raises: ZeroDivisionError."""
        return (self.lost - self.won) / self.n


def shortfall_p_value(pairs: Pairs, *, margin: float, spare: float = SPARE) -> float:
    """The p-value of "the candidate's rate lies `margin` or more below the reference's".

    A small one proves the floor. Valid at every n, for independent cases, whatever the share of
    cases on which the two differ.

    Args: margin in (0, 1); spare, in (0, 1), is what the search over the unknown share may cost:
    it is added to the p-value, and a smaller one takes longer. A hundredth of the level is little.
    Returns: in [spare, 1]; no case gives 1.
    Raises: ValueError for impossible counts or a margin or spare outside (0, 1).
    Source: the exact unconditional test of non-inferiority of paired rates, ordered by the score
    statistic (Tango 1998, Stat. Med. 17, 891-908), its nuisance parameter searched over an exact
    interval (Berger and Boos 1994, JASA 89, 1012-1016). The tail between grid points is bounded
    by the Fisher information, so that the maximum is not merely looked for.
    """
    lost, won, n = pairs
    if min(lost, won) < 0 or lost + won > n:
        raise ValueError(f"{lost} lost and {won} won cannot be among {n} cases")
    if not 0.0 < margin < 1.0:
        raise ValueError(f"margin must lie in (0, 1), got {margin}")
    if not 0.0 < spare < 1.0:
        raise ValueError(f"spare must lie in (0, 1), got {spare}")
    if n == 0 or lost - won >= n * margin:
        return 1.0
    return _p_value(lost, won, n, margin, spare)


def shortfall(pairs: Pairs, *, level: float = 0.95) -> Estimate:
    """The shortfall and its one-sided limit: at most `high`, with confidence `level`.

    Returns: value = lost less won as a share; low is None, the statement has one side; high in
    [value, 1] to 1e-4. No case gives value None and no limit.
    Source: the margins that `shortfall_p_value` does not refute, by bisection.
    """
    check_level(level)
    if pairs.n == 0:
        return Estimate(value=None, low=None, high=None, n=0, level=level)
    value = pairs.shortfall
    low, high = max(value, 0.0), 1.0
    spare = min(SPARE, (1.0 - level) / 50.0)
    while high - low > _FINENESS:
        middle = (low + high) / 2.0
        if shortfall_p_value(pairs, margin=middle, spare=spare) <= 1.0 - level:
            high = middle
        else:
            low = middle
    return Estimate(value=value, low=None, high=high, n=pairs.n, level=level)


@lru_cache(maxsize=65_536)
def _p_value(lost: int, won: int, n: int, margin: float, spare: float) -> float:
    """Half of `spare` for a share outside its interval, half for what lies between grid points."""
    unlike = lost + won
    tail = spare / 4.0
    low = beta_quantile(tail, unlike, n - unlike + 1) if unlike else 0.0
    high = beta_quantile(1.0 - tail, unlike + 1, n - unlike) if unlike < n else 1.0
    low, high = max(low, margin), min(high, 1.0)
    if low >= high:  # so few cases differ that the margin alone is outside the interval
        return spare
    cut = spare * 1e-3  # the two ends of the binomial that are not summed
    grid = _grid(low, high, n, margin, spare / 2.0 - cut)
    observed = _score(lost, won, n, margin)
    first, last = _window(low, n, cut)[0], _window(high, n, cut)[1]
    limits = _most_lost(observed, range(first, last + 1), n, margin)
    worst = max(
        _tail(q, limits[max(0, start - first) : end - first + 1], max(start, first), n, margin)
        for q in grid
        for start, end in (_window(q, n, cut),)
    )
    return min(1.0, worst + spare)


def _score(lost: int, won: int, n: int, margin: float) -> float:
    """Tango's statistic: the shortfall less the margin, in standard errors under the margin."""
    unlike = lost + won
    slope = unlike * (1.0 + margin) - 2.0 * margin * (n + won)
    root = math.sqrt(slope * slope + 8.0 * n * won * margin * (1.0 - margin))
    wins = max(0.0, (slope + root) / (4.0 * n))  # the likeliest rate of wins under the margin
    variance = n * (2.0 * wins + margin - margin * margin)
    return (lost - won - n * margin) / math.sqrt(variance)


def _most_lost(observed: float, unlikes: range, n: int, margin: float) -> list[int]:
    """Per number of unlike cases, the most losses that speak as strongly as what was observed.

    -1 where none do.
    """
    limits = []
    most = -1
    for unlike in unlikes:
        most = min(most, unlike)
        while most >= 0 and _score(most, unlike - most, n, margin) > observed + _TIE:
            most -= 1
        while most < unlike and _score(most + 1, unlike - most - 1, n, margin) <= observed + _TIE:
            most += 1
        limits.append(most)
    return limits


def _window(q: float, n: int, cut: float) -> tuple[int, int]:
    """Counts outside of which a binomial (n, q) has less than `cut`; one count where q is 1.

    Source: Bernstein's inequality, solved for the distance.
    """
    if q == 1.0:
        return n, n
    nats = math.log(2.0 / cut)
    reach = nats / 3.0 + math.sqrt(nats * nats / 9.0 + 2.0 * nats * n * q * (1.0 - q))
    return max(0, math.floor(n * q - reach)), min(n, math.ceil(n * q + reach))


def _grid(low: float, high: float, n: int, margin: float, rise: float) -> list[float]:
    """Shares of unlike cases so close that no tail between two exceeds both by `rise`.

    A tail's second derivative is at most the information of the share, the log-likelihood being
    concave in it; near the ends, where that has no bound, the tail itself moves by at most n times
    the step.
    """
    points = [low]
    while points[-1] < high:
        q = points[-1]
        step = rise / n
        if q > margin:
            information = n * (0.5 / (q + margin) + 0.5 / (q - margin) + 2.0 / max(1.0 - q, step))
            step = max(step, min(math.sqrt(8.0 * rise / information), (1.0 - q) / 2.0))
        points.append(min(high, q + step))
    return points


def _tail(q: float, limits: list[int], start: int, n: int, margin: float) -> float:
    """The chance of such evidence where the shortfall is the margin and q the share of unlike.

    Args: limits, of as many unlike cases as `start` and those that follow.
    """
    losing = min(1.0, (q + margin) / (2.0 * q))
    weight = binomial_mass(start, n, q)
    odds = q / (1.0 - q) if q < 1.0 else 0.0
    total = 0.0
    walk: BinomialWalk | None = None
    for unlike, most in enumerate(limits, start):
        if most >= 0:
            if walk is None:
                walk = BinomialWalk(most, unlike, losing)
            else:
                walk.move(most, unlike)
            total += weight * walk.below
        weight *= odds * (n - unlike) / (unlike + 1)
    return total
