"""Replay: nothing is looked at before it was paid for, and looking pays."""

import csv
import json
from random import Random

import numpy as np
import pytest
from click.testing import CliRunner
from tests.learning.worlds import write

from pointsman.learning import cascade_choosing
from pointsman.learning.cascading import Cascade, Known
from pointsman.learning.choosing import Goal
from pointsman.learning.fitting import fit
from pointsman.learning.outcomes import read_outcomes
from pointsman.learning.replaying import Till, play, replay
from pointsman.learning.router import Router
from pointsman.learning.signals import Replies, canonical, replies_of

COSTS = {"small": 1e-6, "peer": 2e-6, "large": 1e-4}


def twins(n: int, *, seed: int = 0) -> list[dict]:
    """Two cheap models that agree when they are right and rarely else; no prompt tells them."""
    random = Random(seed)
    found = []
    for i in range(n):
        hard = random.random() < 0.4
        for model, cost in COSTS.items():
            right = random.random() < (0.97 if model == "large" else 0.15 if hard else 0.96)
            answer = "42" if right else str(random.randrange(100, 900))
            found.append({
                "prompt_id": f"q{i}", "prompt": f"what is it number {random.random()}",
                "task": "one", "model": model, "sample_idx": 0, "score": float(right),
                "accepted": right, "input_tokens": 10, "output_tokens": 50, "cost_usd": cost,
                "split": "train" if i % 2 else "test", "answer": answer, "response": None,
            })  # fmt: skip
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replay")
    path = write(folder / "twins.jsonl", twins(1600))
    train = read_outcomes(path, models=list(COSTS), split="train")
    with pytest.MonkeyPatch.context() as patch:  # this world is learned from fewer than a real one
        patch.setattr(cascade_choosing, "LEAST_PROMPTS", 200)
        router = fit(train, Goal("quality", 0.97))
    router.save(folder / "twins.router")
    return folder, path, Router.load(folder / "twins.router")


def test_a_cheap_peer_that_agrees_spares_the_dear_call(world):
    _, path, router = world
    test = read_outcomes(path, models=list(COSTS), split="test")
    ((_, rows),) = replay(router, test, ["chosen"])
    back = np.array([model for model, _ in rows])
    score = test.score[np.arange(len(test)), back].mean()
    cost = np.mean([test.cost_usd[i, calls].sum() for i, (_, calls) in enumerate(rows)])
    assert score >= 0.95 * test.score[:, 2].mean()
    assert cost <= 0.7 * COSTS["large"]  # no prompt-only router can do it: prompts say nothing
    assert all(model in calls for model, calls in rows)


def test_replies_that_were_not_paid_change_nothing(world):
    _, path, router = world
    test = read_outcomes(path, models=list(COSTS), split="test")
    before = list(replay(router, test, router.cascade.names))
    chosen = dict(before)["chosen"]
    for i, (_, calls) in enumerate(chosen):
        for j in set(range(len(COSTS))) - set(calls):
            test.answers[i, j] = "poison"
            test.output_tokens[i, j] = 1e6
            test.responses[i, j] = "wait, maybe not"
            test.cost_usd[i, j] *= 50
    assert dict(replay(router, test, ["chosen"]))["chosen"] == chosen


def test_a_reply_is_read_only_after_it_was_paid_and_paid_once():
    replies = {0: Replies.of(np.array(["a", "b"], object), np.array([None, None], object),
                             np.array([1.0, 2.0]), np.array([0.5, 0.25]))}  # fmt: skip
    till = Till(replies, np.ones((2, 1), dtype=bool))
    rows = np.array([1])
    with pytest.raises(PermissionError):
        till.read(rows, 0)
    till.pay(rows, 0)
    assert till.read(rows, 0).said[0] == replies[0].said[1]
    assert till.spent_usd.tolist() == [0.0, 0.25]
    with pytest.raises(PermissionError):
        till.read(np.array([0, 1]), 0)
    with pytest.raises(AssertionError, match="twice"):
        till.pay(rows, 0)
    assert not [name for name in vars(till) if "replies" in name and not name.startswith("_")]


def test_what_is_not_offered_is_not_called(world):
    _, path, router = world
    test = read_outcomes(path, models=list(COSTS), split="test")
    test.cost_usd[:50, 0] = np.nan
    for _, rows in replay(router, test, router.cascade.names[:6]):
        assert all(0 not in calls and calls for _, calls in rows[:50])


def test_a_cascade_read_from_its_file_decides_the_same(world):
    _, path, router = world
    test = read_outcomes(path, models=list(COSTS), split="test")
    values, arrays = router.cascade.dump()
    again = Cascade.restore(json.loads(json.dumps(values)), arrays)
    known = Known.of(router.estimate_many(test.prompts, test.tasks), test.prompts)
    for point in (0, 15, 31):
        tills = [Till(replies_of(test), np.ones(test.score.shape, dtype=bool)) for _ in "ab"]
        one, other = (play(c, known, till, point) for c, till in zip((router.cascade, again), tills,
                                                                  strict=True))  # fmt: skip
        assert one.returned.tolist() == other.returned.tolist()
        assert list(tills[0].calls()) == list(tills[1].calls())


def test_the_verb_writes_every_paid_call(world):
    from pointsman.cli.route import command

    folder, path, router = world
    out = folder / "choices.csv"
    done = CliRunner().invoke(command, ["replay", "--router", str(folder / "twins.router"),
                                        "--candidates", str(path), "--split", "test",
                                        "--out", str(out)])  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(out.open()))
    assert {row["point"] for row in rows} == set(router.cascade.names)
    assert all(row["model"] in row["calls"].split(";") for row in rows)
    assert any(len(row["calls"].split(";")) == 3 for row in rows)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(" 1,000.0", "1000", True), ("\\boxed{3/4}", "3/4", True), ("$x$", "X.", True),
     ("A", "B", False), ("10", "100", False)],
)  # fmt: skip
def test_answers_that_mean_the_same_are_equal(one, other, same):
    assert (canonical(one) == canonical(other)) is same
    assert canonical("  ") is None
