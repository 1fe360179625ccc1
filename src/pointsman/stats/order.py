"""Quantiles of what was seen (latencies), with a distribution-free interval."""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from pointsman.stats.estimate import Estimate, check_level
from pointsman.stats.quantiles import beta_cdf


def quantile(values: Sequence[float], q: float, *, level: float = 0.95) -> Estimate:
    """The q-quantile of independent values: one that was seen, and an interval of seen values.

    Args: values in any order; q in (0, 1), 0.95 for p95.
    Returns: the value of rank ceil(q n). low or high is None where even the least or greatest
    value seen does not bound the quantile (p95 of 20 values has no upper limit).
    Source: David and Nagaraja, Order Statistics (2003), section 7.1: binomial ranks.
    """
    ordered = sorted(values)
    return _at_ranks(lambda rank: ordered[rank - 1], len(ordered), q, level)


def quantile_of_counts(counts: Mapping[float, int], q: float, *, level: float = 0.95) -> Estimate:
    """`quantile` of values that were counted: how often each was seen."""
    values = sorted(value for value, count in counts.items() if count)
    upto = list(accumulate(counts[value] for value in values))
    n = upto[-1] if upto else 0
    return _at_ranks(lambda rank: values[bisect_left(upto, rank)], n, q, level)


def _at_ranks(at: Callable[[int], float], n: int, q: float, level: float) -> Estimate:
    """Args: at gives the value of a rank from 1 to n."""
    check_level(level)
    if not 0.0 < q < 1.0:
        raise ValueError(f"q must lie in (0, 1), got {q}")
    if n == 0:
        return Estimate(value=None, low=None, high=None, n=0, level=level)
    tail = (1.0 - level) / 2.0
    below = _largest_count(n, q, tail)  # P(fewer than `below` values lie under the quantile)
    above = n + 1 - _largest_count(n, 1.0 - q, tail)
    return Estimate(
        value=at(max(math.ceil(q * n - 1e-9), 1)),
        low=at(below) if below >= 1 else None,
        high=at(above) if above <= n else None,
        n=n,
        level=level,
    )


def _largest_count(n: int, q: float, tail: float) -> int:
    """The largest k with P(Binomial(n, q) < k) <= tail; 0 when there is none."""
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        # P(Binomial(n, q) <= middle - 1) as an incomplete beta function
        if beta_cdf(1.0 - q, n - middle + 1, middle) <= tail:
            low = middle
        else:
            high = middle - 1
    return low
