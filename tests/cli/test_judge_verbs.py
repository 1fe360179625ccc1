"""Judges at the command line: calibrated from labels and files, their cards, and the report."""

import json
import os

import pytest
from click.testing import CliRunner
from tests.labelling.traffic import put

from pointsman.cli import cli
from pointsman.client import Workspace
from pointsman.config import load
from pointsman.domain.records import Drawn, OutcomeRecord, SamplingRecord
from pointsman.journal import JournalWriter
from pointsman.testing import ScriptedUpstream, chat_answer

CONFIG = """\
deployments: {small: {model: m, base_url: "http://127.0.0.1:9/v1"}}
routes: {main: {steps: [small]}}
tasks: {support: {route: main, online: {judge: polite}}}
judges:
  polite: {model: small, rubric: "It is polite."}
  better: {model: small, rubric: "Which?", kind: pairwise}
journal: {path: journal}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "pointsman.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words, code=0, **given):
    result = CliRunner().invoke(cli, list(words), standalone_mode=False, **given)
    error = result.exception
    found = 0 if error is None else getattr(error, "exit_code", 1)
    assert found == code, (result.output, error)
    return result


def judged(folder, size=120, labels=60):
    """Traffic that the judge calls good a little too often, half of it labelled."""
    spec = load(folder / "pointsman.yaml", env=os.environ).judges["polite"]
    drawn = []
    with JournalWriter(folder / "journal") as writer:
        for n in range(size):
            trace = put(writer, n)
            good, says = n % 5 >= 2, n % 5 >= 1
            writer.append(
                OutcomeRecord(
                    id=f"oc_a{n}", at_us=9000 + n, trace=trace, outcome="judged",
                    value=float(says), source="judge:polite", maker=spec.digest,
                    cost_usd_picos=10**9, took_ms=20,
                )
            )  # fmt: skip
            if n < labels:
                drawn.append(Drawn(trace=trace, chance=labels / size))
                writer.append(
                    OutcomeRecord(id=f"oc_b{n}", at_us=9500 + n, trace=trace, outcome="label",
                                  value="accept" if good else "reject", source="rater:ann")
                )  # fmt: skip
        writer.append(
            SamplingRecord(id="dw_1", at_us=9999, by="ann", task="support", pool=size, since_us=0,
                           until_us=9999, drawn=tuple(drawn))
        )  # fmt: skip


def test_calibrating_from_labels_keeps_a_card(folder):
    judged(folder)
    made = json.loads(run("judge", "calibrate", "polite", "--json").stdout)
    assert made["n"] == 60
    assert made["sensitivity"]["value"] == 1.0
    assert made["specificity"]["value"] == pytest.approx(0.5)
    assert made["cost_usd_picos"] == 10**9
    shown = run("judge", "card", "polite")
    assert "fails what people reject" in shown.output
    assert "50.0 %" in shown.output
    (row,) = [
        r for r in json.loads(run("judge", "list", "--json").stdout) if r["judge"] == "polite"
    ]
    assert (row["labels"], row["stale"], row["tasks"]) == (60, [], ["support"])


def test_a_changed_judge_has_a_stale_card_and_its_old_verdicts_do_not_count(folder):
    judged(folder)
    run("judge", "calibrate", "polite")
    text = CONFIG.replace("It is polite.", "It is kind.")
    (folder / "pointsman.yaml").write_text(text)
    stale = run("judge", "card", "polite", "--json", code=4)
    assert "changed" in json.loads(stale.stdout)["stale"][0]
    result = run("judge", "calibrate", "polite", code=2)
    assert "60 are of an earlier form" in result.exception.why


def test_a_judge_without_a_card_and_one_that_is_none(folder):
    result = run("judge", "card", "polite", code=4)
    assert "never calibrated" in result.exception.what
    assert "polite, better" in run("judge", "card", "nice", code=2).exception.next
    assert "nobody labelled" in run("judge", "calibrate", "polite", code=2).exception.why


def test_a_file_of_verdicts_makes_a_card(folder):
    rows = ["human,judge,chars,kind"]
    rows += [f"{n % 2},{(n % 2) if n % 7 else 1},{n + 50},{'xy'[n % 2]}" for n in range(70)]
    (folder / "v.csv").write_text("\n".join(rows))
    made = json.loads(
        run("judge", "calibrate", "polite", "--in", "v.csv", "--tag", "kind", "--json").stdout
    )
    assert (made["n"], made["sensitivity"]["value"]) == (70, 1.0)
    assert {each["value"] for each in made["slices"]} == {"x", "y"}
    assert made["source"] == "v.csv"


def test_a_file_of_pairs_tells_position_bias(folder):
    rows = ["human,as_given,swapped"]
    rows += [("1,1,1", "1,1,2", "2,2,2", "2,,2")[n % 4] for n in range(40)]
    (folder / "p.csv").write_text("\n".join(rows))
    made = json.loads(run("judge", "calibrate", "better", "--in", "p.csv", "--json").stdout)
    assert made["consistency"]["value"] == pytest.approx(2 / 3)
    assert (made["ties"], made["unjudged"]["value"]) == (10, 0.25)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("human,x\n1,1\n", "no column judge"), ("human,judge\nmaybe,1\n", "row 1: `human`"),
        ("human,judge\n1,7\n", "row 1: `judge`"),
        ("human,judge,chance\n1,1,0\n", "row 1: `chance`"),
    ],
)  # fmt: skip
def test_a_file_that_says_nothing_of_judges_is_refused(folder, text, why):
    (folder / "v.csv").write_text(text)
    result = run("judge", "calibrate", "polite", "--in", "v.csv", code=2)
    assert why in result.exception.what
    assert not (folder / "journal" / "judges").exists()


def test_a_dry_run_keeps_no_card(folder):
    judged(folder)
    run("judge", "calibrate", "polite", "--dry-run")
    run("judge", "card", "polite", code=4)


def test_the_report_shows_the_corrected_quality_beside_the_judges(folder):
    judged(folder)
    with Workspace(load(folder / "pointsman.yaml", env={})) as workspace:
        (quality,) = workspace.report().quality
    assert quality.judge_mean.value == pytest.approx(0.8)
    assert quality.corrected.value == pytest.approx(0.6, abs=0.02)
    assert quality.method == "ppi"
    shown = run("report").stdout
    assert "support: quality 60.0 %" in shown
    assert "polite alone says 80.0 %" in shown


def test_without_labels_the_card_corrects_and_without_either_the_next_step_is_named(folder):
    judged(folder, labels=0)
    assert "pointsman label next --task support" in run("report").stdout
    rows = ["human,judge"] + [f"{int(n % 5 >= 2)},{int(n % 5 >= 1)}" for n in range(200)]
    (folder / "v.csv").write_text("\n".join(rows))
    run("judge", "calibrate", "polite", "--in", "v.csv")
    shown = run("report").stdout
    assert "the judge, corrected by its card" in shown


@pytest.fixture
def engine(folder):
    with ScriptedUpstream(default=chat_answer('{"reason": "kind", "verdict": "pass"}')) as engine:
        text = CONFIG.replace("http://127.0.0.1:9/v1", engine.base_url)
        (folder / "pointsman.yaml").write_text(text)
        yield engine


def test_trying_a_judge_writes_nothing_down(folder, engine):
    with JournalWriter(folder / "journal") as writer:
        trace = put(writer, 1)
    shown = run("judge", "try", "polite", "--trace", trace)
    assert "pass · 1.00 · kind" in shown.stdout
    assert "question 1" in json.dumps(engine.requests[0].json)
    with Workspace(load(folder / "pointsman.yaml", env={})) as workspace:
        assert workspace.reports.query("opinions") == []


def test_traffic_that_was_is_judged_once(folder, engine):
    with JournalWriter(folder / "journal") as writer:
        for n in range(5):
            put(writer, n, capture="digests" if n == 4 else "bodies")
    words = ("judge", "run", "polite", "--task", "support", "--sample", "1")
    assert "5 wait" in run(*words, "--dry-run").stdout
    assert engine.requests == []
    found = json.loads(run(*words, "--json").stdout)
    assert (found["judged"], found["gone"]) == (4, 1)
    again = json.loads(run(*words, "--json").stdout)
    assert (again["wanted"], again["judged"]) == (1, 0)
    assert len(engine.requests) == 4
    kept = b"".join(path.read_bytes() for path in (folder / "journal").rglob("*") if path.is_file())
    assert kept.count(b"question 1") <= 1  # the judge's own requests are kept as digests


def test_a_bound_on_money_ends_a_run(folder, engine):
    text = (folder / "pointsman.yaml").read_text()
    price = "price: {input_usd_per_mtok: 1000, output_usd_per_mtok: 1000}}"
    (folder / "pointsman.yaml").write_text(text.replace('v1"}', f'v1", {price}', 1))
    with JournalWriter(folder / "journal") as writer:
        for n in range(30):
            put(writer, n)
    found = json.loads(
        run("judge", "run", "polite", "--task", "support", "--sample", "1", "--usd", "0.000001",
            "--json").stdout
    )  # fmt: skip
    assert found["left"] > 0
    assert found["judged"] + found["left"] == 30


def test_agreement_of_judges_from_a_file_and_from_traffic(folder):
    rows = ["a,b,c"] + [f"{n % 2},{n % 2 if n % 5 else 1},{n % 3 == 0:d}" for n in range(60)]
    (folder / "v.csv").write_text("\n".join(rows))
    found = json.loads(
        run(
            "judge", "agreement", "--in", "v.csv", "--column", "a", "--column", "b", "--json"
        ).stdout
    )
    assert found["pairs"][0]["kappa"]["value"] == pytest.approx(0.8)
    assert found["alpha"]["n"] == 60
    assert "fewer than two" in str(run("judge", "agreement", code=2).exception)
    run("judge", "agreement", "--in", "v.csv", "--column", "a", code=2)
