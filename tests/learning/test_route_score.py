"""Scores of choices: definitions on small worlds that are worked out by hand."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.learning.worlds import rows, write

from pointsman.domain.errors import UsageError
from pointsman.learning.outcomes import Outcomes, read_outcomes
from pointsman.learning.report import Report, models_of, read_choices
from pointsman.learning.scoring import aiq, cost_at, hull, score_at, strong_share

A_MODEL, B_MODEL = "weak", "strong"


def small_world() -> Outcomes:
    score = np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    none = np.full((4, 2), None, dtype=object)
    return Outcomes(
        prompt_ids=("a", "b", "c", "d"), prompts=("a", "bb", "ccc", "dddd"), tasks=("t",) * 4,
        models=(A_MODEL, B_MODEL), split=("test",) * 4, score=score, accepted=score,
        cost_usd=np.array([[1.0, 10.0]] * 4), input_tokens=np.ones((4, 2)),
        output_tokens=np.ones((4, 2)), answers=none, responses=none,
    )  # fmt: skip


def a_report(**chosen: str) -> Report:
    return Report(small_world(), {"chosen": {k: (m, (m,)) for k, m in chosen.items()}}, None)


def test_a_policy_is_scored_as_worked_out_by_hand() -> None:
    found = a_report(a="weak", b="strong", c="strong", d="strong").as_dict()
    chosen = found["chosen"]
    assert chosen["score"]["value"] == 0.75
    assert chosen["cost_usd"] == 31 / 4
    assert chosen["cost_per_accepted_usd"]["value"] == pytest.approx(31 / 3)
    assert chosen["score_less_best_single"]["value"] == 0.0
    assert chosen["cost_of_best_single"]["value"] == pytest.approx(31 / 40)
    assert found["baselines"]["best single"]["shares"] == {"strong": 1.0}
    assert found["baselines"]["oracle"]["score"]["value"] == 1.0
    assert found["baselines"]["oracle"]["cost_usd"] == 22 / 4
    assert chosen["gap_closed"] == 0.0
    assert chosen["shares"] == {"strong": 0.75, "weak": 0.25}


def test_the_random_mix_of_two_models_lies_on_the_line_between_them() -> None:
    found = a_report(a="weak", b="strong", c="strong", d="weak").as_dict()
    mixed = found["baselines"]["random mix"]
    assert found["chosen"]["score"]["value"] == 1.0
    assert found["chosen"]["gap_closed"] == 1.0
    assert mixed["score_at_chosen_cost"] == pytest.approx(0.5 + 0.25 / 2)
    assert mixed["cost_at_chosen_score"] is None
    assert mixed["apgr"] == pytest.approx(0.5)
    assert mixed["cpt80"] == pytest.approx(0.8)


def test_every_paid_call_of_a_cascade_counts() -> None:
    both = {k: ("strong", ("weak", "strong")) for k in "abcd"}
    found = Report(small_world(), {"chosen": both}, None).as_dict()["chosen"]
    assert found["cost_usd"] == 11.0
    assert found["calls"] == 2.0


def test_prompts_without_outcomes_are_left_out_and_counted() -> None:
    report = a_report(a="weak", b="strong", z="weak")
    assert len(report.outcomes) == 2
    assert report.left_out == 1
    with pytest.raises(UsageError, match="no prompt of the choices"):
        a_report(z="weak")


def test_a_point_that_leaves_out_a_prompt_is_an_error() -> None:
    full = {k: ("weak", ("weak",)) for k in "abcd"}
    less = {k: ("weak", ("weak",)) for k in "abc"}
    with pytest.raises(UsageError, match="no choice for 1"):
        Report(small_world(), {"chosen": full, "other": less}, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prompt_id\na\n", "no column 'model'"),
        ("prompt_id,model\na,x\na,y\n", "chooses twice"),
        ("prompt_id,model,calls\na,x,y;z\n", "without calling it"),
        ("prompt_id,model\n", "holds no choices"),
    ],
)
def test_choices_that_cannot_be_used_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_choices(tmp_path / "c.csv")


def test_choices_are_read_with_their_calls(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("prompt_id,model,calls,point\na,x,y;x,chosen\nb,x,,cheap\n")
    found = read_choices(tmp_path / "c.csv")
    assert found == {"chosen": {"a": ("x", ("y", "x"))}, "cheap": {"b": ("x", ("x",))}}
    assert models_of(found) == ("x", "y")


points = st.lists(
    st.tuples(st.floats(0, 10, allow_nan=False), st.floats(0, 1, allow_nan=False)),
    min_size=1, max_size=12,
)  # fmt: skip


@given(points)
def test_no_point_lies_above_the_hull(given_points: list[tuple[float, float]]) -> None:
    curve = hull(given_points)
    assert all(b[0] > a[0] and b[1] > a[1] for a, b in pairwise(curve))
    for cost, score in given_points:
        height = score_at(cost, curve)
        assert height is not None
        assert height >= score - 1e-9


@given(points, st.floats(0, 1))
def test_the_hull_reaches_a_score_at_the_cost_it_names(given_points, score: float) -> None:
    curve = hull(given_points)
    cost = cost_at(score, curve)
    if cost is None:
        assert score > curve[-1][1]
    else:
        height = score_at(cost, curve)
        assert height is not None
        assert height >= score - 1e-6


def test_aiq_is_the_mean_height_between_two_costs() -> None:
    assert aiq([(1.0, 0.5), (3.0, 0.9)], 1.0, 3.0) == pytest.approx(0.7)
    assert aiq([(1.0, 0.5), (2.0, 0.9)], 1.0, 3.0) == pytest.approx(0.8)
    assert aiq([(5.0, 0.5)], 1.0, 3.0) is None


def test_apgr_of_a_router_that_knows_is_above_that_of_chance() -> None:
    assert strong_share([], 0.2, 0.8)["apgr"] == pytest.approx(0.5)
    knowing = strong_share([(0.5, 0.8)], 0.2, 0.8)
    assert knowing["apgr"] == pytest.approx(0.75)
    assert knowing["cpt50"] == pytest.approx(0.25)
    assert strong_share([(0.5, 0.8)], 0.5, 0.5)["apgr"] is None


def test_baselines_learn_from_training_rows_that_were_not_chosen_for(tmp_path: Path) -> None:
    every = read_outcomes(write(tmp_path / "a.jsonl", rows(400)), split="all")
    test = [k for k, s in zip(every.prompt_ids, every.split, strict=True) if s == "test"]
    report = Report(every, {"chosen": {k: ("large", ("large",)) for k in test}}, every)
    assert report.train is not None
    assert not set(report.train.prompt_ids) & set(test)
    known = report.as_dict()["baselines"]["task mean"]
    assert known["score_at_chosen_cost"] >= report.best.point[1] - 0.02
    assert known["cost_at_best_single_score"] < 0.9
