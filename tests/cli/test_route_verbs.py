"""`route fit` and `route choose` as they are typed."""

import csv
from pathlib import Path

from tests.learning.worlds import MODELS, rows, write


def test_fit_then_choose_gives_a_model_for_each_prompt(run, tmp_path: Path) -> None:
    outcomes = write(tmp_path / "a.jsonl", rows(200))
    router, out = tmp_path / "r.router", tmp_path / "c.csv"
    fitted = run("route", "fit", "--outcomes", str(outcomes), "--quality", "0.95", "--out",
                 str(router), "--json")  # fmt: skip
    assert fitted.code == 0, fitted.err
    assert sorted(fitted.json["models"]) == sorted(MODELS)
    chosen = run("route", "choose", "--router", str(router), "--prompts", str(outcomes), "--out",
                 str(out))  # fmt: skip
    assert chosen.code == 0, chosen.err
    with out.open() as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == ["prompt_id", "model", "point"]
    assert {row["model"] for row in found} <= set(MODELS)
    assert len([row for row in found if row["point"] == "chosen"]) == 200
    scored = run("route", "score", "--outcomes", str(outcomes), "--choices", str(out), "--plot",
                 str(tmp_path / "p.png"), "--json")  # fmt: skip
    assert scored.code == 0, scored.err
    assert scored.json["chosen"]["cost_of_best_single"]["value"] < 1.0
    assert set(scored.json["baselines"]) == {
        "best single", "cheapest", "oracle", "random mix", "prompt length", "task mean",
    }  # fmt: skip
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    table = run("route", "score", "--outcomes", str(outcomes), "--choices", str(out))
    assert "best single (" in table.out


def test_two_goals_are_one_too_many(run, tmp_path: Path) -> None:
    outcomes = write(tmp_path / "a.jsonl", rows(30))
    ran = run("route", "fit", "--outcomes", str(outcomes), "--quality", "1", "--floor", "0.9",
              "--out", str(tmp_path / "r"))  # fmt: skip
    assert ran.code == 2
    assert "exclude each other" in ran.err


def test_what_a_goal_may_not_be_and_what_outcomes_lack_is_said(run, tmp_path: Path) -> None:
    outcomes = write(tmp_path / "a.jsonl", rows(30))

    def fit(path, *words):
        ran = run("route", "fit", "--outcomes", str(path), "--out", str(tmp_path / "r"), *words)
        assert ran.code == 2, ran.err
        return " ".join(ran.err.split())

    for words in (("--quality", "2"), ("--quality", "0"), ("--floor", "1.5"), ("--value-usd", "0")):
        assert f"'{words[0]}'" in fit(outcomes, *words)
    bare = tmp_path / "bare.csv"
    bare.write_text("prompt_id,prompt,model,cost_usd\n1,hello,a,0.1\n")
    said = fit(bare, "--split", "all")
    assert "neither a column 'score' (0 to 1) nor 'accepted'" in said
    for name, text in (("e.csv", ""), ("h.csv", "prompt_id,prompt,model,cost_usd,score,split\n"),
                       ("e.jsonl", "")):  # fmt: skip
        (tmp_path / name).write_text(text)
        assert "holds no outcomes" in fit(tmp_path / name), name
        assert "it has no rows" in fit(tmp_path / name, "--split", "all"), name


def test_one_is_told_as_one(run, tmp_path: Path) -> None:
    outcomes = write(tmp_path / "a.jsonl", rows(60))
    router, one = str(tmp_path / "r.router"), tmp_path / "one.csv"
    assert run("route", "fit", "--outcomes", str(outcomes), "--out", router).code == 0
    one.write_text("prompt_id,prompt\n1,zyx qwv 9931 @@ ##\n")
    told = run("route", "choose", "--router", router, "--prompts", str(one), "--out",
               str(tmp_path / "c.csv"))  # fmt: skip
    assert told.code == 0, told.err
    assert "1 prompts" not in told.err
    assert "1 prompt at" in told.err


def test_a_picture_of_no_known_kind_is_a_usage_error(run, tmp_path: Path) -> None:
    outcomes = write(tmp_path / "a.jsonl", rows(30))
    choices = tmp_path / "c.csv"
    ids = [row["prompt_id"] for row in rows(30)]
    choices.write_text(
        "prompt_id,model\n" + "".join(f"{i},{MODELS[0]}\n" for i in dict.fromkeys(ids))
    )
    ran = run("route", "score", "--outcomes", str(outcomes), "--choices", str(choices), "--plot",
              str(tmp_path / "p.nosuch"))  # fmt: skip
    assert ran.code == 2, ran.err
    assert "'.nosuch'" in ran.err
    assert "png" in ran.err


def test_learning_names_only_models_of_its_router(run, tmp_path: Path) -> None:
    outcomes = write(tmp_path / "a.jsonl", rows(100))
    router = tmp_path / "r.router"
    fitted = run("route", "fit", "--outcomes", str(outcomes), "--out", str(router))
    assert fitted.code == 0, fitted.err
    ran = run("route", "learn", "--router", str(router), "--models", f"{MODELS[0]},nope")
    assert ran.code == 2, ran.err
    assert "fitted without nope" in ran.err
