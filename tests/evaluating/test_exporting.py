"""Runs as files for others: what a model wrote is never markup, formula or anything but text."""

import csv
import io
import json
import re
import zipfile
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evals.two_runs import a_case, a_run, a_sample, an_arm, shared, two_models

from pointsman.domain.messages import ToolCall
from pointsman.domain.money import Usage
from pointsman.evals.comparing import Arm, compare_runs
from pointsman.evals.gate import Gate
from pointsman.evals.gating import judge_gate
from pointsman.evals.sample import Score
from pointsman.evaluating.exporting.bundle import bundle
from pointsman.evaluating.exporting.inspect_logs import inspect_archive, inspect_json
from pointsman.evaluating.exporting.junit import junit
from pointsman.evaluating.exporting.lm_eval import lm_eval_samples
from pointsman.evaluating.exporting.markdown import markdown
from pointsman.evaluating.exporting.tables import as_csv, columns, write_parquet
from pointsman.evaluating.exporting.viewer import SCRIPT, viewer

HOSTILE = (
    '</pre></script><script>alert(1)</script><img src=x onerror="alert(2)">\x00\x07 & \u202e ]]>'
)


def a_bundle(answer="said", *, n=6, epochs=1, **over):
    samples = [
        a_sample(at, (True, False, None)[at % 3], epoch=epoch, answer=answer,
                 reason="timed out" if at % 3 == 2 else "", tags={"kind": answer[:20] or "-"},
                 usage=Usage(prompt_tokens=3, completion_tokens=4), traces=("tr_1",),
                 deployments=("small",),
                 tool_calls=(ToolCall(index=0, name=answer, arguments="{"),),
                 scores=() if at % 3 == 2 else (
                     Score(name="exact", value=float(at % 3 == 0), passed=at % 3 == 0,
                           detail=answer),
                     Score(name="fluency", value=0.25 * (at % 3))))
        for at in range(n) for epoch in range(epochs)
    ]  # fmt: skip
    cases = [a_case(at, expected=answer) for at in range(n)]
    run = a_run("A", cases=n, epochs=epochs)
    arm = Arm(run=run, samples=tuple(samples))
    gate = judge_gate(Gate(accepted_at_least=0.5, missing_at_most=0.9), arm)
    return bundle(run, cases, reversed(samples), verdict=gate, **over)


class _Page(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_the_viewer_holds_every_sample_without_its_script():
    page = viewer(a_bundle()).decode()
    seen = _Page(page)
    rows = [attrs["data-outcome"] for tag, attrs in seen.tags if "data-outcome" in attrs]
    assert rows == ["accepted", "rejected", "missing"] * 2
    tools = next(attrs for _, attrs in seen.tags if attrs.get("class") == "tools")
    assert "hidden" in tools  # what needs the script is not there without it
    assert "timed out" in page
    assert "33.3 %" in "".join(seen.text) or "50.0 %" in "".join(seen.text)


def test_the_viewer_asks_for_nothing():
    seen = _Page(viewer(a_bundle(HOSTILE)).decode())
    for tag, attrs in seen.tags:
        assert not {"src", "href", "srcset", "action", "style"} & attrs.keys(), (tag, attrs)
    policy = next(attrs["content"] for tag, attrs in seen.tags if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in SCRIPT
    assert "fetch" not in SCRIPT


def _shape(page):
    return [(tag, sorted(attrs)) for tag, attrs in _Page(page).tags]


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(max_size=60), st.just(HOSTILE),
                 st.text(alphabet="<>&\"'/=!- script", max_size=40)))  # fmt: skip
def test_nothing_that_a_model_writes_is_markup(text):
    """Whatever is written, the page has the tags and attributes that harmless words give it."""
    plain = "word" if text else ""
    assert _shape(viewer(a_bundle(text)).decode()) == _shape(viewer(a_bundle(plain)).decode())
    tree = ElementTree.fromstring(junit(a_bundle(text)))
    assert len(list(tree.iter("testcase"))) == 8


def test_junit_counts_what_came_of_each_sample():
    tree = ElementTree.fromstring(junit(a_bundle(HOSTILE)))
    suite, gate = tree.findall("testsuite")
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == [
        "6", "2", "2", "0",
    ]  # fmt: skip
    assert suite.find("testcase/error").get("message") == "timed out"
    assert "alert(1)" in suite.find("testcase/failure").text
    assert gate.get("name") == "gate"
    assert [test.get("name") for test in gate] == ["missing_at_most", "accepted_at_least"]
    assert gate.find("testcase/failure").get("message").startswith("accepted is")


