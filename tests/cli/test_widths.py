"""What is read on a terminal fits it; what goes into a pipe is whole."""

import os
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.processes import PROGRAM, environment

from pointsman.cli import output

WIDTHS = [64, 80, 100, 130, 200]


@pytest.fixture
def wide_names(lived):
    path = lived.folder / "pointsman.yaml"
    said = path.read_text().replace("model: small@q4", f"model: {'very-' * 8}small@q4")
    path.write_text(said)
    return lived


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", ["trace list", "trace show", "portfolio show"])
def test_no_line_is_wider_than_the_terminal(
    run, wide_names, name: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "COLUMNS", str(columns))
    more = [wide_names.traces["escalated"]] if name == "trace show" else []
    ran = run(*name.split(), *more)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= columns
    assert "…" not in ran.out or name == "portfolio show"


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_list_of_any_width_holds_every_trace_and_who_answered(
    run, lived, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "COLUMNS", str(columns))
    out = run("trace", "list").out
    for trace in lived.traces.values():
        assert trace in out
    assert out.count("task:work") + out.count("auto") == 5
    assert {"delivered", "failed", "lost"} <= set(out.split())


def test_in_a_pipe_a_request_is_one_line_and_no_cell_is_cut(wide_names) -> None:
    for noun, rows in (("trace list", 5), ("portfolio show", 2)):
        ran = subprocess.run(
            [*PROGRAM, *noun.split()], capture_output=True, text=True, env=environment({})
        )
        assert ran.returncode == 0
        assert len(ran.stdout.splitlines()) == rows + 1
        assert "…" not in ran.stdout


@given(text=st.text(max_size=60), size=st.integers(3, 70))
def test_a_cut_keeps_both_ends(text: str, size: int) -> None:
    short = output.cut(text, size)
    assert len(short) == min(len(text), size)
    if len(text) > size:
        first, _, last = short.partition("…") if "…" not in text else (short[0], "", short[-1])
        assert text.startswith(first)
        assert text.endswith(last)


@given(
    rows=st.lists(
        st.tuples(*[st.text("abc-/", min_size=1, max_size=30)] * 3), min_size=1, max_size=4
    ),
    columns=st.integers(40, 120),
)
def test_a_fitted_table_has_a_word_of_every_cell(rows, columns: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        text = output.fitted(("one", "two", "three"), rows, elastic=(1,))
    assert max(map(len, text.splitlines())) <= columns
    for one, two, three in rows:
        assert one in text
        assert three in text
        assert two[:5] in text


@given(
    words=st.lists(st.from_regex(re.compile(r"[a-z]{1,9}"), fullmatch=True), max_size=40),
    columns=st.integers(32, 90),
)
def test_folding_keeps_every_word_in_order(words, columns: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        lines = output.folded(["  said    " + " ".join(words)], hang=12)
    assert " ".join(lines).split() == ["said", *words]
    assert max(map(len, lines)) <= columns


def test_a_report_is_short_unless_all_of_it_is_asked_for(run, lived) -> None:
    short, full = run("report"), run("report", "--full")
    assert len(short.out.splitlines()) < 8 < len(full.out.splitlines())
    assert "ms p50" in full.out
    assert "ms p50" not in short.out
    assert "--full" in short.err
    assert full.err == ""


def test_a_report_tells_configurations_apart_when_asked(run, lived) -> None:
    digest = run("check", "--offline", "--json").json["digest"]
    rows = run("trace", "list", "--json").lines
    [task] = run("report", "--by", "config", "--json").json["tasks"]
    assert {group["name"] for group in task["groups"]} == {row["config"] for row in rows}
    assert sum(each["requests"] for each in task["configs"]) == len(rows)
    assert digest not in run("report").out
    [rolled] = run("report", "--by", "config", "--fast", "--json").json["tasks"]
    assert [(group["name"], group["figures"]["requests"]) for group in rolled["groups"]] == [
        (group["name"], group["figures"]["requests"]) for group in task["groups"]
    ]
