"""`route certify` and `route show` as they are typed."""

from pathlib import Path

import pytest
from tests.learning.worlds import MODELS, rows, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certify")
    write(folder / "a.jsonl", rows(1_200))
    return folder


@pytest.fixture
def router(run, folder: Path) -> Path:
    path = folder / "r.router"
    if not path.exists():
        fitted = run("route", "fit", "--outcomes", str(folder / "a.jsonl"), "--out", str(path))
        assert fitted.code == 0, fitted.err
    return path


def certify(run, router: Path, *options: str):
    return run("route", "certify", "--router", str(router), "--outcomes",
               str(router.parent / "a.jsonl"), *options)  # fmt: skip


def test_what_was_certified_is_shown_until_it_is_taken_back(run, router: Path) -> None:
    made = certify(run, router, "--alpha", "0.08", "--split-seed", "3", "--json")
    assert made.code == 0, made.err
    found = made.json
    assert found["certified"]
    assert found["reference"] == "large"
    assert found["calibration_n"] == found["test"]["n"] == 200  # a third of the rows are for tests
    assert found["cost_share"]["value"] < 1.0
    assert isinstance(found["test"]["floor_held"], bool)

    shown = run("route", "show", str(router), "--json").json
    assert shown["models"] == sorted(MODELS)
    assert shown["points"]
    (held,) = shown["certificates"]
    assert held["holds"]
    assert held["id"] == found["certificate"]["id"]
    assert held["statement"].startswith("with confidence 0.9, the accepted rate is at most 0.08")

    text = run("route", "show", str(router), "--revoke", held["id"], "--reason", "a new prompt")
    assert text.code == 0, text.err
    assert "revoked" in text.out
    assert "a new prompt" in text.out
    assert not run("route", "show", str(router), "--json").json["certificates"][0]["holds"]


def test_it_is_told_in_words(run, router: Path) -> None:
    told = certify(run, router, "--alpha", "0.08", "--dry-run")
    assert told.code == 0, told.err
    for words in (
        "at most 0.08 below always large",
        "calibration prompts",
        "test half",
        "was needed",
    ):
        assert words in told.out
    assert "kept in" not in told.err


def test_thin_evidence_is_said_and_nothing_is_kept(run, router: Path) -> None:
    before = run("route", "show", str(router), "--json").json["certificates"]
    told = certify(run, router, "--alpha", "0.005")
    assert told.code == 0, told.err
    assert "not enough data: 200 calibration cases" in told.out
    assert "every prompt goes to large: cost ×1.00" in told.out
    assert run("route", "show", str(router), "--json").json["certificates"] == before


def test_prompts_of_the_fit_are_left_out(run, router: Path) -> None:
    told = certify(run, router, "--split", "train", "--dry-run")
    assert told.code == 2
    assert "800 of 800 prompts are left out" in told.err


def test_a_certificate_that_is_not_there_cannot_be_taken_back(run, router: Path) -> None:
    told = run("route", "show", str(router), "--revoke", "0123")
    assert told.code == 2
    assert "there is no certificate 0123" in told.err
