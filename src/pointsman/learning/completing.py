"""Outcomes of production, where only the arm that ran was seen, made whole for fitting.

Each missing cell gets what its task and arm had on average; each observed one the same plus what
was seen beyond it over the chance that it was seen. The expectation of such a cell, given the
prompt, is that of the outcome itself, so that members fitted by squared error learn what they
would have learned had every arm answered; and means over them are doubly robust values.

Source: Dudik, Langford, Li (2011), "Doubly Robust Policy Evaluation and Learning"; Kennedy (2023)
for regression on such pseudo-outcomes.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from pointsman.domain.errors import UsageError
from pointsman.learning.outcomes import Outcomes, columns_of

Floats = NDArray[np.float64]
MOST_WEIGHT = 20.0  # of one outcome: a chance below 1/20 counts as that
_SHRINK = 10.0  # outcomes' worth of the arm's mean over all tasks, and of its neighbours' of that


def read_propensities(path: Path, outcomes: Outcomes) -> Floats | None:
    """The chance of each cell of the outcomes to be seen, nan where it was not; None where the
    file has no column `propensity`. Raises: UsageError for one outside (0, 1]."""
    source, columns = columns_of(path)
    if "propensity" not in columns:
        return None
    sql = f"SELECT prompt_id::VARCHAR, model::VARCHAR, propensity::DOUBLE FROM {source}"  # noqa: S608
    with duckdb.connect() as connection:
        found = connection.execute(sql).fetchall()
    chance = np.full(outcomes.score.shape, np.nan)
    row = {key: i for i, key in enumerate(outcomes.prompt_ids)}
    column = {model: j for j, model in enumerate(outcomes.models)}
    for prompt, model, value in found:
        if prompt not in row or model not in column:
            continue
        if value is None or not 0.0 < value <= 1.0:
            raise UsageError(
                f"{path} holds a propensity of {value}",
                why="it is the chance that the arm was asked, above 0 and up to 1",
            )
        chance[row[prompt], column[model]] = value
    return chance


def completed(outcomes: Outcomes, chance: Floats) -> Outcomes:
    """The outcomes with a value in every cell; scores and accepted are the pseudo-outcomes.

    Args: chance [n, m] of each observed cell to be seen.
    """
    seen = ~np.isnan(outcomes.score) & ~np.isnan(chance)
    weight = np.where(seen, np.minimum(MOST_WEIGHT, 1.0 / np.where(seen, chance, 1.0)), 0.0)
    tasks = np.array(outcomes.tasks)
    filled: dict[str, Any] = {}
    for name in ("score", "accepted"):
        values = np.where(seen, getattr(outcomes, name), 0.0)
        mean = _means(values, weight, tasks)
        filled[name] = mean + weight * (values - mean) * seen
    for name in ("cost_usd", "input_tokens", "output_tokens"):
        given = getattr(outcomes, name)
        known = seen & ~np.isnan(given)
        logs = np.log(np.where(known, np.maximum(given, 1e-12), 1.0))
        typical = np.exp(_means(logs, np.where(known, weight, 0.0), tasks))
        filled[name] = np.where(known, given, typical)
    nothing = np.full(outcomes.score.shape, None, dtype=object)  # no reply was made up
    return replace(outcomes, **filled, answers=nothing, responses=nothing)


def _means(values: Floats, weight: Floats, tasks: NDArray[np.str_]) -> Floats:
    """[n, m]: each cell's mean over its task and arm, shrunk to the arm's, and that to all."""
    total = max(float(weight.sum()), 1e-9)
    overall = float((weight * values).sum()) / total
    by_arm = (weight * values).sum(axis=0) + _SHRINK * overall
    arm = by_arm / (weight.sum(axis=0) + _SHRINK)
    found = np.tile(arm, (len(tasks), 1))
    for task in np.unique(tasks):
        at = tasks == task
        own = (weight[at] * values[at]).sum(axis=0) + _SHRINK * arm
        found[at] = own / (weight[at].sum(axis=0) + _SHRINK)
    return found