def test_markdown_tells_the_gate_and_shows_text_as_text():
    page = markdown(a_bundle(HOSTILE + " | `code` [a](http://x) @team #1")).decode()
    assert page.startswith("## demo on A")
    assert "Gate: **not passed**" in page
    assert "<script" not in page
    assert "<img" not in page
    rows = [line for line in page.splitlines() if line.startswith("| c0")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
    assert "\\[a\\]\\(http\\:" in page
    assert "@team" not in page


def test_a_comparison_is_part_of_the_page():
    a, b = two_models(200, 0.9, 0.7)
    arm_a, arm_b = an_arm("A", a), an_arm("B", b)
    said = compare_runs(arm_a, arm_b, margin=0.02, shared=shared(200))
    whole = bundle(arm_b.run, [a_case(at) for at in range(200)], arm_b.samples, comparison=said)
    assert "worse" in markdown(whole).decode()
    page = viewer(whole).decode()
    assert f"{len(said.lost) + len(said.gained)} cases that changed" in page
    assert page.count("<td>lost</td>") == len(said.lost)


def test_a_spreadsheet_runs_no_cell():
    for start in ("=1+1", "+1", "-1", "@sum", "\tx"):
        rows = list(csv.DictReader(io.StringIO(as_csv(a_bundle(start)).decode())))
        assert len(rows) == 6
        assert all(row["answer"] == "'" + start for row in rows)
        assert rows[0]["latency_ms"] == "100.0"
        assert (rows[0]["accepted"], rows[1]["accepted"], rows[2]["accepted"]) == (
            "true", "false", "",
        )  # fmt: skip


def test_columns_are_of_one_length():
    made = columns(a_bundle(epochs=2))
    assert {len(values) for values in made.values()} == {12}
    assert made["score.fluency"][:2] == [0.0, 0.0]
    assert made["tag.kind"][0] == "said"


def test_a_parquet_file_has_the_same_columns(tmp_path):
    import duckdb

    given = a_bundle(HOSTILE + "\n'", epochs=2)
    path = tmp_path / "it's.parquet"
    write_parquet(given, path)
    found = duckdb.read_parquet(str(path))
    made = columns(given)
    assert found.columns == list(made)
    rows = found.fetchall()
    for at, name in enumerate(made):
        assert [row[at] for row in rows] == made[name], name


def test_lm_eval_samples_have_a_line_a_case():
    lines = [json.loads(line) for line in lm_eval_samples(a_bundle(HOSTILE, epochs=2)).splitlines()]
    assert [line["doc_id"] for line in lines] == list(range(6))
    assert lines[0]["resps"] == [[HOSTILE, HOSTILE]]
    assert (lines[0]["exact"], lines[1]["exact"], lines[2]["missing"]) == (1.0, 0.0, 2)
    assert lines[0]["metrics"] == ["exact", "fluency"]


def test_an_inspect_log_is_one_document_or_an_archive():
    given = a_bundle(HOSTILE, epochs=2)
    log = json.loads(inspect_json(given))
    assert (log["version"], log["status"], len(log["samples"])) == (2, "success", 12)
    assert log["samples"][0]["scores"]["exact"]["value"] == "C"
    assert log["samples"][0]["scores"]["fluency"]["value"] == 0.0
    assert log["samples"][4]["error"]["message"] == "timed out"
    with zipfile.ZipFile(io.BytesIO(inspect_archive(given))) as archive:
        names = archive.namelist()
        assert "samples/c0000_epoch_2.json" in names
        assert json.loads(archive.read("header.json"))["eval"]["task"] == "demo"
        assert json.loads(archive.read("samples/c0001_epoch_1.json")) == log["samples"][2]
    assert inspect_archive(given) == inspect_archive(given)


def test_a_page_of_very_many_samples_shows_those_that_were_not_accepted(monkeypatch):
    monkeypatch.setattr("pointsman.evaluating.exporting.viewer.MOST_ROWS", 4)
    page = viewer(a_bundle()).decode()
    rows = [attrs["data-outcome"] for _, attrs in _Page(page).tags if "data-outcome" in attrs]
    assert sorted(rows) == ["missing", "missing", "rejected", "rejected"]
    assert "4 of 6" in page


@pytest.mark.parametrize("write", [viewer, markdown, junit, as_csv, lm_eval_samples, inspect_json])
def test_a_run_without_samples_is_written_too(write):
    assert isinstance(write(bundle(a_run("A"), [], [])), bytes)
