"""Quantiles of what was seen (latencies), with a distribution-free interval."""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate

from pointsman.stats.estimate import Estimate, check_level
from pointsman.stats.quantiles import beta_cdf, normal_quantile


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


@lru_cache(maxsize=4096)  # reports ask for several quantiles of the same requests
def _largest_count(n: int, q: float, tail: float) -> int:
    """The largest k with P(Binomial(n, q) < k) <= tail; 0 when there is none."""
    low, high = _near(n, q, tail)
    while low < high:
        middle = (low + high + 1) // 2
        if _is_low(n, q, tail, middle):
            low = middle
        else:
            high = middle - 1
    return low


def _near(n: int, q: float, tail: float) -> tuple[int, int]:
    """Bounds of the largest count, close to it: where the normal law has it, and a little more."""
    guess = n * q + normal_quantile(tail) * math.sqrt(n * q * (1.0 - q))
    low, high = max(0, math.floor(guess) - 3), min(n, math.floor(guess) + 3)
    sound = low <= high and (low == 0 or _is_low(n, q, tail, low))
    if sound and (high == n or not _is_low(n, q, tail, high + 1)):
        return low, high
    return 0, n


def _is_low(n: int, q: float, tail: float, count: int) -> bool:
    """Whether P(Binomial(n, q) < count) <= tail, as an incomplete beta function."""
    return beta_cdf(1.0 - q, n - count + 1, count) <= tail
