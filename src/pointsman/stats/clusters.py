"""Clusters that are few or of unlike size: an error that allows for it, and an exact test."""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

FEW = 30  # clusters, under which the plain clustered error is too small
_MOST_FLIPPED = 16  # clusters whose every sign is tried: 65,536 ways

Totals = Sequence[tuple[int, float]]  # of each cluster: cases, sum of scores


class ClusteredError(NamedTuple):
    """A standard error of a mean and the degrees of freedom of Student's t that go with it."""

    error: float
    freedom: float


def totals_of(values: Sequence[float], clusters: Sequence[Hashable] | None) -> Totals:
    """Cases and sum of each cluster, in order of appearance; None: every case is its own.

    Raises: ValueError if the lengths differ.
    """
    if clusters is None:
        return [(1, value) for value in values]
    if len(clusters) != len(values):
        raise ValueError(f"values and clusters differ in number: {len(values)}, {len(clusters)}")
    parts: defaultdict[Hashable, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        parts[cluster].append(value)
    return [(len(part), math.fsum(part)) for part in parts.values()]


def clustered_error(totals: Totals) -> ClusteredError | None:
    """The plain one: sqrt(C / (C - 1) * sum of squared cluster sums of deviations) / cases.

    None below two clusters. Source: Miller (2024), arXiv 2411.00640; Liang and Zeger (1986).
    """
    groups = len(totals)
    if groups < 2:
        return None
    n, centre = _centre(totals)
    square = math.fsum((total - size * centre) ** 2 for size, total in totals)
    return ClusteredError(math.sqrt(groups / (groups - 1) * square) / n, groups - 1.0)


def few_clusters_error(totals: Totals) -> ClusteredError | None:
    """For few clusters, or of unlike size: unbiased where cases are alike, with the t that fits.

    Where all clusters have one size it is the plain one. None below two clusters.
    Source: CR2 and the degrees of freedom of Bell and McCaffrey (2002), Survey Methodology 28,
    169-181, which for a mean alone have a closed form.
    """
    if len(totals) < 2:
        return None
    n, centre = _centre(totals)
    square = math.fsum(
        (total - size * centre) ** 2 / (1.0 - size / n) for size, total in totals
    )  # fmt: skip
    # trace(M)^2 / trace(M^2) of M_cd = (n_c [c = d] - n_c n_d / n) / sqrt((1 - n_c/n)(1 - n_d/n))
    shares = [(size / n) ** 2 / (1.0 - size / n) for size, _ in totals]
    off_diagonal = math.fsum(shares) ** 2 - math.fsum(share * share for share in shares)
    diagonal = math.fsum((size / n) ** 2 for size, _ in totals)
    return ClusteredError(math.sqrt(square) / n, 1.0 / (diagonal + off_diagonal))


def sign_flip_p_value(totals: Totals) -> float | None:
    """The exact two-sided p-value of "the mean is zero" where clusters are very few.

    Every way to turn the signs of the clusters' sums is tried: the wild cluster bootstrap under
    the null with all its draws. It holds at any number of clusters whose sums are symmetric about
    zero under the null, as differences of two like arms are. None over 16 clusters, where
    `few_clusters_error` serves, or for no cluster.
    Source: Fisher (1935); Cameron, Gelbach and Miller (2008), Rev. Econ. Stat. 90, 414-427.
    """
    sums = [total for _, total in totals]
    if not 1 <= len(sums) <= _MOST_FLIPPED:
        return None
    seen = abs(math.fsum(sums))
    slack = 1e-9 * (math.fsum(abs(total) for total in sums) or 1.0)
    reached = [0.0]
    for total in sums[1:]:  # the first sign is fixed: the other half mirrors this one
        reached = [side for so_far in reached for side in (so_far + total, so_far - total)]
    extreme = sum(1 for rest in reached if abs(sums[0] + rest) >= seen - slack)
    return extreme / len(reached)


def _centre(totals: Totals) -> tuple[int, float]:
    n = sum(size for size, _ in totals)
    return n, math.fsum(total for _, total in totals) / n
