"""`pointsman stats` on files as people have them."""

import csv
import json
import random

import pytest
from click.testing import CliRunner

from pointsman.cli import cli


def run(*words):
    done = CliRunner().invoke(cli, ["stats", *map(str, words), "--json"])
    if done.exception is not None:
        raise done.exception
    return json.loads(done.stdout)


def refused(*words):
    done = CliRunner().invoke(cli, ["stats", *map(str, words), "--json"])
    assert done.exception is not None
    return str(done.exception) + done.output


def written(path, rows):
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    return path


@pytest.fixture
def cases(tmp_path):
    dice, rows = random.Random(1), []
    for at in range(600):
        easy = dice.random() < 0.7
        rows.append(
            {
                "old": int(easy and dice.random() < 0.9), "new": int(easy or dice.random() < 0.4),
                "cost_usd": round(dice.lognormvariate(-6, 1), 7), "accepted": str(easy).lower(),
                "session": at // 3, "language": dice.choice(["en", "de"]),
                "human": int(easy) if at % 6 == 0 else "", "judge": 0.9 if easy else 0.2,
                "arm": "a" if dice.random() < 0.5 else "b",
            }
        )  # fmt: skip
    rows[5]["old"] = ""
    return written(tmp_path / "cases.csv", rows)


def test_paired(cases):
    said = run("paired", "--in", cases, "--columns", "old,new", "--margin", "0.05")
    assert (said["verdict"], said["n"], said["missing"]) == ("better", 599, 1)
    assert said["mcnemar_p"] < 0.001
    clustered = run("paired", "--in", cases, "--columns", "old,new", "--cluster", "session")
    assert clustered["difference"]["n"] == 200


def test_proportion_and_ratio(cases):
    said = run("proportion", "--in", cases, "--columns", "accepted")
    assert said["low"] < said["value"] < said["high"]
    for more in ([], ["--cluster", "session"]):
        said = run("ratio", "--in", cases, "--columns", "cost_usd,accepted", *more)
        assert 0 < said["low"] < said["value"] < said["high"]


def test_ppi(cases):
    said = run("ppi", "--in", cases, "--columns", "human,judge")
    assert (said["labelled"], said["unlabelled"]) == (100, 500)
    width = {name: said[name]["high"] - said[name]["low"] for name in ("corrected", "human")}
    assert width["corrected"] < width["human"]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_drift_in_every_kind_of_file(tmp_path, suffix):
    import duckdb

    dice = random.Random(2)
    path = tmp_path / f"stream.{suffix}"
    values = [dice.random() < (0.84 if at < 900 else 0.4) for at in range(1200)]
    duckdb.sql("CREATE OR REPLACE TABLE t (n INT, correct BOOLEAN)")
    for at, value in enumerate(values):
        duckdb.execute("INSERT INTO t VALUES (?, ?)", [at, value])
    form = {"csv": "csv", "parquet": "parquet", "jsonl": "json"}[suffix]
    duckdb.sql(f"COPY (SELECT correct FROM t ORDER BY n) TO '{path}' (FORMAT {form})")
    said = run("drift", "--stream", path, "--column", "correct", "--arl", "10000")
    assert len(said["alarms"]) == len(said["started"]) == 1
    assert 900 <= said["alarms"][0] <= 960
    assert abs(said["started"][0] - 900) < 30


def test_srm_and_slices(cases):
    said = run("srm", "--in", cases, "--columns", "arm")
    assert said["mismatch"] is False
    assert run("srm", "--in", cases, "--columns", "arm", "--expected", "a=0.9,b=0.1")["mismatch"]
    said = run("slices", "--in", cases, "--columns", "accepted,language,arm")
    assert said["slices"] == []
    assert run("slices", "--in", cases, "--columns", "accepted")["slices"]  # judge tells it all


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("paired", "--columns", "old"), "wants 2 names"),
        (("paired", "--columns", "old,none"), "no column 'none'"),
        (("proportion", "--columns", "judge"), "neither yes nor no"),
        (("proportion", "--columns", "language"), "no number"),
        (("srm", "--columns", "arm", "--expected", "c=1"), "does not go with"),
        (("srm", "--columns", "arm", "--expected", "c"), "is no share"),
    ],
)
def test_what_cannot_be_done_says_why(cases, words, said):
    assert said in refused(words[0], "--in", cases, *words[1:])


def test_files_that_are_not_what_they_say(tmp_path):
    (tmp_path / "x.parquet").write_text("no parquet")
    (tmp_path / "x.doc").write_text("")
    assert "cannot be read" in refused("srm", "--in", tmp_path / "x.parquet", "--columns", "a")
    assert "of no kind" in refused("srm", "--in", tmp_path / "x.doc", "--columns", "a")


def test_people_read_it_too(cases, tmp_path):
    for words in (("paired", "--columns", "old,new"), ("ratio", "--columns", "cost_usd,accepted"),
                  ("slices", "--columns", "accepted,language"), ("srm", "--columns", "arm"),
                  ("ppi", "--columns", "human,judge")):  # fmt: skip
        done = CliRunner().invoke(cli, ["stats", words[0], "--in", str(cases), *words[1:]])
        assert done.exit_code == 0
        assert done.stdout.strip()
