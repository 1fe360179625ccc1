"""How far raters agree beyond chance: Cohen's kappa of two, Krippendorff's alpha of many."""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Literal

from pointsman.stats.estimate import Estimate, check_level
from pointsman.stats.quantiles import normal_quantile, student_t_quantile

Metric = Literal["nominal", "ordinal", "interval"]
_FEWEST = 10  # units, below which nothing is bounded
_BLOCKS = 200  # left out one after another; more units go by blocks

_Coincidences = dict[tuple[float, float], float]


def cohen_kappa(
    first: Sequence[Hashable], second: Sequence[Hashable], *, level: float = 0.95
) -> Estimate:
    """Agreement of two raters of the same cases, beyond what their habits give by chance.

    Args: first[i] and second[i] are what they said of the same case.
    Returns: value <= 1; None where both always said the same one word, which tells nothing.
        Fewer than 10 cases bound nothing.
    Source: Cohen (1960); the error of Fleiss, Cohen and Everitt (1969), Psych. Bull. 72, 323-327.
    """
    check_level(level)
    n = len(first)
    if len(second) != n:
        raise ValueError(f"the raters differ in number of cases: {n} and {len(second)}")
    joint = Counter(zip(first, second, strict=True))
    rows, columns = Counter(first), Counter(second)
    nothing = Estimate(value=None, low=None, high=None, n=n, level=level)
    if n == 0:
        return nothing
    agreed = sum(count for (a, b), count in joint.items() if a == b) / n
    chance = sum(rows[word] * columns[word] for word in rows) / n**2
    if chance >= 1.0:
        return nothing
    kappa = (agreed - chance) / (1 - chance)
    if n < _FEWEST:
        return Estimate(value=kappa, low=None, high=None, n=n, level=level)
    off = 1 - kappa
    on_diagonal = sum(
        joint[word, word] / n * (1 - (rows[word] + columns[word]) / n * off) ** 2 for word in rows
    )
    beside = off**2 * sum(
        count / n * ((columns[a] + rows[b]) / n) ** 2 for (a, b), count in joint.items() if a != b
    )
    centre = (kappa - chance * off) ** 2
    variance = max(0.0, on_diagonal + beside - centre) / (n * (1 - chance) ** 2)
    half = normal_quantile(0.5 + level / 2) * math.sqrt(variance)
    return Estimate(
        value=kappa, low=max(-1.0, kappa - half), high=min(1.0, kappa + half), n=n, level=level
    )


def krippendorff_alpha(
    units: Sequence[Sequence[float]], *, metric: Metric = "nominal", level: float = 0.95
) -> Estimate:
    """Agreement of any number of raters, each of whom may have rated any of the units.

    Args: units[i] are the ratings that one unit got, from whomever; units with fewer than two
        tell nothing and are left out. metric says how far two ratings are apart.
    Returns: value <= 1; None where all ratings are one number. Fewer than 10 units bound nothing.
    Source: Krippendorff (2011), "Computing Krippendorff's alpha-reliability"; the interval by the
        jackknife over units (in blocks beyond 200).
    """
    check_level(level)
    rated = [unit for unit in units if len(unit) >= 2]
    n = len(rated)
    parts = [_coincidences(unit) for unit in rated]
    total: _Coincidences = {}
    for part in parts:
        _add(total, part, 1.0)
    value = _alpha(total, metric)
    if value is None or n < _FEWEST:
        return Estimate(value=value, low=None, high=None, n=n, level=level)
    blocks = [parts[start::_BLOCKS] for start in range(min(n, _BLOCKS))]
    left: list[float] = []
    for block in blocks:
        for part in block:
            _add(total, part, -1.0)
        without = _alpha(total, metric)
        for part in block:
            _add(total, part, 1.0)
        if without is not None:
            left.append(without)
    count = len(left)
    if count < _FEWEST:
        return Estimate(value=value, low=None, high=None, n=n, level=level)
    centre = math.fsum(left) / count
    variance = (count - 1) / count * math.fsum((each - centre) ** 2 for each in left)
    half = student_t_quantile(0.5 + level / 2, count - 1) * math.sqrt(variance)
    return Estimate(value=value, low=value - half, high=min(1.0, value + half), n=n, level=level)


def _coincidences(unit: Sequence[float]) -> _Coincidences:
    """How often each two values met in a unit, each pair of raters weighing 1/(raters - 1)."""
    counts, weight = Counter(unit), 1.0 / (len(unit) - 1)
    found: _Coincidences = {}
    for a, times in counts.items():
        for b, others in counts.items():
            pairs = times * (others - (a == b))
            if pairs:
                found[a, b] = pairs * weight
    return found


def _add(total: _Coincidences, part: Mapping[tuple[float, float], float], sign: float) -> None:
    for pair, count in part.items():
        total[pair] = total.get(pair, 0.0) + sign * count


def _alpha(total: Mapping[tuple[float, float], float], metric: Metric) -> float | None:
    margins: Counter[float] = Counter()
    for (a, _), count in total.items():
        margins[a] += count  # type: ignore[assignment]
    present = sorted(value for value, count in margins.items() if count > 1e-9)
    n = math.fsum(margins[value] for value in present)
    if len(present) < 2:
        return None
    apart = _distances(present, margins, metric)
    seen = math.fsum(
        count * apart(a, b) for (a, b), count in total.items() if a != b and count > 1e-9
    )
    by_chance = math.fsum(
        margins[a] * margins[b] * apart(a, b) for a in present for b in present if a != b
    )
    return 1.0 - (n - 1) * seen / by_chance


def _distances(
    present: Sequence[float], margins: Mapping[float, float], metric: Metric
) -> Callable[[float, float], float]:
    if metric == "nominal":
        return lambda a, b: 1.0
    if metric == "interval":
        return lambda a, b: (a - b) ** 2
    before, reached = {}, 0.0
    for value in present:  # the middle of the ranks that a value takes
        before[value] = reached + margins[value] / 2
        reached += margins[value]
    return lambda a, b: (before[a] - before[b]) ** 2
