"""Few labels drawn with known, unequal chances, and a judge's word on everything: one mean.

`ppi.py` is the same where every case was as likely to be labelled.
"""

import math
from collections.abc import Sequence

from pointsman.stats.estimate import Estimate, check_level
from pointsman.stats.ppi import Corrected
from pointsman.stats.quantiles import student_t_quantile
from pointsman.stats.weighted import wilson_of

_FEWEST = 10  # labels, below which nothing is said
_OF_EACH = 5  # labels of either kind, below which a yes/no mean is bounded by labels alone


def ppi_sampled(
    human: Sequence[float],
    judged: Sequence[float],
    chances: Sequence[float],
    others: Sequence[float],
    *,
    level: float = 0.95,
) -> Corrected:
    """The mean of what people would say of every case, labels drawn with chances that differ.

    Args: human[i], judged[i] are label and judge's score of one labelled case, chances[i] in
        (0, 1] how likely it was to be drawn; others are the judge's scores of cases without a
        label. A judge that says the same of all is no judge: labels alone then.
    Returns: intervals in the unit of the labels; fewer than 10 labels bound nothing, and of
        yes/no labels with fewer than 5 of either kind the labels alone are bounded (Wilson's).
    Raises: ValueError where lengths differ or a chance is not in (0, 1].
    Source: the weighted difference estimator of survey sampling with a tuned weight of the judge,
        w * mean(all) + sum(v (human - w judged)) / sum(v), v = 1/chance; active statistical
        inference (Zrnic and Candès, arXiv 2403.03208) with Hájek's ratio; its error by
        linearisation, Student's t with Kish's count of labels.
    """
    check_level(level)
    n, more = len(human), len(others)
    if len(judged) != n or len(chances) != n:
        raise ValueError("labels, judgements and chances differ in number")
    if any(not 0.0 < chance <= 1.0 for chance in chances):
        raise ValueError("a chance lies in (0, 1]")
    everything = [*judged, *others]
    judge = _plain(everything, level)
    if n == 0:
        nothing = Estimate(value=None, low=None, high=None, n=0, level=level)
        return Corrected(corrected=nothing, human=nothing, judge=judge, weight=0.0, labelled=0,
                         unlabelled=more)  # fmt: skip
    sample = _Sample(human, judged, chances, everything)
    weight = sample.best_weight() if n >= _FEWEST and more else 0.0
    alone = sample.interval(0.0, level)
    found = sample.interval(weight, level) if weight else alone
    if n >= _FEWEST and _is_lopsided(human):
        alone = found = wilson_of(sample.label_mean, sample.effective, n=n, level=level)
        weight = 0.0
    return Corrected(corrected=found, human=alone, judge=judge, weight=weight, labelled=n,
                     unlabelled=more)  # fmt: skip


class _Sample:
    def __init__(
        self,
        human: Sequence[float],
        judged: Sequence[float],
        chances: Sequence[float],
        everything: Sequence[float],
    ) -> None:
        self.n, self.size = len(human), len(everything)
        weights = [1.0 / chance for chance in chances]
        total = math.fsum(weights)
        self.shares = [weight / total for weight in weights]  # they add up to one
        self.effective = 1.0 / math.fsum(share**2 for share in self.shares)
        self.human, self.judged = human, judged
        self.everything = everything
        self.judge_mean = math.fsum(everything) / self.size
        self.label_mean = _weighted(human, self.shares)
        self.judge_on_labelled = _weighted(judged, self.shares)

    def best_weight(self) -> float:
        """The weight of the judge with the least error, in [0, 1]."""
        both = squares = 0.0
        for share, y, f in zip(self.shares, self.human, self.judged, strict=True):
            of_label = share * (y - self.label_mean)
            of_judge = (f - self.judge_mean) / self.size - share * (f - self.judge_on_labelled)
            both += of_label * of_judge
            squares += of_judge**2
        squares += (
            math.fsum((f - self.judge_mean) ** 2 for f in self.everything[self.n :]) / self.size**2
        )
        return min(1.0, max(0.0, -both / squares)) if squares > 1e-300 else 0.0

    def interval(self, weight: float, level: float) -> Estimate:
        value = self.label_mean + weight * (self.judge_mean - self.judge_on_labelled)
        if self.n < _FEWEST:
            return Estimate(value=value, low=None, high=None, n=self.n, level=level)
        rest_mean = self.label_mean - weight * self.judge_on_labelled
        labels = crossed = 0.0
        for share, y, f in zip(self.shares, self.human, self.judged, strict=True):
            of_label = share * (y - weight * f - rest_mean)
            labels += of_label**2
            crossed += of_label * weight * (f - self.judge_mean) / self.size
        labels *= self.effective / (self.effective - 1) if self.effective > 1 else self.n
        spread = math.fsum((f - self.judge_mean) ** 2 for f in self.everything)
        variance = max(labels + 2 * crossed + weight**2 * spread / self.size**2, 0.0)
        half = student_t_quantile(0.5 + level / 2, max(1.0, self.effective - 1 - (weight > 0)))
        half *= math.sqrt(variance)
        return Estimate(value=value, low=value - half, high=value + half, n=self.n, level=level)


def _weighted(values: Sequence[float], shares: Sequence[float]) -> float:
    return math.fsum(value * share for value, share in zip(values, shares, strict=True))


def _is_lopsided(labels: Sequence[float]) -> bool:
    if any(label not in (0.0, 1.0) for label in labels):
        return False
    yes = sum(labels)
    return min(yes, len(labels) - yes) < _OF_EACH


def _plain(values: Sequence[float], level: float) -> Estimate:
    n = len(values)
    if n < 2:
        return Estimate(value=values[0] if values else None, low=None, high=None, n=n, level=level)
    centre = math.fsum(values) / n
    variance = math.fsum((value - centre) ** 2 for value in values) / (n - 1)
    half = student_t_quantile(0.5 + level / 2, n - 1) * math.sqrt(variance / n)
    return Estimate(value=centre, low=centre - half, high=centre + half, n=n, level=level)
