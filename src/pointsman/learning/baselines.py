"""What anyone could do without learning from words: the policies every router stands beside."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.learning.choosing import chosen_at, values_to_try
from pointsman.learning.outcomes import Outcomes
from pointsman.learning.scoring import Choice, taken

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
_BINS = 10  # of prompt length, by quantiles
_SHRINK = 10.0  # prompts' worth of the mean over all
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Curve:
    """A family of policies from cheap to dear: positions of models by prompt, one per point."""

    name: str
    policies: list[Choice]

    @property
    def points(self) -> list[tuple[float, float]]:
        """(mean cost, mean score) of each."""
        return [policy.point for policy in self.policies]


def prompt_length(scored: Outcomes, train: Outcomes | None) -> Curve:
    """Routing by the length of the prompt alone: means by decile of characters."""
    reference = train if train is not None else scored
    edges = np.quantile([len(p) for p in reference.prompts], np.linspace(0, 1, _BINS + 1)[1:-1])

    def group(outcomes: Outcomes) -> Rows:
        lengths = np.array([len(p) for p in outcomes.prompts])
        return np.searchsorted(edges, lengths, side="right").astype(np.intp)

    return _by_group("prompt length", scored, train, group)


def task_mean(scored: Outcomes, train: Outcomes | None) -> Curve:
    """Routing by the task alone: means by task."""
    reference = train if train is not None else scored
    row = {task: i for i, task in enumerate(sorted(set(reference.tasks)))}

    def group(outcomes: Outcomes) -> Rows:
        return np.array([row.get(task, len(row)) for task in outcomes.tasks], dtype=np.intp)

    return _by_group("task mean", scored, train, group)


def _by_group(
    name: str, scored: Outcomes, train: Outcomes | None, group: Callable[[Outcomes], Rows]
) -> Curve:
    """Means of score and cost by group, from the training rows or else from other folds."""
    of = group(scored)
    score, cost = np.empty(scored.score.shape), np.empty(scored.score.shape)
    if train is not None:
        means = _means(train.score, group(train)), _means(train.cost_usd, group(train))
        score[:], cost[:] = _looked_up(means[0], of), _looked_up(means[1], of)
    else:
        fold = np.arange(len(scored)) % _FOLDS
        for k in range(_FOLDS):
            out, inside = fold == k, fold != k
            score[out] = _looked_up(_means(scored.score[inside], of[inside]), of[out])
            cost[out] = _looked_up(_means(scored.cost_usd[inside], of[inside]), of[out])
    return swept(name, scored, score, cost)


def _means(values: Floats, of: Rows) -> Floats:
    """[groups + 1, m]: shrunk means; the last row is the mean over all."""
    overall = values.mean(axis=0)
    groups = int(of.max()) + 1 if len(of) else 0
    found = np.tile(overall, (groups + 1, 1))
    for g in range(groups):
        inside = values[of == g]
        found[g] = (inside.sum(axis=0) + _SHRINK * overall) / (len(inside) + _SHRINK)
    return found


def _looked_up(means: Floats, of: Rows) -> Floats:
    found: Floats = means[np.minimum(of, len(means) - 1)]
    return found


def swept(name: str, scored: Outcomes, score: Floats, cost: Floats) -> Curve:
    """The policies that take the largest value * score - cost, for each value tried."""
    seen: dict[bytes, Choice] = {}
    for value in values_to_try(cost):
        at = chosen_at(value, score, cost)
        seen.setdefault(at.tobytes(), taken(name, scored, at))
    return Curve(name, list(seen.values()))
