"""A few human labels and many of a judge: one honest mean, never by the judge's word alone.

The judge's mean over everything is corrected by how it erred where people looked too.
"""

import math
from collections.abc import Sequence

import msgspec

from pointsman.stats.estimate import Estimate, check_level
from pointsman.stats.quantiles import normal_quantile, student_t_quantile

_FEWEST = 10  # human labels, below which nothing is said


class Corrected(msgspec.Struct, frozen=True, kw_only=True):
    """The corrected mean beside what people, and the judge, say alone."""

    corrected: Estimate
    human: Estimate
    judge: Estimate
    weight: float  # of the judge, in [0, 1]
    labelled: int
    unlabelled: int


def ppi_mean(
    human: Sequence[float],
    judged: Sequence[float],
    others: Sequence[float],
    *,
    level: float = 0.95,
) -> Corrected:
    """The mean of what people would say of every case.

    Args: human[i] and judged[i] are the label and the judge's score of the same labelled case;
    others are the judge's scores of cases without a label. Labelled cases must be a random draw.
    Returns: intervals in the unit of the labels; fewer than 10 labels bound nothing.
    Source: prediction-powered inference with tuned weight (PPI++, Angelopoulos et al.,
    arXiv 2311.01453): w * mean(others) + mean(human - w * judged), where w minimises the
    variance, clipped to [0, 1]; Student's t for the labelled part.
    """
    check_level(level)
    n, more = len(human), len(others)
    if len(judged) != n:
        raise ValueError(f"labels and judgements differ in number: {n} and {len(judged)}")
    alone = _t_interval(human, level)
    judge = _t_interval([*judged, *others], level)
    if n < _FEWEST or more == 0:
        bounded = alone if n >= _FEWEST else Estimate(value=alone.value, low=None, high=None, n=n,
                                                      level=level)  # fmt: skip
        return Corrected(corrected=bounded, human=alone, judge=judge, weight=0.0, labelled=n,
                         unlabelled=more)  # fmt: skip
    spread = _variance([*judged, *others])
    weight = 0.0
    if spread > 0:
        weight = _covariance(human, judged) / ((1 + n / more) * spread)
        weight = min(1.0, max(0.0, weight))
    rest = [y - weight * f for y, f in zip(human, judged, strict=True)]
    value = weight * _mean(others) + _mean(rest)
    from_labels, from_judge = _variance(rest) / n, weight**2 * _variance(others) / more
    error = math.sqrt(from_labels + from_judge)
    # Welch and Satterthwaite: the judge's many cases add no doubt about the spread of the few.
    freedom = (
        (from_labels + from_judge) ** 2
        / (from_labels**2 / (n - 1) + from_judge**2 / max(1, more - 1))
        if error > 0
        else n - 1
    )
    half = student_t_quantile(0.5 + level / 2, max(1.0, freedom)) * error
    corrected = Estimate(value=value, low=value - half, high=value + half, n=n, level=level)
    return Corrected(corrected=corrected, human=alone, judge=judge, weight=weight, labelled=n,
                     unlabelled=more)  # fmt: skip


def rogan_gladen(
    said_yes: int,
    n: int,
    *,
    caught: int,
    positives: int,
    cleared: int,
    negatives: int,
    level: float = 0.95,
) -> Estimate:
    """The rate behind a yes/no judge whose errors were measured on labelled cases.

    Args: the judge said yes to said_yes of n cases; of the labelled it caught `caught` of
    `positives` and cleared `cleared` of `negatives`.
    Returns: value and interval in [0, 1]; low and high None where the judge is no better than a
    coin, or a class has fewer than 10 labels.
    Source: Rogan and Gladen (1978), Am. J. Epidemiol. 107, 71-76; the interval by the delta
    method with one success and failure added to each rate (Lang and Reiczigel 2014).
    """
    check_level(level)
    if n < 1 or positives < 1 or negatives < 1:
        return Estimate(value=None, low=None, high=None, n=n, level=level)
    sens, spec = (caught + 1) / (positives + 2), (cleared + 1) / (negatives + 2)
    z = normal_quantile(0.5 + level / 2)
    adjusted = n + z * z
    rate = (said_yes + z * z / 2) / adjusted
    youden = sens + spec - 1
    if youden <= 0.05 or min(positives, negatives) < _FEWEST:
        return Estimate(value=None, low=None, high=None, n=n, level=level)
    value = (rate + spec - 1) / youden
    variance = (
        rate * (1 - rate) / adjusted
        + value**2 * sens * (1 - sens) / (positives + 2)
        + (1 - value) ** 2 * spec * (1 - spec) / (negatives + 2)
    ) / youden**2
    half = z * math.sqrt(variance)
    bounded = min(1.0, max(0.0, value))
    return Estimate(value=bounded, low=max(0.0, value - half), high=min(1.0, value + half), n=n,
                    level=level)  # fmt: skip


def _t_interval(values: Sequence[float], level: float) -> Estimate:
    n = len(values)
    if n < 2:
        value = values[0] if values else None
        return Estimate(value=value, low=None, high=None, n=n, level=level)
    half = student_t_quantile(0.5 + level / 2, n - 1) * math.sqrt(_variance(values) / n)
    centre = _mean(values)
    return Estimate(value=centre, low=centre - half, high=centre + half, n=n, level=level)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    centre = _mean(values)
    return math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)


def _covariance(a: Sequence[float], b: Sequence[float]) -> float:
    if len(a) < 2:
        return 0.0
    x, y = _mean(a), _mean(b)
    return math.fsum((p - x) * (q - y) for p, q in zip(a, b, strict=True)) / (len(a) - 1)
