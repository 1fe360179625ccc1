"""One measure in two runs: its difference, its verdict, and how far what is missing may move it."""

from collections.abc import Sequence

import msgspec

from pointsman.evals.pairing import CaseScores, Pairs
from pointsman.stats.estimate import Estimate
from pointsman.stats.means import (
    difference_p_value,
    effective_spread,
    mcnemar,
    mean,
    paired_difference_of_scores,
    verdict_of,
)
from pointsman.stats.proportions import wilson

UNDECIDED = "not enough data"


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One measure in both runs, and what may be said of b against a.

    `difference` is of the cases that both scored. `bounds` is where it may lie whatever the missing
    would have scored, its ends being intervals' ends; the verdict stands there too, or is not made.
    """

    measure: str
    verdict: str
    a: Estimate
    b: Estimate
    difference: Estimate
    p_value: float | None
    p_adjusted: float | None  # Holm's, within its family
    unknown_a: int = 0  # samples without a score
    unknown_b: int = 0
    bounds: Estimate | None = None  # None: nothing is missing
    mcnemar_p: float | None = None  # yes/no, asked once, without clusters
    gained: int = 0  # cases that b scores higher
    lost: int = 0
    more: int | None = None  # clusters that would show a difference of the margin
    more_for_same: int | None = None  # and that there is none
    lacking: str | None = None  # why nothing was decided


def measured(name: str, pairs: Pairs, margin: float, *, level: float, shown: float) -> Measured:
    """What may be said of b against a by one measure.

    Args: level is that of the verdict, shown that of each run's own interval.
    """
    whole = pairs.complete
    a, b = means_of(whole.a), means_of(whole.b)
    clusters = whole.clusters
    difference = paired_difference_of_scores(a, b, clusters=clusters, level=level)
    said = verdict_of(difference, margin=margin, deviations=effective_spread(a, b, clusters))
    unknown_a, unknown_b = pairs.unknown
    bounds = _bounds(pairs, level) if unknown_a or unknown_b else None
    verdict, lacking = said.verdict, None
    if bounds is not None:
        verdict = verdict_of(bounds, margin=margin, deviations=None).verdict
        if verdict != said.verdict:
            verdict = UNDECIDED
            lacking = f"what the {unknown_a + unknown_b} missing would have scored could change it"
    if verdict == UNDECIDED and lacking is None:
        lacking = "the interval holds both a difference that matters and none"
        if difference.low is None:
            lacking = "fewer than two independent cases were scored in both"
    p_value = difference_p_value(a, b, clusters=clusters)
    gained = sum(1 for x, y in zip(a, b, strict=True) if y > x)
    lost = sum(1 for x, y in zip(a, b, strict=True) if y < x)
    yes_no = set(a) | set(b) <= {0.0, 1.0} and pairs.single and not pairs.clustered
    return Measured(
        measure=name,
        verdict=verdict,
        a=share(a, clusters, level=shown),
        b=share(b, clusters, level=shown),
        difference=difference,
        p_value=p_value,
        p_adjusted=p_value,
        unknown_a=unknown_a,
        unknown_b=unknown_b,
        bounds=bounds,
        mcnemar_p=mcnemar(lost, gained) if yes_no and a else None,
        gained=gained,
        lost=lost,
        more=said.more if verdict == UNDECIDED else None,
        more_for_same=said.more_for_same if verdict == UNDECIDED else None,
        lacking=lacking,
    )


def share(values: Sequence[float], clusters: Sequence[str], *, level: float) -> Estimate:
    """The mean of scores with its interval; yes/no scores of independent cases have Wilson's.

    Where all are alike, nothing is known of their spread: the interval is then Wilson's of as many
    cases as there are clusters, for scores in [0, 1].
    """
    said = mean(values, clusters=clusters, level=level)
    if not values or min(values) < 0 or max(values) > 1:
        return said
    if len(set(clusters)) == len(values) and set(values) <= {0.0, 1.0}:
        return wilson(int(sum(values)), len(values), level=level)
    alike = min(values) == max(values) in (0.0, 1.0)
    return wilson(said.n if values[0] else 0, said.n, level=level) if alike else said


def means_of(scores: Sequence[CaseScores]) -> list[float]:
    """Of the cases that have any."""
    return [each.mean for each in scores if each.mean is not None]


def _bounds(pairs: Pairs, level: float) -> Estimate:
    """The difference over all cases, were the missing as bad for b, and as good, as they can be.

    Scores lie in [0, 1], or in the range of those that were seen where that is wider.
    """
    seen = [score for each in (*pairs.a, *pairs.b) for score in each.known]
    least, most = min([0.0, *seen]), max([1.0, *seen])
    ends = []
    for in_a, in_b in ((most, least), (least, most)):
        a = [each.filled(in_a) for each in pairs.a]
        b = [each.filled(in_b) for each in pairs.b]
        ends.append(paired_difference_of_scores(a, b, clusters=pairs.clusters, level=level))
    worst, best = ends
    centre = None
    if worst.value is not None and best.value is not None:
        centre = (worst.value + best.value) / 2
    return Estimate(value=centre, low=worst.low, high=best.high, n=worst.n, level=level)
