"""The generator's laws, and that the shipped files are the measured ones."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import re
from importlib import resources

import jsonschema
import pytest

from pointsman.embedded.cases import (
    ANSWER_PATTERNS,
    PROMPTS,
    SCHEMAS,
    TASKS,
    Case,
    accepted,
    cases,
    courteous,
    held_out,
    training_drafts,
)

SEEDS = range(40, 45)


def test_the_same_seed_gives_the_same_cases() -> None:
    assert cases(7, 200) == cases(7, 200)


def test_different_seeds_share_almost_no_text() -> None:
    first, second = ({case.user for case in cases(seed, 400)} for seed in (1, 2))
    assert len(first & second) < 40


def test_tasks_and_hardness_come_in_the_asked_shares() -> None:
    drawn = cases(3, 100, hard_share=0.5)
    for task in TASKS:
        mine = [case for case in drawn if case.task == task]
        assert (len(mine), sum(case.hard for case in mine)) == (20, 10)
    assert not any(case.hard for case in cases(3, 50, hard_share=0.0))
    assert {case.task for case in cases(3, 10, tasks=("sums",))} == {"sums"}


def test_mixed_order_and_unique_ids() -> None:
    drawn = cases(4, 100)
    assert len({case.id for case in drawn}) == 100
    assert len(list(itertools.groupby(drawn, key=lambda case: case.task))) > 30


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(ValueError, match="tasks must come from"):
        cases(1, 5, tasks=("poetry",))


@pytest.mark.parametrize("seed", SEEDS)
def test_cases_never_contain_a_training_side_text(seed: int) -> None:
    assert all(held_out(case.user) for case in cases(seed, 300))


@pytest.mark.parametrize("task", TASKS)
def test_training_drafts_are_never_held_out(task: str) -> None:
    rng = random.Random(5)
    drafts = itertools.islice(training_drafts(rng, task, hard=True), 300)
    assert not any(held_out(courteous(rng, draft.body)) for draft in drafts)


def test_a_courtesy_does_not_change_the_side() -> None:
    rng = random.Random(6)
    for number in range(500):
        body = f"{number}\n{number + 1}"
        assert held_out(courteous(rng, body)) == held_out(body)


@pytest.mark.parametrize("seed", SEEDS)
def test_references_have_the_declared_form_and_are_accepted(seed: int) -> None:
    for case in cases(seed, 300):
        assert accepted(case, case.reference)
        if case.task in SCHEMAS:
            jsonschema.validate(json.loads(case.reference), SCHEMAS[case.task])
        else:
            assert re.fullmatch(ANSWER_PATTERNS[case.task], case.reference)


@pytest.mark.parametrize("seed", SEEDS)
def test_sums_add_up(seed: int) -> None:
    for case in cases(seed, 60, tasks=("sums",)):
        assert str(sum(map(int, re.findall(r"\d+", case.user)))) == case.reference


def test_wrong_and_loose_answers_are_rejected() -> None:
    rng = random.Random(8)
    for task in TASKS:
        draft = next(training_drafts(rng, task, hard=False))
        case = Case("x", task, draft.body, draft.reference, False)
        assert not accepted(case, draft.loose)
        assert not accepted(case, "")
        assert not accepted(case, draft.reference + "0")


def test_json_is_compared_by_value_and_doubled_keys_are_rejected() -> None:
    case = Case("x", "evidence", "", '{"service":"a-b","line":"L1"}', False)
    assert accepted(case, '{ "line": "L1",\n "service": "a-b" }')
    assert not accepted(case, '{"service":"a-b","line":"L2"}')
    assert not accepted(case, '{"service":"z-z","service":"a-b","line":"L1"}')
    assert not accepted(case, "[" * 100_000)


def test_every_task_has_a_loose_and_a_strict_prompt() -> None:
    assert set(PROMPTS) == set(TASKS)
    for versions in PROMPTS.values():
        assert set(versions) == {"v1", "v2"}
        assert "Format:" in versions["v2"]
        assert "Format:" not in versions["v1"]


def test_shipped_files_are_the_measured_ones() -> None:
    folder = resources.files("pointsman.embedded") / "models"
    listed = json.loads((folder / "MODELS.json").read_text("utf-8"))
    files = {model["file"]: model for model in listed["models"].values()}
    shipped = {item.name for item in folder.iterdir() if item.name.endswith(".gguf")}
    assert set(files) == shipped
    assert set(listed["gates"]) == set(TASKS)
    for name, file in files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == file["sha256"]
