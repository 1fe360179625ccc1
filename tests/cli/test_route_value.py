"""`route value` as it is typed."""

from pathlib import Path

from tests.learning.traffic import a_file
from tests.learning.worlds import rows, write


def test_values_are_told_in_a_table_and_as_json(run, tmp_path: Path) -> None:
    path = a_file(tmp_path / "t.csv", 600)
    told = run("route", "value", "--outcomes", str(path))
    assert told.code == 0, told.err
    for words in ("as it was", "always small", "always large", "snips", "effective n"):
        assert words in told.out
    found = run("route", "value", "--outcomes", str(path), "--json").json
    small = next(each for each in found["policies"] if each["policy"] == "always small")
    snips = next(each for each in small["accepted"] if each["method"] == "snips")
    assert 0.45 < snips["estimate"]["value"] < 0.75
    assert snips["assumptions"]
    assert small["lacking"] is None


def test_without_chances_it_says_what_to_do(run, tmp_path: Path) -> None:
    told = run(
        "route", "value", "--outcomes", str(a_file(tmp_path / "t.csv", 60, propensity=False))
    )
    assert told.code == 2
    assert "no column 'propensity'" in told.err
    assert "route export" in told.err


def test_a_router_is_judged_on_what_it_was_not_fitted_on(run, tmp_path: Path) -> None:
    outcomes = write(tmp_path / "a.jsonl", rows(150))
    router = tmp_path / "r.router"
    fitted = run("route", "fit", "--outcomes", str(outcomes), "--models", "small,large", "--out",
                 str(router))  # fmt: skip
    assert fitted.code == 0, fitted.err
    path = a_file(tmp_path / "t.csv", 600)
    found = run("route", "value", "--outcomes", str(path), "--router", str(router), "--json").json
    first = found["policies"][0]
    assert first["policy"] == "router at chosen"
    assert [each["method"] for each in first["accepted"]] == ["ips", "snips", "dr"]
    again = run("route", "value", "--outcomes", str(path), "--router", str(router), "--point", "no")
    assert again.code == 2
    assert "no operating point 'no'" in again.err
