"""Intervals for rates of yes/no outcomes: one rate, and the difference of two; not for money."""

import math
from collections.abc import Sequence

from pointsman.stats.estimate import Estimate, check_level
from pointsman.stats.quantiles import beta_quantile, normal_quantile


def wilson(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Interval for a rate from independent yes/no outcomes.

    Args: successes in [0, n]; level is the coverage, in (0, 1).
    Returns: value = successes/n, low and high in [0, 1]; n = 0 gives value None and [0, 1].
    Raises: ValueError if successes > n or either is negative.
    Source: Wilson (1927), JASA 22, 209-212. Repeated or clustered cases need another interval.
    """
    _check_counts(successes, n, level)
    if n == 0:
        return Estimate(value=None, low=0.0, high=1.0, n=0, level=level)
    z = normal_quantile(0.5 + level / 2.0)
    centre = (successes + z * z / 2.0) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(successes * (n - successes) / n + z * z / 4.0)
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Estimate(value=successes / n, low=low, high=high, n=n, level=level)


def clopper_pearson(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """The exact interval for a rate: never covers less than `level`, wider than Wilson's.

    Args and returns as for `wilson`.
    Source: Clopper and Pearson (1934), Biometrika 26, 404-413, by beta quantiles.
    """
    _check_counts(successes, n, level)
    if n == 0:
        return Estimate(value=None, low=0.0, high=1.0, n=0, level=level)
    tail = (1.0 - level) / 2.0
    low = beta_quantile(tail, successes, n - successes + 1) if successes else 0.0
    high = beta_quantile(1.0 - tail, successes + 1, n - successes) if successes < n else 1.0
    return Estimate(value=successes / n, low=low, high=high, n=n, level=level)


def newcombe_difference(
    successes_a: int, n_a: int, successes_b: int, n_b: int, *, level: float = 0.95
) -> Estimate:
    """Rate b less rate a, from two independent sets of cases.

    Returns: value, low and high in [-1, 1]; n = n_a + n_b; an empty set gives value None, [-1, 1].
    Source: Newcombe (1998), Stat. Med. 17, 873-890, method 10: the Wilson limits of each rate.
    """
    return _square_and_add(
        wilson(successes_a, n_a, level=level),
        wilson(successes_b, n_b, level=level),
        correlation=0.0,
        n=n_a + n_b,
    )


def paired_difference(a: Sequence[bool], b: Sequence[bool], *, level: float = 0.95) -> Estimate:
    """Rate b less rate a, where a[i] and b[i] are outcomes of the same case.

    Returns: value, low and high in [-1, 1]; n = cases; no case gives value None and [-1, 1].
    Raises: ValueError if the lengths differ.
    Source: Newcombe (1998), Stat. Med. 17, 2635-2650, method 10: the Wilson limits of each rate,
    joined through the phi coefficient, its numerator corrected for continuity.
    """
    if len(a) != len(b):
        raise ValueError(f"paired outcomes differ in number: {len(a)} and {len(b)}")
    return paired_difference_of_counts(
        both=sum(1 for x, y in zip(a, b, strict=True) if x and y),
        only_a=sum(1 for x, y in zip(a, b, strict=True) if x and not y),
        only_b=sum(1 for x, y in zip(a, b, strict=True) if y and not x),
        neither=sum(1 for x, y in zip(a, b, strict=True) if not (x or y)),
        level=level,
    )


def paired_difference_of_counts(
    *, both: int, only_a: int, only_b: int, neither: int, level: float = 0.95
) -> Estimate:
    """`paired_difference` from the four counts of its two-by-two table; tables may be summed."""
    if min(both, only_a, only_b, neither) < 0:
        raise ValueError("counts must not be negative")
    n = both + only_a + only_b + neither
    return _square_and_add(
        wilson(both + only_a, n, level=level),
        wilson(both + only_b, n, level=level),
        correlation=_phi(both, only_a, only_b, neither),
        n=n,
    )


def _phi(both: int, only_a: int, only_b: int, neither: int) -> float:
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if margins == 0:
        return 0.0
    cross = float(both * neither - only_a * only_b)
    half = (both + only_a + only_b + neither) / 2.0
    if cross > 0:  # only a positive association narrows the interval, so only it is corrected
        cross = max(cross - half, 0.0)
    return cross / math.sqrt(margins)


def _square_and_add(a: Estimate, b: Estimate, *, correlation: float, n: int) -> Estimate:
    """b less a: each limit's distance from its rate, joined as standard errors would be."""
    if a.value is None or b.value is None:
        return Estimate(value=None, low=-1.0, high=1.0, n=n, level=a.level)
    value = b.value - a.value
    below = _joined(_below(b), _above(a), correlation)
    above = _joined(_above(b), _below(a), correlation)
    return Estimate(
        value=value,
        low=max(-1.0, value - below),
        high=min(1.0, value + above),
        n=n,
        level=a.level,
    )


def _below(rate: Estimate) -> float:
    assert rate.value is not None, "only a rate with a value has a distance to its limit"
    return rate.value - (rate.low or 0.0)


def _above(rate: Estimate) -> float:
    assert rate.value is not None, "only a rate with a value has a distance to its limit"
    return (1.0 if rate.high is None else rate.high) - rate.value


def _joined(first: float, second: float, correlation: float) -> float:
    return math.sqrt(max(first**2 - 2.0 * correlation * first * second + second**2, 0.0))


def _check_counts(successes: int, n: int, level: float) -> None:
    check_level(level)
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie in [0, n], got {successes} of {n}")
