"""Intervals and tests that hold at every moment at once: look as often as you like.

A confidence sequence covers the truth at all sample sizes together with the stated probability,
so that an experiment may be watched and ended at any time.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from pointsman.stats.estimate import Estimate, check_level

_TUNED_FOR = 500  # cases, around which the sequence is narrowest


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """Count, sum and sum of squares of values: all that a sequence needs of them."""

    n: int = 0
    total: float = 0.0
    square: float = 0.0

    def plus(self, value: float) -> "Moments":
        """With one more value."""
        return Moments(n=self.n + 1, total=self.total + value, square=self.square + value * value)

    @property
    def mean(self) -> float:
        return self.total / self.n

    @property
    def variance(self) -> float:
        """Shrunk towards 1/4 by one case, so that equal first values are not taken for certain."""
        centre = self.mean
        spread = max(self.square - self.n * centre * centre, 0.0)
        return (spread + 0.25) / (self.n + 1)


def asymptotic_sequence(
    moments: Moments, *, level: float = 0.95, tuned_for: int = _TUNED_FOR
) -> Estimate:
    """The mean, with an interval that may be looked at after every case.

    Args: tuned_for is the number of cases around which it is narrowest.
    Returns: low and high None below 2 cases.
    Source: Waudby-Smith et al., arXiv 2103.06476, proposition 2.1 (asymptotic, with a normal
    mixture of Robbins); for exact coverage of values in [0, 1]: `stats.betting`.
    """
    check_level(level)
    if moments.n < 2:
        value = moments.mean if moments.n else None
        return Estimate(value=value, low=None, high=None, n=moments.n, level=level)
    half = math.sqrt(moments.variance / moments.n) * boundary(moments.n, level, tuned_for)
    centre = moments.mean
    return Estimate(value=centre, low=centre - half, high=centre + half, n=moments.n, level=level)


def boundary(n: float, level: float, tuned_for: float = _TUNED_FOR) -> float:
    """How many standard errors the interval is wide at n cases, each way."""
    rho_square = _rho_square(1 - level) / tuned_for
    inside = n * rho_square + 1
    return math.sqrt(
        2 * inside / (n * rho_square) * math.log(math.sqrt(inside) / (1 - level))
    )  # fmt: skip


def _rho_square(alpha: float) -> float:
    """rho^2 * n where the boundary is narrowest (Waudby-Smith et al., appendix B.2)."""
    return -2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """How two arms stand, at any moment."""

    verdict: str  # `b is better`, `b is worse`, `undecided`
    difference: Estimate  # b less a


def always_valid(
    a: Moments, b: Moments, *, level: float = 0.95, tuned_for: int = _TUNED_FOR,
    least: int = 50,
) -> Decided:  # fmt: skip
    """Mean of b less mean of a from independent cases, to be looked at as often as one likes.

    Args: nothing is decided below `least` cases in each arm, where the sequence, being
    asymptotic, has no guarantee.
    Source: as `asymptotic_sequence`, on the difference of two means with their joint variance.
    """
    check_level(level)
    n = min(a.n, b.n)
    if n < 2:
        nothing = Estimate(value=None, low=None, high=None, n=n, level=level)
        return Decided(verdict="undecided", difference=nothing)
    error = math.sqrt(a.variance / a.n + b.variance / b.n)
    # the number of cases at which one mean would be as uncertain as this difference
    equivalent = (a.variance + b.variance) / (error * error)
    half = error * boundary(equivalent, level, tuned_for)
    value = b.mean - a.mean
    difference = Estimate(value=value, low=value - half, high=value + half, n=n, level=level)
    if n < least or value - half <= 0 <= value + half:
        return Decided(verdict="undecided", difference=difference)
    return Decided(verdict="b is better" if value > 0 else "b is worse", difference=difference)


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """Whether cases went to the arms as they were meant to, at any moment."""

    mismatch: bool
    p_value: float  # that no later look can make invalid
    expected: dict[str, float]  # shares
    seen: dict[str, int]


def sample_ratio(
    seen: Mapping[str, int], expected: Mapping[str, float], *, alpha: float = 0.001
) -> Mismatch:
    """Whether the counts are those of the expected shares, however often one looks.

    Args: seen are counts by arm, expected shares by arm (any positive weights).
    Returns: the p-value is one over the largest Bayes factor of the counts as they are now.
    Raises: ValueError for arms that nobody expects, or a weight that is not positive.
    Source: Lindon and Malek, arXiv 2011.03567: a Dirichlet mixture over shares against the
    expected ones, concentrated on them as 100 cases would be.
    """
    total = math.fsum(expected.values())
    if set(seen) - set(expected) or any(not weight > 0 for weight in expected.values()):
        raise ValueError("every arm needs a positive expected share, and none may be unexpected")
    shares = {arm: weight / total for arm, weight in expected.items()}
    n, strength = sum(seen.values()), 100.0
    log_factor = math.lgamma(strength) - math.lgamma(strength + n)
    for arm, share in shares.items():
        prior, count = strength * share, seen.get(arm, 0)
        log_factor += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    p_value = min(1.0, math.exp(-max(log_factor, 0.0)))
    return Mismatch(
        mismatch=p_value < alpha,
        p_value=p_value,
        expected=shares,
        seen={arm: seen.get(arm, 0) for arm in shares},
    )


def holm(p_values: Sequence[float], *, alpha: float = 0.05) -> list[bool]:
    """Which hypotheses fall while any false one falls with probability alpha at most.

    Source: Holm (1979), Scand. J. Stat. 6, 65-70.
    """
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    fallen = [False] * len(p_values)
    for rank, at in enumerate(order):
        if p_values[at] > alpha / (len(p_values) - rank):
            break
        fallen[at] = True
    return fallen


def benjamini_hochberg(p_values: Sequence[float], *, rate: float = 0.05) -> list[bool]:
    """Which hypotheses fall while the expected share of false ones among them is `rate` at most.

    Source: Benjamini and Hochberg (1995), JRSS B 57, 289-300; for independent or positively
    dependent p-values.
    """
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    last = 0
    for rank, at in enumerate(order, 1):
        if p_values[at] <= rate * rank / len(p_values):
            last = rank
    fallen = [False] * len(p_values)
    for at in order[:last]:
        fallen[at] = True
    return fallen


def e_benjamini_hochberg(e_values: Sequence[float], *, rate: float = 0.05) -> list[bool]:
    """The same for e-values, however they depend on each other.

    Source: Wang and Ramdas (2022), JRSS B 84, 822-852.
    """
    order = sorted(range(len(e_values)), key=lambda at: -e_values[at])
    last = 0
    for rank, at in enumerate(order, 1):
        if e_values[at] >= len(e_values) / (rate * rank):
            last = rank
    fallen = [False] * len(e_values)
    for at in order[:last]:
        fallen[at] = True
    return fallen
