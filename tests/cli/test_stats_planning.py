"""`pointsman stats`: power, repeats, arms, many tests, a judge's errors, logged choices."""

import json
import random

import pytest
from click.testing import CliRunner

from pointsman.cli import cli
from pointsman.stats.methods import METHODS


def run(*words):
    done = CliRunner().invoke(cli, ["stats", *map(str, words), "--json"])
    if done.exception is not None:
        raise done.exception
    return json.loads(done.stdout)


def refused(*words):
    done = CliRunner().invoke(cli, ["stats", *map(str, words), "--json"])
    assert done.exception is not None
    return str(done.exception) + done.output


@pytest.fixture
def written(tmp_path):
    def write(rows):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


def test_power_from_a_spread_and_from_a_first_try(written):
    said = run("power", "--shift", 0.02, "--spread", 0.35, "--n", 1000)
    assert said["cases_needed"] == 2404
    assert said["cases_to_show_same"] > said["cases_needed"]
    assert 0 < said["power_of_n"] < 0.8 < 1
    assert said["assumptions"]
    dice = random.Random(1)
    rows = [{"old": dice.random(), "new": dice.random(), "user": at // 4} for at in range(80)]
    tried = run("power", "--shift", 0.05, "--in", written(rows), "--columns", "old,new")
    assert tried["unit"] == "cases"
    assert tried["spread"] == pytest.approx(0.41, abs=0.08)
    grouped = run("power", "--shift", 0.05, "--in", written(rows), "--columns", "old,new",
                  "--cluster", "user")  # fmt: skip
    assert grouped["unit"] == "clusters"
    assert "neither" in refused("power", "--spread", 1)
    assert "wanted once" in refused("power", "--shift", 1)
    same = written([{"old": 1, "new": 1}] * 5)
    assert "no spread" in refused("power", "--shift", 1, "--in", same, "--columns", "old,new")


def test_repeats(written):
    dice = random.Random(2)
    rows = [{"case": at, "score": dice.random() < 0.3 + 0.4 * (at % 2)}
            for at in range(60) for _ in range(3)]  # fmt: skip
    said = run("epochs", "--in", written(rows), "--columns", "case,score")
    assert (said["cases"], said["epochs"]) == (60, 3.0)
    assert said["within"] > said["items"] >= 0
    assert said["mean"]["n"] == 60
    once = run("epochs", "--in", written(rows[::3]), "--columns", "case,score")
    assert (once["items"], once["enough_data"]) == (None, False)


def test_two_arms_as_they_come(written):
    dice = random.Random(3)
    rows = [{"arm": arm, "ok": dice.random() < (0.8 if arm == "new" else 0.5)}
            for arm in dice.choices(["old", "new"], k=800)]  # fmt: skip
    path = written(rows)
    said = run("ab", "--in", path, "--columns", "arm,ok", "--arms", "old,new")
    assert said["verdict"] == "new is better"
    assert 100 <= said["decided_at"] < 800
    assert said["p_value"] < 0.01
    turned = run("ab", "--in", path, "--columns", "arm,ok")
    assert (turned["arms"], turned["verdict"]) == (["new", "old"], "old is worse")
    assert "two arms" in refused("ab", "--in", path, "--columns", "ok,ok", "--arms", "old,new")
    few = run("ab", "--in", written(rows[:20]), "--columns", "arm,ok")
    assert (few["verdict"], few["enough_data"]) == ("undecided", False)


def test_many_tests_at_once(written):
    path = written([{"p": value, "e": 1 / value} for value in (0.001, 0.02, 0.03, 0.5)])
    assert run("adjust", "--in", path, "--columns", "p")["shown"] == [True, False, False, False]
    found = run("adjust", "--in", path, "--columns", "p", "--method", "fdr")
    assert found["shown"] == [True, True, True, False]
    assert found["adjusted"] == pytest.approx([0.004, 0.04, 0.04, 0.5])
    by_e = run("adjust", "--in", path, "--columns", "e", "--method", "e-fdr")
    assert by_e["shown"] == [True, True, True, False]
    assert "no p-value" in refused("adjust", "--in", path, "--columns", "e")


def test_a_judge_is_corrected_by_its_errors(written):
    dice, rows = random.Random(4), []
    for at in range(2000):
        truth = dice.random() < 0.6
        rows.append({"human": truth if at < 400 else None,
                     "judge": dice.random() < (0.9 if truth else 0.3)})  # fmt: skip
    said = run("judge", "--in", written(rows), "--columns", "human,judge")
    assert said["judge"]["low"] > 0.6  # alone it is wrong
    assert said["corrected"]["low"] < 0.6 < said["corrected"]["high"]
    assert said["sensitivity"]["value"] == pytest.approx(0.9, abs=0.06)
    few = run("judge", "--in", written(rows[395:]), "--columns", "human,judge")
    assert few["enough_data"] is False


def test_logged_choices(written):
    dice, rows = random.Random(8), []
    for _ in range(600):
        arm = dice.random() < 0.5
        rows.append({"reward": float(dice.random() < (0.8 if arm else 0.4)), "propensity": 0.5,
                     "target": 1.0 if arm else 0.0, "predicted": 0.6, "promised": 0.6})  # fmt: skip
    path = written(rows)
    for method in ("ips", "snips"):
        said = run("offpolicy", "--in", path, "--method", method,
                   "--columns", "reward,propensity,target")  # fmt: skip
        assert said["estimate"]["low"] < 0.8 < said["estimate"]["high"]
    said = run("offpolicy", "--in", path, "--method", "dr",
               "--columns", "reward,propensity,target,predicted,promised")  # fmt: skip
    assert said["estimate"]["low"] < 0.8 < said["estimate"]["high"]
    few = run("offpolicy", "--in", written(rows[:20]), "--columns", "reward,propensity,target")
    assert few["enough_data"] is False
    rows[0]["propensity"] = 0
    assert "propensity" in refused("offpolicy", "--in", written(rows),
                                   "--columns", "reward,propensity,target")  # fmt: skip


def test_means_and_second_opinions_of_ratios(written):
    dice = random.Random(6)
    rows = [{"score": dice.random(), "cost": dice.lognormvariate(0, 0.4),
             "ok": dice.random() < 0.8, "user": at // 10} for at in range(200)]  # fmt: skip
    path = written(rows)
    said = run("mean", "--in", path, "--columns", "score", "--cluster", "user")
    assert said["n"] == 20
    widths = []
    for method in ("fieller", "delta", "bootstrap"):
        ratio = run("ratio", "--in", path, "--columns", "cost,ok", "--method", method)
        widths.append(ratio["high"] - ratio["low"])
    assert max(widths) < 1.25 * min(widths)


def test_the_bootstrap_is_the_same_wherever_it_is_computed(written):
    dice = random.Random(7)
    path = written([{"cost": dice.random(), "ok": dice.random() < 0.7} for _ in range(60)])
    given = ("ratio", "--in", path, "--columns", "cost,ok", "--method", "bootstrap")
    assert run(*given) == run(*given, "--on", "processes")
    assert run(*given) != run(*given, "--seed", 1)
    assert "cannot be done on" in refused(*given, "--on", "mars")


def test_every_method_says_what_it_stands_on():
    assert all(method.does and method.assumes and method.source for method in METHODS.values())
