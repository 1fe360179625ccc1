"""Many statements tested on the same data with one chance of error, and p-values for means."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pointsman.stats.binomial import binomial_cdf


@dataclass(frozen=True, slots=True)
class Proven:
    """How far along an ordered list of statements the proof went."""

    count: int  # the first so many are proven, all of them together
    p_values: tuple[float, ...]  # of each that was tested; the last one failed, or it is the end


def fixed_sequence(p_values: Iterable[float], *, delta: float) -> Proven:
    """Tests statements in an order fixed beforehand, each at full `delta`, up to the first failure.

    The chance that any statement proven is false is at most `delta`. The order must not come from
    the data of the p-values; these are drawn from the iterable only while tests succeed.

    Args: delta in (0, 1).
    Source: fixed-sequence testing as in learn-then-test (Angelopoulos et al. 2021,
    arXiv 2110.01052).
    """
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta must lie in (0, 1), got {delta}")
    seen = []
    for p_value in p_values:
        seen.append(p_value)
        if not p_value <= delta:
            return Proven(len(seen) - 1, tuple(seen))
    return Proven(len(seen), tuple(seen))


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """P-values of which each may be read alone: the chance of any false one below alpha is alpha.

    Source: Holm (1979), Scand. J. Stat. 6, 65-70.
    """
    m, running = len(p_values), 0.0
    adjusted = [1.0] * m
    for rank, at in enumerate(sorted(range(m), key=lambda at: p_values[at])):
        running = max(running, min(1.0, (m - rank) * p_values[at]))
        adjusted[at] = running
    return adjusted


def false_discovery_adjusted(p_values: Sequence[float]) -> list[float]:
    """The least rate of false discoveries at which each hypothesis falls.

    Source: Benjamini and Hochberg (1995), JRSS B 57, 289-300; for independent or positively
    dependent p-values.
    """
    m, running = len(p_values), 1.0
    adjusted = [1.0] * m
    order = sorted(range(m), key=lambda at: p_values[at])
    for rank in range(m, 0, -1):
        at = order[rank - 1]
        running = min(running, p_values[at] * m / rank)
        adjusted[at] = running
    return adjusted


def hoeffding_bentkus(mean: float, n: int, *, bound: float) -> float:
    """The p-value of "the expected loss is over `bound`", for n independent losses in [0, 1].

    Args: mean loss seen, in [0, 1]; bound in (0, 1).
    Returns: in [0, 1]; n = 0 gives 1.
    Source: Bates et al. (2021), J. ACM 68:43: the smaller of Hoeffding's and Bentkus's. For yes/no
    losses the binomial itself is sharper by Bentkus's factor e; for differences on the same cases
    use `shortfall_p_value`, which knows how few of them differ.
    """
    if not 0.0 < bound < 1.0:
        raise ValueError(f"bound must lie in (0, 1), got {bound}")
    if n < 0 or not 0.0 <= mean <= 1.0:
        raise ValueError(f"a mean of {mean} over {n} losses in [0, 1] cannot be")
    if n == 0 or mean >= bound:
        return 1.0
    hoeffding = math.exp(-n * _divergence(mean, bound))
    bentkus = math.e * binomial_cdf(math.ceil(n * mean - 1e-9), n, bound)
    return min(1.0, hoeffding, bentkus)


def learn_then_test(means: Iterable[float], n: int, *, bound: float, delta: float) -> Proven:
    """The first operating points, in the order given, whose expected loss is at most `bound`.

    With confidence 1 - delta it holds for all of them. Args: mean losses in [0, 1] over the same n
    cases, none of which was used to fit or order the points.
    """
    return fixed_sequence((hoeffding_bentkus(mean, n, bound=bound) for mean in means), delta=delta)


def _divergence(a: float, b: float) -> float:
    """Kullback-Leibler's, of two coins, in nats; a < b."""
    heads = a * math.log(a / b) if a > 0 else 0.0
    return heads + (1.0 - a) * math.log((1.0 - a) / (1.0 - b))
