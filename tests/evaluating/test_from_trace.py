"""Requests as cases: what is expected of them, and when there is none to make."""

import json

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML
from tests.labelling.traffic import put

from pointsman.cli import cli
from pointsman.domain.records import OutcomeRecord, ReviewRecord
from pointsman.journal import JournalWriter, erase_due

CONFIG = """\
deployments: {small: {model: m, base_url: "http://127.0.0.1:9/v1"}}
routes: {main: {steps: [small]}}
tasks: {support: {route: main, acceptance: {accepted: "outcome.kind == 'sent'"}}}
journal: {path: journal}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "pointsman.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def writer(folder):
    with JournalWriter(folder / "journal") as writer:
        yield writer


def told(writer, trace, kind, value=None, *, source="api", at_us=3000, body=None):
    writer.append(OutcomeRecord(id=f"oc_{at_us}", at_us=at_us, trace=trace, outcome=kind,
                                value=value, source=source, body=body))  # fmt: skip


def add(trace, *words, code=0):
    result = CliRunner().invoke(
        cli, ["suite", "add", "--from-trace", trace, *words], standalone_mode=False
    )
    error = result.exception
    assert (0 if error is None else getattr(error, "exit_code", 1)) == code, (result.output, error)
    return result


def case_of(trace, *words):
    said = YAML(typ="safe", pure=True).load(add(trace, "--print", *words).stdout)
    assert len(said) == 1
    return said[0]


def test_an_accepted_answer_is_what_is_expected(writer):
    trace = put(writer, 1, session="s-4711")
    told(writer, trace, "sent")
    case = case_of(trace)
    assert case["messages"] == [{"role": "user", "content": "question 1"}]
    assert (case["id"], case["expected"], case["tags"]) == (trace, "answer 1", {"task": "support"})
    assert "4711" not in case["cluster"]


def test_a_reviewers_edit_is_expected_before_the_answer(writer):
    trace = put(writer, 1)
    told(writer, trace, "sent")
    edited = {"choices": [{"message": {"role": "assistant", "content": "edited"}}]}
    writer.append(
        ReviewRecord(id="held_1", at_us=4000, trace=trace, tenant="default", by="ann",
                     action="edit", status="edited",
                     answer=writer.put_body(json.dumps(edited).encode()))
    )  # fmt: skip
    assert case_of(trace)["expected"] == "edited"


def test_a_raters_edit_and_acceptance_count_and_a_rejection_does_not(writer):
    one, two, three = (put(writer, n) for n in (1, 2, 3))
    told(writer, one, "label", "edit", source="rater:ann", body=writer.put_body(b"better"))
    told(writer, two, "label", "accept", source="rater:ann")
    told(writer, three, "label", "accept", source="rater:ann")
    told(writer, three, "label", "reject", source="rater:ben", at_us=3001)
    assert case_of(one)["expected"] == "better"
    assert case_of(two)["expected"] == "answer 2"
    assert "nobody accepted" in str(add(three, "--print", code=2).exception)


def test_nobody_accepted_it_is_said_and_can_be_wished_for(writer):
    trace = put(writer, 1)
    told(writer, trace, "accepted")  # not what this task's rule asks for
    assert "nobody accepted" in str(add(trace, "--print", code=2).exception)
    assert "expected" not in case_of(trace, "--without-expected")


def test_persons_leave_the_case_and_fields_of_the_request_stay(writer):
    trace = put(
        writer, 1, answer="Dear ann@example.com",
        body={"messages": [{"role": "user", "content": "I am ann@example.com"}],
              "temperature": 0.1, "user": "ann", "metadata": {"who": "ann"}},
    )  # fmt: skip
    told(writer, trace, "sent")
    case = case_of(trace)
    assert case["request"] == {
        "messages": [{"role": "user", "content": "I am [email 1]"}], "temperature": 0.1,
    }  # fmt: skip
    assert case["expected"] == "Dear [email 1]"
    assert "ann" not in json.dumps(case)


@pytest.mark.parametrize("capture", ["digests", "redacted"])
def test_words_that_were_never_kept_make_no_case(writer, capture):
    trace = put(writer, 1, capture=capture)
    error = add(trace, "--print", code=2).exception
    assert capture in str(error)


def test_erased_words_make_no_case(folder, writer):
    trace = put(writer, 1, until_us=5000)
    writer.close()
    assert erase_due(folder / "journal", now_us=6000).bodies
    assert "erased" in str(add(trace, "--print", code=2).exception)


def test_a_picture_makes_no_case(writer):
    picture = [{"type": "image_url", "image_url": {"url": "https://e.org/a.png"}}]
    trace = put(writer, 1, body={"messages": [{"role": "user", "content": picture}]})
    told(writer, trace, "sent")
    assert "de-identified" in str(add(trace, "--print", code=2).exception)


def test_the_whole_way_into_a_file(folder, writer):
    one, two = put(writer, 1), put(writer, 2, answer="call +49 30 901820")
    told(writer, one, "sent")
    told(writer, two, "sent")
    shown = add(one, "--from-trace", two, "support.yaml")
    assert f"{one} → support.yaml · expected: accepted" in shown.output
    again = add(one, "support.yaml", "--json")
    assert json.loads(again.stdout)[0]["done"] == "there"
    said = YAML(typ="safe", pure=True).load((folder / "support.yaml").read_text())
    assert [each["id"] for each in said["cases"]] == [one, two]
    assert said["subject"] == "task:support"


def test_an_unknown_trace_and_no_file_are_usage_errors(writer):
    put(writer, 1)
    assert "no trace" in str(add("tr_x", "--print", code=2).exception)
    add("tr_x", code=2)


def test_a_suite_is_shown_and_looked_over(folder, writer):
    for n in (1, 2):
        told(writer, put(writer, n), "sent")
        add(f"tr_{n:026d}", "s.yaml")
    shown = CliRunner().invoke(cli, ["suite", "show", "s.yaml"], standalone_mode=False)
    assert "2 cases in 2 clusters, 1 times each, 2 from traffic" in shown.output
    fine = CliRunner().invoke(cli, ["suite", "lint", "s.yaml"], standalone_mode=False)
    assert fine.exception is None
    assert "hint: 2 independent cases" in fine.output
    with (folder / "s.yaml").open("a") as file:
        file.write("  - {id: again, input: x, expected: mail ann@example.com}\n")
        file.write("  - {id: twice, input: x, expected: y}\n")
    bad = CliRunner().invoke(cli, ["suite", "lint", "s.yaml", "--json"], standalone_mode=False)
    assert bad.exception.exit_code == 4
    problems = {row["case"]: row["what"] for row in json.loads(bad.stdout)
                if row["level"] == "problem"}  # fmt: skip
    assert "email" in problems["again"]
    assert "just what again asks" in problems["twice"]
    (folder / "no.yaml").write_text("name: x\n")
    none = CliRunner().invoke(cli, ["suite", "lint", "no.yaml"], standalone_mode=False)
    assert none.exception.exit_code == 3
