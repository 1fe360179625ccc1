"""Two arms compared like with like: within strata, weighed as both have cases there."""

import math
from collections.abc import Sequence

import msgspec

from pointsman.stats.estimate import Estimate, check_level
from pointsman.stats.quantiles import normal_quantile
from pointsman.stats.ratios import RatioMoments


class Stratum(msgspec.Struct, frozen=True, kw_only=True):
    """What both arms did among cases that are alike: moments of their costs and acceptance."""

    a: RatioMoments
    b: RatioMoments


class Stratified(msgspec.Struct, frozen=True, kw_only=True):
    """Arm b against arm a over the strata that both have."""

    rate_a: float | None  # both weighed alike: not the plain rates
    rate_b: float | None
    difference: Estimate  # of rates, b less a
    cost_ratio: Estimate  # cost per accepted output, b's over a's
    strata: int
    n_a: int
    n_b: int
    alone_a: int  # cases of strata where the other arm has none, or fewer than two
    alone_b: int


def stratified(strata: Sequence[Stratum], *, level: float = 0.95) -> Stratified:
    """The difference of two arms whose cases are not of the same kinds, or not of the same days.

    Returns: estimates whose n counts cases of both arms; None where nothing can be compared.
    Source: the difference of rates is Mantel and Haenszel's with Sato's variance (Sato, Greenland
    and Robins 1989, Biometrics 45, 1323-1324); the ratio of costs is by the delta method on its
    logarithm, with the same weights.
    """
    check_level(level)
    both = [each for each in strata if each.a.n >= 2 and each.b.n >= 2]
    alone = [each for each in strata if not (each.a.n >= 2 and each.b.n >= 2)]
    n_a, n_b = sum(each.a.n for each in both), sum(each.b.n for each in both)
    weights = [each.a.n * each.b.n / (each.a.n + each.b.n) for each in both]
    total = math.fsum(weights)
    rate_a = rate_b = None
    if total > 0:
        rate_a = math.fsum(w * s.a.accepted / s.a.n for w, s in zip(weights, both, strict=True))
        rate_b = math.fsum(w * s.b.accepted / s.b.n for w, s in zip(weights, both, strict=True))
        rate_a, rate_b = rate_a / total, rate_b / total
    return Stratified(
        rate_a=rate_a,
        rate_b=rate_b,
        difference=_difference(both, weights, level),
        cost_ratio=_cost_ratio(both, weights, level),
        strata=len(both),
        n_a=n_a,
        n_b=n_b,
        alone_a=sum(each.a.n for each in alone),
        alone_b=sum(each.b.n for each in alone),
    )


def _difference(both: Sequence[Stratum], weights: Sequence[float], level: float) -> Estimate:
    n = sum(each.a.n + each.b.n for each in both)
    total = math.fsum(weights)
    if total <= 0:
        return Estimate(value=None, low=None, high=None, n=n, level=level)
    shift = math.fsum(
        w * (s.b.accepted / s.b.n - s.a.accepted / s.a.n)
        for w, s in zip(weights, both, strict=True)
    )
    value = shift / total
    p = q = 0.0
    for s in both:
        na, nb, ya, yb = s.a.n, s.b.n, s.a.accepted, s.b.accepted
        size = na + nb
        p += (nb * nb * ya - na * na * yb + na * nb * (na - nb) / 2) / (size * size)
        q += (yb * (na - ya) + ya * (nb - yb)) / (2 * size)
    variance = max(value * p + q, 0.0) / total**2
    half = normal_quantile(0.5 + level / 2) * math.sqrt(variance)
    return Estimate(
        value=value, low=max(-1.0, value - half), high=min(1.0, value + half), n=n, level=level
    )


def _cost_ratio(both: Sequence[Stratum], weights: Sequence[float], level: float) -> Estimate:
    n = sum(each.a.n + each.b.n for each in both)
    nothing = Estimate(value=None, low=None, high=None, n=n, level=level)
    logs, variance = [], 0.0
    for arm in ([each.a for each in both], [each.b for each in both]):
        cost = math.fsum(w * m.cost / m.n for w, m in zip(weights, arm, strict=True))
        rate = math.fsum(w * m.accepted / m.n for w, m in zip(weights, arm, strict=True))
        if cost <= 0 or rate <= 0:
            return nothing
        logs.append(math.log(cost / rate))
        for w, m in zip(weights, arm, strict=True):
            c, y = m.cost / m.n, m.accepted / m.n
            var_c = max(m.cost_2 / m.n - c * c, 0.0)
            cov = m.accepted_cost / m.n - c * y
            spread = var_c / cost**2 + y * (1 - y) / rate**2 - 2 * cov / (cost * rate)
            variance += w * w * max(spread, 0.0) / (m.n - 1)
    value = logs[1] - logs[0]
    half = normal_quantile(0.5 + level / 2) * math.sqrt(variance)
    return Estimate(
        value=math.exp(value), low=math.exp(value - half), high=math.exp(value + half), n=n,
        level=level,
    )  # fmt: skip
