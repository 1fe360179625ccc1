"""The bootstrap of a ratio in parts, wherever they are computed; the seed decides the result."""

import math
import random
from collections.abc import Sequence
from typing import Any

from pointsman.domain.errors import PointsmanError
from pointsman.executor.mapping import map_unordered
from pointsman.stats.bootstrap import bca_interval, resampled
from pointsman.stats.estimate import Estimate

_PARTS, _DRAWS = 8, 250  # as many as these together, however many workers there are
_Case = tuple[float, bool]


def bootstrapped_ratio(
    costs: Sequence[float], accepted: Sequence[bool], clusters: Sequence[Any] | None, *, seed: int,
    level: float, on: str,
) -> Estimate:  # fmt: skip
    """Cost per accepted by 2,000 resamples of clusters. Raises: as `map_unordered`."""
    cases = list(zip(costs, accepted, strict=True))
    names = None if clusters is None else [str(name) for name in clusters]
    parts = [(cases, names, f"{seed}:{at}") for at in range(_PARTS)]
    drawn: dict[int, list[float]] = {}
    for outcome in map_unordered(_resampled_part, parts, on=on):
        if outcome.value is None:
            raise PointsmanError("the bootstrap did not come to its end", why=str(outcome.error))
        drawn[outcome.index] = outcome.value
    said = [one for at in range(_PARTS) for one in drawn[at]]
    return bca_interval(cases, _per_accepted, said, clusters=names, level=level)


def _resampled_part(given: tuple[list[_Case], list[str] | None, str]) -> list[float]:
    cases, clusters, seed = given
    draw = random.Random(seed).random  # noqa: S311 - repeatable on purpose
    return resampled(cases, _per_accepted, draw=draw, clusters=clusters, draws=_DRAWS)


def _per_accepted(cases: Sequence[_Case]) -> float | None:
    count = sum(yes for _, yes in cases)
    return math.fsum(cost for cost, _ in cases) / count if count else None
