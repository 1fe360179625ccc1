"""Means of scores and their paired difference, with clusters, and the verdict of two.

Source: Miller (2024), arXiv 2411.00640, for clustered and paired errors of evaluations.
"""

import math
from collections.abc import Hashable, Sequence

import msgspec

from pointsman.stats.clusters import (
    FEW,
    clustered_error,
    few_clusters_error,
    sign_flip_p_value,
    totals_of,
)
from pointsman.stats.estimate import Estimate, check_level
from pointsman.stats.power import cases_needed, cases_to_show_same
from pointsman.stats.proportions import wilson
from pointsman.stats.quantiles import student_t_quantile, student_t_two_sided

_FEW_UNLIKE = 10  # clusters that differ, below which their spread is not known


def mean(
    values: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Estimate:
    """The mean of scores, in their unit; cases of one cluster may depend on each other.

    Args: clusters[i] names what case i belongs to (a conversation, a document); None: every case
    is its own.
    Returns: n counts clusters. Fewer than two clusters bound nothing: low and high None.
    The interval is Student's t with (clusters - 1) degrees of freedom on the clustered standard
    error; below 30 clusters both are those that allow for few clusters of unlike size
    (`clusters.few_clusters_error`).
    Raises: ValueError if the lengths differ or a value is not finite.
    """
    check_level(level)
    _check_finite(values)
    totals = totals_of(values, clusters)
    if not values:
        return Estimate(value=None, low=None, high=None, n=0, level=level)
    value, groups = math.fsum(total for _, total in totals) / len(values), len(totals)
    known = few_clusters_error(totals) if groups < FEW else clustered_error(totals)
    if known is None:
        return Estimate(value=value, low=None, high=None, n=groups, level=level)
    half = student_t_quantile(0.5 + level / 2, known.freedom) * known.error
    return Estimate(value=value, low=value - half, high=value + half, n=groups, level=level)


def paired_mean(
    a: Sequence[float],
    b: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Mean of b less mean of a, where a[i] and b[i] are scores of the same case.

    Where cases were repeated, give the mean of a case's epochs. Otherwise as `mean`.
    """
    if len(a) != len(b):
        raise ValueError(f"paired scores differ in number: {len(a)} and {len(b)}")
    return mean([y - x for x, y in zip(a, b, strict=True)], clusters=clusters, level=level)


def standard_error(
    values: Sequence[float], clusters: Sequence[Hashable] | None = None
) -> float | None:
    """The clustered standard error of the mean; None for fewer than two clusters."""
    known = clustered_error(totals_of(values, clusters))
    return known.error if known else None


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact two-sided p-value that a and b succeed equally often, from discordant cases.

    Source: McNemar (1947); under the null the smaller count is binomial with rate 1/2.
    """
    if min(only_a, only_b) < 0:
        raise ValueError("counts must not be negative")
    n, k = only_a + only_b, min(only_a, only_b)
    if n == 0:
        return 1.0
    log_half = n * math.log(0.5)
    tail = math.fsum(
        math.exp(
            math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + log_half
        )
        for i in range(k + 1)
    )  # fmt: skip
    return min(1.0, 2.0 * tail)


def difference_p_value(
    a: Sequence[float], b: Sequence[float], *, clusters: Sequence[Hashable] | None = None
) -> float | None:
    """The two-sided p-value of "b scores as a does", cases being paired; None below two clusters.

    Student's t as `mean` takes it. Where under 10 clusters differ at all, the exact test that turns
    their signs, which for yes/no scores without clusters is McNemar's.
    """
    totals = totals_of([y - x for x, y in zip(a, b, strict=True)], clusters)
    if len(totals) < 2:
        return None
    unlike = [each for each in totals if each[1] != 0]
    if len(unlike) < _FEW_UNLIKE:
        return sign_flip_p_value(unlike) if unlike else 1.0
    known = few_clusters_error(totals) if len(totals) < FEW else clustered_error(totals)
    assert known is not None, "two clusters have an error"
    centre = math.fsum(total for _, total in totals) / len(a)
    if known.error == 0:
        return 0.0 if centre else 1.0
    return student_t_two_sided(centre / known.error, known.freedom)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What the data say of b against a, in one word.

    `better`, `worse`: the interval lies on one side of zero. `same`: it lies within the margin.
    `not enough data`: neither; `more` cases (or clusters) would show a shift of the margin's size
    with 80 % probability, and `more_for_same` that there is none.
    """

    verdict: str
    difference: Estimate
    margin: float
    more: int | None = None
    more_for_same: int | None = None


def compare(
    a: Sequence[float],
    b: Sequence[float],
    *,
    margin: float,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Comparison:
    """The verdict on the same cases. Args: margin > 0 is the difference that does not matter."""
    if not margin > 0:
        raise ValueError(f"a margin above 0 is needed, got {margin}")
    difference = paired_difference_of_scores(a, b, clusters=clusters, level=level)
    return verdict_of(difference, margin=margin, deviations=effective_spread(a, b, clusters))


def paired_difference_of_scores(
    a: Sequence[float],
    b: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Estimate:
    """`paired_mean`, never surer than the few cases that differ allow.

    Where under 10 clusters, and under half of them, differ at all, their spread is not known: the
    interval then reaches at least as far as the share of differing clusters that may have been
    missed (Wilson's limit of none seen) times the range of the scores.
    """
    said = paired_mean(a, b, clusters=clusters, level=level)
    if said.value is None or said.low is None or said.high is None:
        return said
    gaps = [y - x for x, y in zip(a, b, strict=True)]
    keys = range(len(gaps)) if clusters is None else clusters
    unlike = len({key for key, gap in zip(keys, gaps, strict=True) if gap != 0})
    if unlike >= min(_FEW_UNLIKE, said.n / 2):
        return said
    scores = [*a, *b]
    scale = max(scores) - min(scores) or 1.0
    unseen = (wilson(0, said.n, level=level).high or 0.0) * scale
    return Estimate(
        value=said.value,
        low=min(said.low, said.value - unseen),
        high=max(said.high, said.value + unseen),
        n=said.n,
        level=level,
    )


def verdict_of(difference: Estimate, *, margin: float, deviations: float | None) -> Comparison:
    """The verdict of a difference whose interval is known.

    Args: deviations is the standard deviation of one case's difference, for how many more.
    """
    low, high = difference.low, difference.high
    if low is None or high is None or difference.value is None:
        return Comparison(verdict="not enough data", difference=difference, margin=margin)
    if low > 0 or high < 0:
        word = "better" if low > 0 else "worse"
        if -margin <= low and high <= margin:
            word = "same"
        return Comparison(verdict=word, difference=difference, margin=margin)
    if -margin <= low and high <= margin:
        return Comparison(verdict="same", difference=difference, margin=margin)
    if deviations is None:
        return Comparison(verdict="not enough data", difference=difference, margin=margin)
    spread, level = max(deviations, 1e-9), difference.level
    shift = cases_needed(shift=margin, spread=spread, level=level)
    same = cases_to_show_same(margin=margin, spread=spread, level=level)
    return Comparison(
        verdict="not enough data",
        difference=difference,
        margin=margin,
        more=max(1, shift - difference.n),
        more_for_same=max(1, same - difference.n),
    )


def effective_spread(
    a: Sequence[float], b: Sequence[float], clusters: Sequence[Hashable] | None = None
) -> float | None:
    """The standard deviation of one cluster's difference, as power wants it; None below two.

    It is the standard error times the square root of how many clusters there are.
    """
    totals = totals_of([y - x for x, y in zip(a, b, strict=True)], clusters)
    known = clustered_error(totals)
    return known.error * math.sqrt(len(totals)) if known else None


def _check_finite(values: Sequence[float]) -> None:
    if not all(math.isfinite(value) for value in values):
        raise ValueError("a score must be finite")
