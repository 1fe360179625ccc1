"""How many cases show how much: before a run, and what one already made could have shown."""

import math
from statistics import NormalDist

import msgspec

from pointsman.stats.estimate import check_level
from pointsman.stats.quantiles import normal_quantile

_NORMAL = NormalDist()


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """What makes paired differences vary, as standard deviations in the unit of the scores.

    `items`: over cases, of the difference of their expected scores; `within_a`, `within_b`: of one
    answer about a case's expected score. `epochs` answers of each are averaged.
    """

    items: float
    within_a: float = 0.0
    within_b: float = 0.0
    epochs: int = 1

    @property
    def variance(self) -> float:
        """Of one case's difference, its epochs averaged."""
        if self.epochs < 1 or min(self.items, self.within_a, self.within_b) < 0:
            raise ValueError("deviations are not negative, and epochs are one or more")
        return self.items**2 + (self.within_a**2 + self.within_b**2) / self.epochs


def cases_needed(
    *,
    shift: float,
    spread: float,
    within_a: float = 0.0,
    within_b: float = 0.0,
    epochs: int = 1,
    level: float = 0.95,
    power: float = 0.8,
) -> int:
    """How many paired cases show a shift of this size.

    Args: shift > 0 in the unit of the scores; the others as in `Spread`, whose `items` is spread.
    Source: Miller (2024), section 5: (z + z)^2 (spread^2 + (within_a^2 + within_b^2)/K) / shift^2.
    """
    _check(level, power)
    if not shift > 0:
        raise ValueError(f"a shift above 0 is needed, got {shift}")
    varies = Spread(items=spread, within_a=within_a, within_b=within_b, epochs=epochs).variance
    return max(2, math.ceil(_reach(level, power) ** 2 * varies / shift**2))


def cases_to_show_same(
    *, margin: float, spread: float, level: float = 0.95, power: float = 0.8
) -> int:
    """How many paired cases show that there is no difference of the margin, where there is none.

    The whole interval must lie within the margin: two one-sided tests, both to succeed.
    Source: Chow, Shao and Wang, Sample Size Calculations (2008), section 3.1.
    """
    _check(level, power)
    if not margin > 0:
        raise ValueError(f"a margin above 0 is needed, got {margin}")
    z = normal_quantile(0.5 + level / 2) + normal_quantile(0.5 + power / 2)
    return max(2, math.ceil((z * spread / margin) ** 2))


def smallest_shift(
    n: int,
    *,
    spread: float,
    within_a: float = 0.0,
    within_b: float = 0.0,
    epochs: int = 1,
    level: float = 0.95,
    power: float = 0.8,
) -> float | None:
    """The shift that n paired cases show with this power; None for fewer than two."""
    _check(level, power)
    varies = Spread(items=spread, within_a=within_a, within_b=within_b, epochs=epochs).variance
    return None if n < 2 else _reach(level, power) * math.sqrt(varies / n)


def power_of(
    n: int,
    *,
    shift: float,
    spread: float,
    within_a: float = 0.0,
    within_b: float = 0.0,
    epochs: int = 1,
    level: float = 0.95,
) -> float:
    """The chance that n paired cases show a shift of this size, in [0, 1].

    Both tails of the normal test; 1 where nothing varies.
    """
    check_level(level)
    if n < 2:
        return 0.0
    varies = Spread(items=spread, within_a=within_a, within_b=within_b, epochs=epochs).variance
    if varies == 0:
        return 1.0 if shift else 0.0
    distance, z = abs(shift) / math.sqrt(varies / n), normal_quantile(0.5 + level / 2)
    return _NORMAL.cdf(distance - z) + _NORMAL.cdf(-distance - z)


def _reach(level: float, power: float) -> float:
    return normal_quantile(0.5 + level / 2) + normal_quantile(power)


def _check(level: float, power: float) -> None:
    check_level(level)
    if not 0 < power < 1:
        raise ValueError(f"power must lie in (0, 1), got {power}")
