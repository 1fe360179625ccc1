"""Ratios of means by the delta method: a second opinion to Fieller's, and two arms' ratio."""

import math
from collections.abc import Hashable, Sequence

from pointsman.stats.clusters import FEW, clustered_error, few_clusters_error, totals_of
from pointsman.stats.estimate import Estimate, check_level
from pointsman.stats.quantiles import student_t_quantile
from pointsman.stats.ratios import RatioMoments


def delta_ratio(
    tops: Sequence[float],
    bottoms: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Sum of tops over sum of bottoms, case by case, where the bottoms are clearly above zero.

    Returns: n counts clusters; value None where the bottoms sum to zero or less, low and high None
    below two clusters. Where the bottoms may be near zero, Fieller's interval (`ratios`) is right
    and this one is too narrow.
    Source: the clustered error of the linearised terms (top - R bottom) / mean(bottom).
    """
    check_level(level)
    if len(tops) != len(bottoms):
        raise ValueError(f"tops and bottoms differ in number: {len(tops)} and {len(bottoms)}")
    total = math.fsum(bottoms)
    if not total > 0:
        groups = len(set(clusters)) if clusters is not None else len(tops)
        return Estimate(value=None, low=None, high=None, n=groups, level=level)
    value, mean_bottom = math.fsum(tops) / total, total / len(bottoms)
    terms = [(top - value * under) / mean_bottom for top, under in zip(tops, bottoms, strict=True)]
    totals = totals_of(terms, clusters)
    known = few_clusters_error(totals) if len(totals) < FEW else clustered_error(totals)
    if known is None:
        return Estimate(value=value, low=None, high=None, n=len(totals), level=level)
    half = student_t_quantile(0.5 + level / 2, known.freedom) * known.error
    return Estimate(value=value, low=value - half, high=value + half, n=len(totals), level=level)


def paired_ratio_of_arms(
    tops_a: Sequence[float],
    bottoms_a: Sequence[float],
    tops_b: Sequence[float],
    bottoms_b: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Sum over sum in b divided by that in a, where row i is of the same case in both arms.

    Returns: n counts clusters; value None where a sum is not above zero, low and high None below
    two clusters. Repeats of a case belong in one row, or in one cluster.
    Source: the delta method on the log scale, with the clustered error of the linearised terms.
    """
    check_level(level)
    rows = len(tops_a)
    if not rows == len(bottoms_a) == len(tops_b) == len(bottoms_b):
        raise ValueError("paired rows differ in number")
    sums = [math.fsum(each) for each in (tops_a, bottoms_a, tops_b, bottoms_b)]
    if min(sums) <= 0:
        groups = len(set(clusters)) if clusters is not None else rows
        return Estimate(value=None, low=None, high=None, n=groups, level=level)
    top_a, bottom_a, top_b, bottom_b = sums
    terms = [
        rows * (tb / top_b - yb / bottom_b - ta / top_a + ya / bottom_a)
        for ta, ya, tb, yb in zip(tops_a, bottoms_a, tops_b, bottoms_b, strict=True)
    ]
    ratio, totals = top_b / bottom_b / (top_a / bottom_a), totals_of(terms, clusters)
    known = few_clusters_error(totals) if len(totals) < FEW else clustered_error(totals)
    if known is None:
        return Estimate(value=ratio, low=None, high=None, n=len(totals), level=level)
    reach = min(student_t_quantile(0.5 + level / 2, known.freedom) * known.error, 700.0)
    return Estimate(
        value=ratio,
        low=ratio * math.exp(-reach),
        high=ratio * math.exp(reach),
        n=len(totals),
        level=level,
    )


def ratio_of_arms(a: RatioMoments, b: RatioMoments, *, level: float = 0.95) -> Estimate:
    """Cost per accepted of b over that of a, from two sets of cases that are not the same.

    Returns: n is that of the smaller set; value None where an arm accepted nothing or cost
    nothing; low and high None below two cases in an arm. For the same cases in both arms
    `paired_ratios` is narrower.
    Source: the delta method on the log scale.
    """
    check_level(level)
    n = min(a.n, b.n)
    if not (a.accepted and b.accepted and a.cost > 0 and b.cost > 0):
        return Estimate(value=None, low=None, high=None, n=n, level=level)
    cost_a, cost_b = a.cost / a.accepted, b.cost / b.accepted
    if n < 2:
        return Estimate(value=cost_b / cost_a, low=None, high=None, n=n, level=level)
    parts = [
        each.residual_square(cost) / each.cost**2 * each.n / (each.n - 1)
        for each, cost in ((a, cost_a), (b, cost_b))
    ]
    variance = math.fsum(parts)
    freedom = (
        variance**2 / (parts[0] ** 2 / (a.n - 1) + parts[1] ** 2 / (b.n - 1))
        if variance > 0
        else n - 1
    )  # Welch and Satterthwaite
    reach = student_t_quantile(0.5 + level / 2, freedom) * math.sqrt(variance)
    ratio = cost_b / cost_a
    return Estimate(
        value=ratio,
        low=ratio * math.exp(-reach),
        high=ratio * math.exp(min(reach, 700.0)),
        n=n,
        level=level,
    )
