"""Rates of yes/no outcomes that were drawn with chances that differ."""

import math
from collections.abc import Sequence

from pointsman.stats.estimate import Estimate, check_level
from pointsman.stats.quantiles import normal_quantile


def weighted_rate(
    outcomes: Sequence[bool], chances: Sequence[float], *, level: float = 0.95
) -> Estimate:
    """The rate among all, from outcomes each seen with its own chance.

    Args: chances[i] in (0, 1]; outcomes are independent.
    Returns: with equal chances Wilson's interval; n counts the outcomes as they are.
    Source: Hájek's ratio estimator; Wilson's interval at Kish's effective count.
    """
    check_level(level)
    if len(outcomes) != len(chances):
        raise ValueError("outcomes and chances differ in number")
    if not outcomes:
        return Estimate(value=None, low=0.0, high=1.0, n=0, level=level)
    if any(not 0.0 < chance <= 1.0 for chance in chances):
        raise ValueError("a chance lies in (0, 1]")
    weights = [1.0 / chance for chance in chances]
    total = math.fsum(weights)
    rate = math.fsum(w for w, yes in zip(weights, outcomes, strict=True) if yes) / total
    effective = total**2 / math.fsum(weight**2 for weight in weights)
    return wilson_of(rate, effective, n=len(outcomes), level=level)


def wilson_of(rate: float, effective: float, *, n: int, level: float) -> Estimate:
    """Wilson's interval around a rate that is worth so many equal outcomes, not always whole."""
    rate = min(1.0, max(0.0, rate))
    z = normal_quantile(0.5 + level / 2)
    centre = (rate * effective + z * z / 2) / (effective + z * z)
    half = z / (effective + z * z) * math.sqrt(rate * (1 - rate) * effective + z * z / 4)
    return Estimate(value=rate, low=max(0.0, min(rate, centre - half)),
                    high=min(1.0, max(rate, centre + half)), n=n, level=level)  # fmt: skip
