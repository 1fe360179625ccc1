"""Two costs per accepted output on the same cases: their difference and their ratio.

Both come from linearised influence values, one per case: (cost - r accepted) / mean(accepted).
"""

import math
from collections.abc import Sequence

import msgspec

from pointsman.stats.estimate import Estimate, check_level
from pointsman.stats.quantiles import student_t_quantile
from pointsman.stats.ratios import RatioMoments


class PairedRatio(msgspec.Struct, frozen=True, kw_only=True):
    """Arm b against arm a: cost per accepted b less a, in the unit of cost, and b over a."""

    difference: Estimate
    ratio: Estimate


def paired_ratio_difference(
    costs_a: Sequence[float],
    accepted_a: Sequence[bool],
    costs_b: Sequence[float],
    accepted_b: Sequence[bool],
    *,
    level: float = 0.95,
) -> PairedRatio:
    """Compare the cost per accepted output of two arms, case i being the same in both.

    Returns: see `PairedRatioMoments.estimate`.
    Raises: ValueError if the lengths differ or a cost is negative or not finite.
    """
    moments = PairedRatioMoments.of(costs_a, accepted_a, costs_b, accepted_b)
    return moments.estimate(level=level)


class PairedRatioMoments(msgspec.Struct, frozen=True, kw_only=True):
    """All that a paired comparison needs of its cases; the sum of two is that of both sets."""

    a: RatioMoments = RatioMoments()
    b: RatioMoments = RatioMoments()
    cost_cost: float = 0.0  # sums over cases of products: cost in a times cost in b, and so on
    cost_accepted: float = 0.0
    accepted_cost: float = 0.0
    both_accepted: int = 0

    @classmethod
    def of(
        cls,
        costs_a: Sequence[float],
        accepted_a: Sequence[bool],
        costs_b: Sequence[float],
        accepted_b: Sequence[bool],
    ) -> "PairedRatioMoments":
        """The moments of paired cases; Raises: ValueError as `RatioMoments.of`."""
        a, b = RatioMoments.of(costs_a, accepted_a), RatioMoments.of(costs_b, accepted_b)
        if a.n != b.n:
            raise ValueError(f"paired cases differ in number: {a.n} and {b.n}")
        cases = list(zip(costs_a, accepted_a, costs_b, accepted_b, strict=True))
        return cls(
            a=a,
            b=b,
            cost_cost=math.fsum(ca * cb for ca, _, cb, _ in cases),
            cost_accepted=math.fsum(ca for ca, _, _, yes in cases if yes),
            accepted_cost=math.fsum(cb for _, yes, cb, _ in cases if yes),
            both_accepted=sum(1 for _, in_a, _, in_b in cases if in_a and in_b),
        )

    def __add__(self, other: "PairedRatioMoments") -> "PairedRatioMoments":
        return PairedRatioMoments(
            a=self.a + other.a,
            b=self.b + other.b,
            cost_cost=self.cost_cost + other.cost_cost,
            cost_accepted=self.cost_accepted + other.cost_accepted,
            accepted_cost=self.accepted_cost + other.accepted_cost,
            both_accepted=self.both_accepted + other.both_accepted,
        )

    def estimate(self, *, level: float = 0.95) -> PairedRatio:
        """The difference b - a and the ratio b / a, each with its interval.

        Difference: the limits of each arm's own interval, joined through the correlation of the
        influence values; None on a side where an arm's cost has no upper bound. Ratio: Student's
        t on the log scale; None on both sides under two cases, or where an arm costs nothing.
        An arm without an accepted output gives value None to both.
        Source: Zou and Donner (2008), Stat. Med. 27, 1693-1702, for the difference; the delta
        method for the ratio. Simulated coverage of 95 % for log-normal cost of sigma <= 1,
        n = 100 to 400: difference 93.9 to 96.4, ratio 92.2 to 95.8
        (`tests/stats/test_paired_ratios.py`).
        """
        check_level(level)
        a, b = self.a.estimate(level=level), self.b.estimate(level=level)
        if a.value is None or b.value is None:
            nothing = Estimate(value=None, low=None, high=None, n=self.a.n, level=level)
            return PairedRatio(difference=nothing, ratio=nothing)
        return PairedRatio(
            difference=self._difference(a, b, a.value, b.value),
            ratio=self._ratio(a.value, b.value, level),
        )

    def _difference(self, a: Estimate, b: Estimate, ra: float, rb: float) -> Estimate:
        correlation = self._correlation(ra, rb)
        low = high = None
        if a.high is not None and b.low is not None:
            low = rb - ra - _joined(rb - b.low, a.high - ra, correlation)
        if b.high is not None and a.low is not None:
            high = rb - ra + _joined(b.high - rb, ra - a.low, correlation)
        return Estimate(value=rb - ra, low=low, high=high, n=self.a.n, level=a.level)

    def _ratio(self, ra: float, rb: float, level: float) -> Estimate:
        n = self.a.n
        if ra <= 0.0 or rb <= 0.0:
            value = rb / ra if ra > 0.0 else None
            return Estimate(value=value, low=None, high=None, n=n, level=level)
        if n < 2:
            return Estimate(value=rb / ra, low=None, high=None, n=n, level=level)
        spread = (
            self.a.residual_square(ra) / self.a.cost**2
            + self.b.residual_square(rb) / self.b.cost**2
            - 2.0 * self._residual_product(ra, rb) / (self.a.cost * self.b.cost)
        )
        error = math.sqrt(max(spread, 0.0) * n / (n - 1))
        reach = student_t_quantile(0.5 + level / 2.0, n - 1) * error
        return Estimate(
            value=rb / ra,
            low=rb / ra * math.exp(-reach),
            high=rb / ra * math.exp(min(reach, 700.0)),  # e**700 is near the largest double
            n=n,
            level=level,
        )

    def _correlation(self, ra: float, rb: float) -> float:
        square = self.a.residual_square(ra) * self.b.residual_square(rb)
        if square <= 0.0:
            return 0.0
        return max(-1.0, min(1.0, self._residual_product(ra, rb) / math.sqrt(square)))

    def _residual_product(self, ra: float, rb: float) -> float:
        return (
            self.cost_cost
            - rb * self.cost_accepted
            - ra * self.accepted_cost
            + ra * rb * self.both_accepted
        )


def _joined(first: float, second: float, correlation: float) -> float:
    return math.sqrt(max(first**2 - 2.0 * correlation * first * second + second**2, 0.0))
