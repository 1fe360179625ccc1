"""Whether a judge's card still speaks of the judge as it is, and of cases as they are."""

import math
from collections.abc import Sequence

from pointsman.domain.judges import JudgeSpec
from pointsman.evals.judging.card import FEWEST, Card, Seen

_DAY_US = 86_400_000_000
_SURE = 2.23  # of the Kolmogorov-Smirnov distance: one false alarm in ten thousand
_APART = 0.2  # the least distance that matters: a test of many cases finds any
_ENOUGH = 50  # cases on either side, below which nobody can tell


def why_stale(
    card: Card, spec: JudgeSpec, *, now_us: int, lately: Seen | None = None
) -> tuple[str, ...]:
    """Reasons not to go by the card; none: it stands.

    Args: lately is what the judge looked at of late, to be held against what it was calibrated
        on: lengths of answers and its verdicts, by a two-sample Kolmogorov-Smirnov test.
    """
    reasons = []
    if card.n < FEWEST:
        reasons.append(f"only {card.n} labels")
    if card.digest != spec.digest:
        reasons.append("the judge was changed since: model, rubric, scale or fields")
    days = (now_us - card.made_us) / _DAY_US
    if days > spec.max_age_days:
        reasons.append(f"{days:.0f} days old, over {spec.max_age_days:g}")
    if lately is not None:
        for what, then, now in (
            ("lengths of answers", card.seen.chars, lately.chars),
            ("verdicts", card.seen.values, lately.values),
        ):
            if (distance := shifted(then, now)) is not None:
                reasons.append(f"{what} are not as they were (distance {distance:.2f})")
    return tuple(reasons)


def shifted(then: Sequence[float], now: Sequence[float]) -> float | None:
    """The distance of two samples' distributions where it is sure and matters; None: it is not."""
    n, m = len(then), len(now)
    if min(n, m) < _ENOUGH:
        return None
    distance = _distance(sorted(then), sorted(now))
    sure = _SURE * math.sqrt((n + m) / (n * m))
    return distance if distance > max(sure, _APART) else None


def _distance(a: Sequence[float], b: Sequence[float]) -> float:
    i = j = 0
    most = 0.0
    while i < len(a) and j < len(b):
        value = min(a[i], b[j])
        while i < len(a) and a[i] == value:
            i += 1
        while j < len(b) and b[j] == value:
            j += 1
        most = max(most, abs(i / len(a) - j / len(b)))
    return most
