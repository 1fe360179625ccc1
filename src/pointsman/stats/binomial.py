"""The binomial distribution: mass, cumulative chance, and a walk along it; no data here."""

import math

from pointsman.stats.quantiles import beta_cdf


def binomial_mass(k: int, n: int, chance: float) -> float:
    """P(X = k) for X ~ Binomial(n, chance)."""
    if chance in (0.0, 1.0):
        return float(k == n * chance)
    log_mass = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log_mass + k * math.log(chance) + (n - k) * math.log1p(-chance))


def binomial_cdf(k: int, n: int, chance: float) -> float:
    """P(X <= k) for X ~ Binomial(n, chance)."""
    if k < 0:
        return 0.0
    return 1.0 if k >= n else beta_cdf(1.0 - chance, n - k, k + 1)


class BinomialWalk:
    """P(at most k of m), moved along neighbouring k and m in constant time."""

    def __init__(self, k: int, m: int, chance: float) -> None:
        self._chance = chance
        self._start(k, m)

    def _start(self, k: int, m: int) -> None:
        self._k, self._m = k, m
        self._mass = binomial_mass(k, m, self._chance)
        self.below = binomial_cdf(k, m, self._chance)

    def move(self, k: int, m: int) -> None:
        """Args: k in [0, m]."""
        if self._mass == 0.0 or k == m or self._k == self._m or m < self._m:
            self._start(k, m)
            return
        odds = self._chance / (1.0 - self._chance)
        while self._m < m:
            self.below -= self._chance * self._mass
            self._m += 1
            self._mass *= (1.0 - self._chance) * self._m / (self._m - self._k)
        while self._k < k:
            self._mass *= odds * (self._m - self._k) / (self._k + 1)
            self._k += 1
            self.below += self._mass
        while self._k > k:
            self.below -= self._mass
            self._mass *= self._k / ((self._m - self._k + 1) * odds)
            self._k -= 1
