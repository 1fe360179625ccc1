"""Outcomes of which only the arm that ran is known: filled in without bias, and learned from."""

import numpy as np
import pytest
from tests.learning.worlds import MODELS, rows, write

from pointsman.domain.errors import UsageError
from pointsman.learning.choosing import Goal
from pointsman.learning.completing import completed, read_propensities
from pointsman.learning.fitting import fit
from pointsman.learning.outcomes import read_outcomes

SHARES = (0.15, 0.15, 0.7)  # how often each arm is asked: the strong one mostly


def partial(n: int, *, seed: int) -> list[dict]:
    """Of each prompt the arm that was asked, with its chance."""
    dice = np.random.default_rng(seed)
    found, whole = [], rows(n, seed=seed)
    for at in range(0, len(whole), len(MODELS)):
        arm = int(dice.choice(len(MODELS), p=SHARES))
        found.append({**whole[at + arm], "propensity": SHARES[arm]})
    return found


def read(path):
    outcomes = read_outcomes(path, split="all", replies=False)
    return outcomes, read_propensities(path, outcomes)


def test_means_over_tasks_and_arms_are_those_of_the_whole_outcomes(tmp_path):
    outcomes, chance = read(write(tmp_path / "some.jsonl", partial(3000, seed=3)))
    whole = read_outcomes(
        write(tmp_path / "whole.jsonl", rows(3000, seed=3)), split="all", replies=False
    )
    filled = completed(outcomes, chance)
    assert bool(filled.complete.all())
    for task in ("proofs", "sums"):
        mine = filled.accepted[np.array(filled.tasks) == task].mean(axis=0)
        columns = [whole.models.index(model) for model in filled.models]
        truth = whole.accepted[np.array(whole.tasks) == task].mean(axis=0)[columns]
        np.testing.assert_allclose(mine, truth, atol=0.06)


@pytest.mark.deep
def test_a_router_of_some_outcomes_knows_which_prompts_are_hard(tmp_path):
    outcomes, chance = read(write(tmp_path / "some.jsonl", partial(500, seed=4)))
    router = fit(completed(outcomes, chance), Goal("value_usd", 1e-3), with_task=False)
    fresh = rows(200, seed=5)[:: len(MODELS)]
    found = router.estimate_many([row["prompt"] for row in fresh], [""] * len(fresh)).accepted
    hard = np.array([row["task"] == "proofs" for row in fresh])
    small, large = router.models.index("small"), router.models.index("large")
    assert found[hard, small].mean() < 0.5 < found[~hard, small].mean()
    assert found[hard, large].mean() > found[hard, small].mean() + 0.2


def test_a_file_without_propensities_is_left_alone_and_a_wrong_one_refused(tmp_path):
    plain = [{k: v for k, v in row.items() if k != "propensity"} for row in partial(40, seed=1)]
    assert read(write(tmp_path / "plain.jsonl", plain))[1] is None
    wrong = [{**row, "propensity": 0.0} for row in partial(40, seed=1)]
    with pytest.raises(UsageError, match="propensity of 0"):
        read(write(tmp_path / "wrong.jsonl", wrong))
