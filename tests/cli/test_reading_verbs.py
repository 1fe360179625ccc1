"""What every reading verb prints for programs, and what it prints for people."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "golden" / "shapes.json"
READING = {
    "check": ("check", "--offline"),
    "report": ("report",),
    "trace list": ("trace", "list"),
    "trace show": ("trace", "show", "ESCALATED"),
    "trace show of a running one": ("trace", "show", "RUNNING"),
    "portfolio show": ("portfolio", "show"),
    "journal verify": ("journal", "verify"),
    "journal seal": ("journal", "seal"),
    "feedback add": ("feedback", "add", "ESCALATED", "accepted"),
}


CONFIGURATION = {
    "digest", "deployments", "routes", "tasks", "prompts", "aliases", "default", "keys", "server",
    "journal",
}  # fmt: skip


def arguments(name: str, lived) -> list[str]:
    places = {"ESCALATED": lived.traces["escalated"], "RUNNING": lived.traces["running"]}
    return [places.get(word, word) for word in READING[name]]


def shape(value: Any) -> Any:
    """The keys and kinds of a document; lists by what any of their items has."""
    if isinstance(value, dict):
        # a time of 0 ms is left out of a record
        return {key: shape(item) for key, item in sorted(value.items()) if key[-3:] != "_ms"}
    if isinstance(value, list):
        merged: Any = "nothing"
        for item in value:
            merged = joined(merged, shape(item))
        return [merged]
    if isinstance(value, bool) or value is None:
        return "boolean" if value is not None else "null"
    return "text" if isinstance(value, str) else "number"


def joined(one: Any, other: Any) -> Any:
    if "nothing" in (one, other):
        return other if one == "nothing" else one
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            key: joined(one.get(key, "absent"), other.get(key, "absent"))
            for key in sorted({*one, *other})
        }
    if isinstance(one, list) and isinstance(other, list):
        return [joined(one[0], other[0])]
    if one == other:
        return one
    kinds: set[str] = set()
    for kind in (one, other):
        kinds |= set(kind.split(" or ")) if isinstance(kind, str) else {json.dumps(kind)}
    return " or ".join(sorted(kinds))


@pytest.mark.parametrize("name", READING)
def test_json_of_a_verb_has_its_golden_keys(run, lived, name: str) -> None:
    ran = run(*arguments(name, lived), "--json")
    assert ran.code == 0
    document = ran.lines if name == "trace list" else ran.json
    found = shape(document)
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("GOLDEN") == "write":
        golden[name] = found
        GOLDEN.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")
    assert found == golden[name]


def test_the_configuration_is_shown_as_yaml_and_as_json(run, lived) -> None:
    assert set(run("config", "show", "--json").json) >= CONFIGURATION
    text = run("config", "show").out
    assert "deployments:\n  small:\n" in text
    assert "concurrency" not in text
    assert "concurrency: 64" in run("config", "show", "--with-defaults").out


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("columns", [60, 100])
def test_text_of_a_verb_is_on_stdout_and_without_colour(
    run, lived, name: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "COLUMNS", str(columns))
    monkeypatch.setitem(os.environ, "NO_COLOR", "1")
    ran = run(*arguments(name, lived))
    assert ran.code == 0
    assert bool(ran.out) == (name != "feedback add")
    assert "\x1b" not in ran.out + ran.err
    if name == "report":
        assert max(map(len, ran.out.splitlines())) <= columns


@pytest.mark.parametrize(
    "name", ["report", "trace list", "portfolio show", "journal verify", "journal seal"]
)
def test_an_empty_journal_is_no_trouble(run, empty: Path, name: str) -> None:
    assert run(*READING[name]).code == 0
    ran = run(*READING[name], "--json")
    assert ran.code == 0
    assert ran.lines == [] if name == "trace list" else isinstance(ran.json, dict | list)


def test_a_journal_that_was_never_begun_is_named(run, empty: Path) -> None:
    ran = run("journal", "verify")
    assert "0 records" in ran.out
    assert "there is no journal yet at" in ran.err


def test_an_escalated_trace_tells_both_attempts_and_the_gates_reason(run, lived) -> None:
    by_trace = run("trace", "show", lived.traces["escalated"])
    by_response = run("trace", "show", lived.response_id)
    assert by_trace.out == by_response.out
    assert "try 1     small" in by_trace.out
    assert "gate: escalate" in by_trace.out
    assert "try 2     large" in by_trace.out
    assert "delivered (200)" in by_trace.out
    assert "request\n    user: is it red?\n  response\n    43\n" in by_trace.out


def test_a_streamed_answer_is_shown_put_together(run, lived) -> None:
    assert "response\n    44\n" in run("trace", "show", lived.traces["streamed"]).out


def test_bodies_are_left_out_when_asked(run, lived) -> None:
    trace = lived.traces["escalated"]
    assert "is it red?" not in run("trace", "show", trace, "--no-body").out
    assert "request_body" not in run("trace", "show", trace, "--no-body", "--json").json


def test_a_failed_trace_tells_what_each_deployment_did(run, lived) -> None:
    ran = run("trace", "show", lived.traces["failed"])
    assert ran.out.count("failed: server_error") == 2
    assert "failed (502)" in ran.out


def test_a_trace_whose_gateway_was_killed_says_so(run, lived) -> None:
    ran = run("trace", "show", lived.traces["running"])
    assert ran.code == 0
    assert "lost: the process that answered it died" in ran.out


def test_an_outcome_shows_in_its_trace(run, lived) -> None:
    ran = run("trace", "show", lived.traces["plain"])
    assert "outcome   accepted true from api" in ran.out
    assert "outcome   verified true from verifier" in ran.out


def test_a_long_body_is_cut_for_people_and_whole_for_programs(run, lived) -> None:
    from pointsman.cli.trace import _shown

    shown = _shown("x" * 10_000)
    assert len(shown[0]) == 4000
    assert "6000 more characters" in shown[1]
    assert _shown("a\nb") == ["a", "b"]


def test_what_an_engine_wrote_cannot_steer_the_terminal(run, lived) -> None:
    from pointsman.cli.output import printable

    assert printable("a\x1b[31mb\n\tc\x9b\x7f") == "a\ufffd[31mb\n\tc\ufffd\ufffd"
    assert "\x1b" not in run("trace", "show", lived.traces["escalated"]).out


def test_traces_are_listed_newest_first_and_can_be_narrowed(run, lived) -> None:
    rows = run("trace", "list", "--json").lines
    assert len(rows) == 5
    assert [row["at_us"] for row in rows] == sorted((row["at_us"] for row in rows), reverse=True)
    assert len(run("trace", "list", "--limit", "2", "--json").lines) == 2
    escalated = run("trace", "list", "--escalated", "--json").lines
    assert {row["trace"] for row in escalated} == {
        lived.traces["escalated"], lived.traces["failed"],
    }  # fmt: skip
    assert "no requests like that" in run("trace", "list", "--hours", "1e-9").err


def test_a_report_without_a_range_is_of_everything(run, lived) -> None:
    ran = run("report")
    assert ran.out.startswith("everything up to 2")
    assert "1970" not in ran.out
    assert "1970" in run("report", "--hours", "1e300").out or "everything" in ran.out
    assert "everything" not in run("report", "--hours", "24").out


def test_a_report_of_one_task_has_its_requests(run, lived) -> None:
    [task] = run("report", "--task", "work", "--json").json["tasks"]
    assert task["task"] == "work"
    assert task["total"]["requests"] == 5


def test_the_portfolio_counts_attempts_failures_and_cost(run, lived) -> None:
    rows = {row["deployment"]: row for row in run("portfolio", "show", "--json").json}
    assert (rows["small"]["attempts"], rows["small"]["failed"]) == (4, 1)
    assert (rows["large"]["attempts"], rows["large"]["failed"]) == (2, 1)
    assert rows["large"]["cost_usd"] > 0


def test_sealing_changes_no_answer(run, lived) -> None:
    before = [run("trace", "list", "--json").out, run("portfolio", "show", "--json").out]
    report = run("journal", "seal", "--json").json
    assert report["state"] == "sealed"
    assert report["bodies_erased"] == 0
    assert [run("trace", "list", "--json").out, run("portfolio", "show", "--json").out] == before
    assert run("journal", "verify", "--json").json["sealed_files"] == 1
    assert run("journal", "seal").out.startswith("nothing to seal")


def test_a_trace_tells_whether_its_answer_was_accepted_and_by_which_rule(run, lived) -> None:
    plain, failed = (run("trace", "show", lived.traces[name]) for name in ("plain", "failed"))
    assert "accepted  yes: outcome.kind == 'accepted'" in plain.out
    assert "accepted  no: nothing was delivered" in failed.out
    waiting = run("trace", "show", lived.traces["escalated"])
    assert "accepted  not yet known: yes by outcome.kind == 'accepted'" in waiting.out
    assert run("trace", "show", lived.traces["plain"], "--json").json["acceptance"][
        "acceptance"
    ] == ("accepted")


def test_an_outcome_that_was_told_thrice_is_one_line(run, lived) -> None:
    for _ in range(3):
        assert run("feedback", "add", lived.traces["plain"], "edited").code == 0
    out = run("trace", "show", lived.traces["plain"]).out
    assert "outcome   edited null from cli · 3 times\n" in out
    assert "accepted  no: outcome.kind == 'rejected' || outcome.kind == 'edited'" in out


def test_check_tells_of_outcomes_that_decide_nothing(run, lived) -> None:
    assert "decide nothing" not in run("check", "--offline").err
    assert run("feedback", "add", lived.traces["plain"], "acepted").code == 0
    told = run("check", "--offline", "--json").json["warnings"]
    assert any("1 outcomes of kind 'acepted' decide nothing" in each for each in told)
