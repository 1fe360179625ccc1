"""Learning while answering: cheap where it may be, safe while unsure, and over JSON lines."""

import json
from random import Random

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.errors import UsageError
from pointsman.learning.online import Done, Learner, Prior, Seen, Settings
from pointsman.learning.online_beliefs import Beliefs, Drift, inferred
from pointsman.learning.online_wire import conversation

MODELS = ("small", "large")
COSTS = (1.0, 10.0)
EVEN = Prior((0.5, 0.5), (None, None))
chances = st.floats(0.0, 1.0)


def world(n: int, random: Random, small: dict[str, float], large: dict[str, float]):
    """n steps: the task, and of each model its answer and score."""
    for _ in range(n):
        task = random.choice(sorted(small))
        replies = []
        for share in (small[task], large[task]):
            right = random.random() < share
            replies.append(("42" if right else str(random.randrange(100, 10**6)), float(right)))
        yield task, replies


def run(learner: Learner, steps, random: Random, prior=EVEN):
    scores, costs, done = [], [], []
    for task, replies in steps:
        asking = learner.answer(task, prior, random.random())
        call, cost = next(asking), 0.0
        while True:
            cost += COSTS[call]
            try:
                call = asking.send(Seen(replies[call][0], COSTS[call]))
            except StopIteration as stop:
                back, pending = stop.value
                break
        done.append(learner.learn(pending, replies[back][1]))
        scores.append(replies[back][1] - replies[1][1])
        costs.append(cost)
    return np.array(scores), np.array(costs), done


def test_tasks_that_the_small_model_does_as_well_are_found_and_the_others_are_left_alone():
    random = Random(1)
    small, large = {"a": 0.95, "b": 0.1, "c": 0.02}, {"a": 0.95, "b": 0.9, "c": 0.02}
    learner = Learner(MODELS)
    lost, costs, done = run(learner, world(1500, random, small, large), random)
    assert costs[700:].mean() <= 0.6 * COSTS[1]  # two tasks of three at a tenth
    assert lost[700:].mean() >= -0.02
    assert {step.reference for step in done[50:]} == {"large"}


def test_after_a_shift_it_notices_and_learns_anew():
    random = Random(2)
    before = world(600, random, {"a": 0.95, "b": 0.3}, {"a": 0.95, "b": 0.95})
    learner = Learner(MODELS, reference=1)
    run(learner, before, random, Prior((0.6, 0.95), COSTS))
    lost, costs, done = run(
        learner, world(1000, random, {"a": 0.2, "b": 0.02}, {"a": 0.9, "b": 0.02}), random,
        Prior((0.6, 0.95), COSTS),
    )  # fmt: skip
    assert any(step.shift for step in done[:150])
    assert lost[200:].mean() >= -0.03
    assert costs[500:].mean() <= 0.9 * COSTS[1]  # nobody can do b: the small one need not either


def test_looks_return_the_reference_and_keep_to_their_share():
    random = Random(3)
    learner = Learner(MODELS, Settings(looking=0.05), reference=1)
    _, costs, done = run(
        learner, world(800, random, {"a": 0.6, "b": 0.8}, {"a": 0.9, "b": 0.85}), random,
        Prior((0.6, 0.9), COSTS),
    )  # fmt: skip
    looks = [step for step in done if step.reason != "plan"]
    assert looks
    assert all(step.returned == step.reference for step in looks)
    assert all(step.propensity == pytest.approx(0.3) and step.draw < 0.3 for step in looks)
    spent = sum(COSTS[0] for _ in looks)
    assert spent <= 0.05 * costs.sum() + 0.05 * 120 * COSTS[1] + 8 * COSTS[1] + COSTS[0]


@given(chances, st.booleans(), chances, chances, chances)
def test_what_is_inferred_is_a_score(score, same, chance, returned, unique):
    found = inferred(score, same, chance=chance, returned=returned, unique=unique)
    assert 0.0 <= found <= 1.0
    assert not same or found == score


def test_where_there_is_one_right_answer_a_different_one_is_wrong():
    assert inferred(1.0, False, chance=0.9, returned=0.9, unique=1.0) == 0.0
    assert inferred(1.0, False, chance=0.9, returned=0.9, unique=0.2) > 0.5


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 1), chances), max_size=60))
def test_beliefs_stay_chances_and_grow_surer(told):
    beliefs = Beliefs(MODELS)
    for task, model, score in told:
        before = beliefs.of(task, model, 0.5, 1.0)
        assert 0.0 <= beliefs.tell(task, model, 0.5, score) <= 1.0
        after = beliefs.of(task, model, 0.5, 1.0)
        assert 0.0 < after.chance < 1.0
        assert after.variance <= before.variance + 0.01


def test_without_a_shift_there_are_few_alarms_and_a_fall_is_noticed():
    random = Random(4)
    drift = Drift()
    alarms = sum(drift.tell(float(random.random() < 0.7), 0.7) for _ in range(6000))
    assert alarms <= 6
    fell = Drift()
    seen = next(i for i in range(500) if fell.tell(float(random.random() < 0.45), 0.7))
    assert seen <= 120


def test_the_conversation_pays_before_it_returns_and_learns_only_its_own_score():
    said = [
        {"step": 0, "prompt": "x", "task": "t"}, {"answer": "1", "cost_usd": 3.0},
        {"answer": float("nan"), "response": None, "cost_usd": 1.0}, {"score": 1.0},
    ]  # fmt: skip
    lines = iter([json.dumps(each) + "\n" for each in said])
    found = list(conversation(lines, MODELS, router=None, settings=Settings(), seed=0))
    assert found[:3] == [{"call": "large"}, {"call": "small"}, {"return": "large"}]
    assert isinstance(found[3], Done)
    assert found[3].calls == ("large", "small")  # the price of the small one was not known


def test_a_line_that_is_not_due_is_said():
    with pytest.raises(UsageError, match="'prompt' was due"):
        list(conversation(iter(['{"score": 1}']), MODELS, router=None, settings=Settings(), seed=0))


def test_the_verb_speaks_json_lines_and_logs_propensities(tmp_path):
    from pointsman.cli.route import command

    lines = "\n".join(map(json.dumps, [
        {"prompt": "x", "task": "t"}, {"answer": "1", "cost_usd": 3.0},
        {"answer": "1", "cost_usd": 1.0}, {"score": 1.0},
    ]))  # fmt: skip
    log = tmp_path / "steps.jsonl"
    done = CliRunner().invoke(
        command, ["learn", "--models", "small,large", "--log", str(log)], input=lines
    )
    assert done.exit_code == 0, done.output
    assert '{"return":"large"}' in done.output
    (step,) = map(json.loads, log.read_text().splitlines())
    assert step["propensity"] == 1.0
    assert step["reason"] == "looks at small"
