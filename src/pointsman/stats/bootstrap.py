"""Intervals by resampling clusters, for numbers without a formula, and to check those with one."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from statistics import NormalDist
from typing import TypeVar

from pointsman.stats.estimate import Estimate, check_level

_NORMAL = NormalDist()
_FEWEST = 10  # clusters, below which a resample tells nothing of those not seen
_MOST_DRAWS = 100_000
_Case = TypeVar("_Case")


def cluster_bootstrap(
    cases: Sequence[_Case],
    statistic: Callable[[Sequence[_Case]], float | None],
    *,
    draw: Callable[[], float],
    clusters: Sequence[Hashable] | None = None,
    draws: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """An interval for any statistic of the cases, whole clusters being drawn again.

    Args: statistic gives None where cases hold no number (nothing accepted); draw gives uniform
    numbers in [0, 1) and makes the result repeatable; draws are 200 to 100,000.
    Returns: n counts clusters. low and high None below 10 clusters; high None where over half a
    tail of the resamples held no number.
    Raises: ValueError if the lengths differ or draws are out of range.
    Source: BCa, Efron (1987), JASA 82, 171-185, acceleration by leaving out one cluster.
    """
    check_level(level)
    _check_draws(draws)
    said = resampled(cases, statistic, draw=draw, clusters=clusters, draws=draws)
    return bca_interval(cases, statistic, said, clusters=clusters, level=level)


def resampled(
    cases: Sequence[_Case],
    statistic: Callable[[Sequence[_Case]], float | None],
    *,
    draw: Callable[[], float],
    clusters: Sequence[Hashable] | None = None,
    draws: int,
) -> list[float]:
    """The statistic of so many resamples, infinite where one holds no number.

    Parts that were drawn apart, each with its own chance, may be put together for `bca_interval`.
    Empty below 10 clusters.
    """
    groups = _grouped(cases, clusters)
    n = len(groups)
    if n < _FEWEST:
        return []
    said: list[float] = []
    for _ in range(draws):
        chosen = [case for _ in range(n) for case in groups[min(n - 1, int(draw() * n))]]
        one = statistic(chosen)
        said.append(math.inf if one is None else one)
    return said


def bca_interval(
    cases: Sequence[_Case],
    statistic: Callable[[Sequence[_Case]], float | None],
    said: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Estimate:
    """The interval from the statistics of resamples; as `cluster_bootstrap`, which draws them."""
    check_level(level)
    groups = _grouped(cases, clusters)
    value = statistic(cases) if cases else None
    n = len(groups)
    if n < _FEWEST or value is None:
        return Estimate(value=value, low=None, high=None, n=n, level=level)
    _check_draws(len(said))
    ordered, draws = sorted(said), len(said)
    acceleration = _acceleration(groups, statistic)
    below = sum(1 for one in said if one < value) + sum(1 for one in said if one == value) / 2
    shift = _NORMAL.inv_cdf(min(max(below / draws, 0.5 / draws), 1 - 0.5 / draws))
    tail = (1 - level) / 2
    low = _ranked(ordered, _corrected(tail, shift, acceleration))
    high = _ranked(ordered, _corrected(1 - tail, shift, acceleration))
    return Estimate(
        value=value,
        low=low if math.isfinite(low) else None,
        high=high if math.isfinite(high) else None,
        n=n,
        level=level,
    )


def _check_draws(draws: int) -> None:
    if not 200 <= draws <= _MOST_DRAWS:
        raise ValueError(f"draws must lie in [200, {_MOST_DRAWS}], got {draws}")


def _grouped(
    cases: Sequence[_Case], clusters: Sequence[Hashable] | None
) -> list[list[_Case]]:  # fmt: skip
    if clusters is None:
        return [[case] for case in cases]
    if len(clusters) != len(cases):
        raise ValueError(f"cases and clusters differ in number: {len(cases)}, {len(clusters)}")
    parts: defaultdict[Hashable, list[_Case]] = defaultdict(list)
    for case, cluster in zip(cases, clusters, strict=True):
        parts[cluster].append(case)
    return list(parts.values())


def _acceleration(
    groups: list[list[_Case]], statistic: Callable[[Sequence[_Case]], float | None]
) -> float:
    """How fast the standard error changes with the value; 0 where it cannot be told."""
    step = max(1, len(groups) // 200)  # of many clusters a part says as much
    without = []
    for left_out in range(0, len(groups), step):
        rest = [case for at, group in enumerate(groups) if at != left_out for case in group]
        one = statistic(rest)
        if one is None:
            return 0.0
        without.append(one)
    centre = math.fsum(without) / len(without)
    square = math.fsum((centre - one) ** 2 for one in without)
    if square == 0:
        return 0.0
    scale = math.sqrt(len(groups) / len(without))
    return math.fsum((centre - one) ** 3 for one in without) / (6 * math.pow(square, 1.5)) / scale


def _corrected(tail: float, shift: float, acceleration: float) -> float:
    z = shift + _NORMAL.inv_cdf(tail)
    return _NORMAL.cdf(shift + z / max(1e-9, 1 - acceleration * z))


def _ranked(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, max(0, math.floor(share * len(ordered))))]
