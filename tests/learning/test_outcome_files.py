"""Outcome files: what is read, what is missing, and what is said of it."""

from pathlib import Path

import duckdb
import numpy as np
import pytest
from tests.learning.worlds import MODELS, rows, write

from pointsman.domain.errors import UsageError
from pointsman.learning.outcomes import read_outcomes, read_prompts


def test_parquet_csv_and_json_lines_read_alike(tmp_path: Path) -> None:
    lines = write(tmp_path / "a.jsonl", rows(30))
    for kind in ("parquet", "csv"):
        duckdb.sql(f"COPY (SELECT * FROM read_json('{lines}')) TO '{tmp_path / f'a.{kind}'}'")
    read = [read_outcomes(tmp_path / f"a.{kind}") for kind in ("jsonl", "parquet", "csv")]
    assert {r.prompt_ids for r in read} == {read[0].prompt_ids}
    for other in read[1:]:
        np.testing.assert_array_equal(other.score, read[0].score)
        np.testing.assert_array_equal(other.cost_usd, read[0].cost_usd)
        assert (other.answers == read[0].answers).all()


def test_only_the_asked_for_split_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", rows(30))
    train, test, every = (read_outcomes(path, split=s) for s in ("train", "test", "all"))
    assert set(train.split) == {"train"}
    assert len(train) + len(test) == len(every) == 30
    assert not set(train.prompt_ids) & set(test.prompt_ids)


def test_the_first_sample_counts(tmp_path: Path) -> None:
    base = {"prompt_id": "p", "prompt": "x", "model": "m", "cost_usd": 1.0, "split": "train"}
    path = write(tmp_path / "a.jsonl", [
        {**base, "sample_idx": 2, "score": 0.2}, {**base, "sample_idx": 0, "score": 0.9},
        {**base, "sample_idx": 1, "score": 0.1},
    ])  # fmt: skip
    assert read_outcomes(path).score.tolist() == [[0.9]]


def test_columns_that_may_be_missing_are_filled(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [
        {"prompt_id": 1, "prompt": "x", "model": "m", "cost_usd": 1.0, "score": 0.5},
        {"prompt_id": 2, "prompt": "y", "model": "m", "cost_usd": None, "score": None},
    ])  # fmt: skip
    read = read_outcomes(path, split="all")
    assert read.prompt_ids == ("1", "2")
    assert read.tasks == ("", "")
    assert read.accepted[0, 0] == 1.0
    assert np.isnan(read.score[1, 0])
    assert read.complete.tolist() == [True, False]
    assert read.answers[0, 0] is None


def test_a_cost_under_hidden_reasoning_is_not_known(tmp_path: Path) -> None:
    base = {"prompt_id": "p", "prompt": "x", "cost_usd": 1.0, "score": 1, "split": "train"}
    path = write(tmp_path / "a.jsonl", [
        {**base, "model": "open", "hidden_reasoning": False},
        {**base, "model": "thinks", "hidden_reasoning": True},
    ])  # fmt: skip
    assert read_outcomes(path).models == ("open",)
    with pytest.raises(UsageError, match="no cost of thinks"):
        read_outcomes(path, models=["thinks"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prompt": None}, "no prompt_id or no prompt"),
        ({"prompt_id": None}, "no prompt_id or no prompt"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path: Path, change, said) -> None:
    found = rows(4)
    found[4] |= change
    with pytest.raises(UsageError, match=said):
        read_outcomes(write(tmp_path / "a.jsonl", found), split="all")


def test_an_id_that_stands_for_two_texts_keeps_the_first(tmp_path: Path) -> None:
    found = rows(4)
    first = found[3]["prompt"]
    found[4] |= {"prompt": "another"}
    read = read_outcomes(write(tmp_path / "a.jsonl", found), split="all")
    assert read.clashes == 1
    assert read.prompts[read.prompt_ids.index(found[3]["prompt_id"])] == first


@pytest.mark.parametrize("column", ["prompt_id", "prompt", "model", "cost_usd"])
def test_a_missing_column_is_named_with_what_is_there(tmp_path: Path, column: str) -> None:
    found = [{k: v for k, v in row.items() if k != column} for row in rows(4)]
    with pytest.raises(UsageError, match=f"no column '{column}'") as caught:
        read_outcomes(write(tmp_path / "a.jsonl", found))
    assert "its columns:" in str(caught.value)


def test_without_a_split_the_way_out_is_told(tmp_path: Path) -> None:
    found = [{k: v for k, v in row.items() if k != "split"} for row in rows(4)]
    path = write(tmp_path / "a.jsonl", found)
    with pytest.raises(UsageError, match="--split all"):
        read_outcomes(path)
    assert len(read_outcomes(path, split="all")) == 4


def test_an_unknown_model_gets_the_nearest_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean small"):
        read_outcomes(write(tmp_path / "a.jsonl", rows(4)), models=["smal"])


def test_models_keep_the_order_they_were_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", rows(9))
    read, other = read_outcomes(path), read_outcomes(path, models=["large", "small"])
    assert set(read.models) == set(MODELS)
    np.testing.assert_array_equal(read.arms(["large", "small"]).score, other.score)


def test_prompts_need_no_task_and_are_taken_once(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", [
        {"prompt_id": "a", "prompt": "x"}, {"prompt_id": "b", "prompt": "y"},
        {"prompt_id": "a", "prompt": "x"},
    ])  # fmt: skip
    prompts = read_prompts(path)
    assert (prompts.ids, prompts.texts, prompts.tasks) == (("a", "b"), ("x", "y"), ("", ""))
    with pytest.raises(UsageError, match="is of no kind"):
        read_prompts(tmp_path / "p.txt")
    with pytest.raises(UsageError, match="there is no file"):
        read_prompts(tmp_path / "q.parquet")
