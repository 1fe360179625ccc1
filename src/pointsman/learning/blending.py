"""Weights of the members from estimates that are out of fold, and how costs are put right."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pointsman.learning.choosing import chosen_at
from pointsman.learning.outcomes import Outcomes

Floats = NDArray[np.float64]


def split(estimates: Floats, models: int) -> tuple[Floats, Floats]:
    """Level and gains of [..., k] estimates, k being one or two times `models`."""
    parts = estimates.reshape(*estimates.shape[:-1], -1, models)
    level = np.broadcast_to(parts.mean(axis=-1, keepdims=True), parts.shape)
    return level.reshape(estimates.shape), (parts - level).reshape(estimates.shape)


def member_weights(
    held: Floats, truth: Floats, models: int, *, gains_from: Sequence[int]
) -> tuple[Floats, Floats]:
    """Weights [2, members] of gains and level, none negative, and the constant [k].

    Least squares on what is left once each column's mean is taken out, so that the models' plain
    means stay as they are however little the members know of single prompts. Gains come of some
    members only, the level of all.
    """
    level, gains = split(held, models)
    true_level, true_gains = split(truth, models)
    weights = np.zeros((2, len(held)))
    weights[0, list(gains_from)] = _not_negative(gains[list(gains_from)], true_gains)
    weights[1] = _not_negative(level, true_level)
    mixed = blend(held, weights, np.zeros(truth.shape[1]), models)
    return weights, truth.mean(axis=0) - mixed.mean(axis=0)


def decision_value(
    score: Floats, cost: Floats, outcomes: Outcomes, values: Sequence[float]
) -> float:
    """What decisions by these estimates are worth: score less cost over the value of a score, the
    mean over values and prompts. Smooth estimates win here that lose in squared error: what is
    chosen is the largest of many, and the largest has the most noise in it."""
    rows = np.arange(len(outcomes))
    found = []
    for value in values:
        at = chosen_at(value, score, cost)
        worth = outcomes.score[rows, at] - outcomes.cost_usd[rows, at] / value
        found.append(float(worth.mean()))
    return sum(found) / len(found)


def _not_negative(parts: Floats, target: Floats) -> Floats:
    from scipy.optimize import nnls

    columns = [(part - part.mean(axis=0)).ravel() for part in parts]
    found: Floats = nnls(np.stack(columns, axis=1), (target - target.mean(axis=0)).ravel())[0]
    return found


def blend(members: Floats, weights: Floats, constant: Floats, models: int) -> Floats:
    """[n, k] from [members, n, k]."""
    mixed = np.zeros(members.shape[1:])
    for which, member in enumerate(members):
        mixed += member @ folding(weights[:, which], models, members.shape[2])
    return mixed + constant


def folding(weights: Floats, models: int, outputs: int) -> Floats:
    """[k, k] matrix that a member's estimates [n, k] are to be multiplied by.

    weights [2]: of its gains and of its level.
    """
    level = np.full((models, models), 1.0 / models)
    one = weights[0] * (np.eye(models) - level) + weights[1] * level
    matrix: Floats = np.kron(np.eye(outputs // models), one)
    return matrix


def cost_weights(task: Floats, forest: Floats, truth: Floats) -> Floats:
    """Weights [2] of two estimates of log costs, none negative."""
    return _not_negative(np.stack([task, forest]), truth)


def cost_scale(log_estimate: Floats, truth: Floats) -> Floats:
    """[2m] factors that make the mean of the exponentials the true mean (Duan's smearing)."""
    scale: Floats = truth.mean(axis=0) / np.maximum(np.exp(log_estimate).mean(axis=0), 1e-300)
    return scale


def length_weight(blended: Floats, apart: Floats, models: int) -> float:
    """How much of what length alone would say is added: a quarter where the members tell nothing
    of gains, none where their gains differ from prompt to prompt as much as its own."""
    found = [split(part - part.mean(axis=0), models)[1].var() for part in (blended, apart)]
    if not found[1] > 0:
        return 0.0
    return float(0.25 * max(0.0, 1.0 - found[0] / found[1]))
