"""A sitting at the terminal: keys, undo, edits, and what a stop in the middle leaves."""

import os
import pty
import select
import sys
import termios
import time

import pytest
from click.testing import CliRunner
from tests.support.processes import environment
from traffic import desk, put

from pointsman.cli import cli
from pointsman.cli.label_session import Session
from pointsman.domain.records import OutcomeRecord
from pointsman.journal import JournalWriter, iter_records

CONFIG = """\
deployments: {small: {model: m, base_url: "http://127.0.0.1:9/v1"}}
routes: {main: {steps: [small]}}
tasks: {support: {route: main}}
journal: {path: journal}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pointsman.yaml").write_text(CONFIG)
    with JournalWriter(tmp_path / "journal") as writer:
        for n in range(4):
            put(writer, n, judged=0.5)
    return tmp_path


def said(folder):
    return [
        (int(each.trace[3:]), each.value)
        for each in iter_records(folder / "journal")
        if isinstance(each, OutcomeRecord) and each.outcome == "label"
    ]


def sitting(folder, keys, *, edits=()):
    pressed, texts = iter(keys), iter(edits)
    with JournalWriter(folder / "journal") as writer:
        at = desk(folder / "journal", writer)
        queue = [f"tr_{n:026d}" for n in range(4)]
        Session(at, "ann", queue, key=lambda: next(pressed), edit=lambda text: next(texts)).run()


def test_each_key_is_a_label(folder, capsys):
    sitting(folder, "aRse", edits=["better\n"])
    assert said(folder) == [(0, "accept"), (1, "reject"), (2, "skip"), (3, "edit")]
    shown = capsys.readouterr()
    assert "question 1" in shown.out
    assert "0.5" not in shown.out  # blind to the judge
    assert "4 labelled, 0 wait" in shown.err


def test_undo_goes_back_to_the_one_before_as_often_as_wished(folder):
    sitting(folder, "aauuraaa")
    assert said(folder) == [
        (0, "accept"), (1, "accept"), (1, "undone"), (0, "undone"),
        (0, "reject"), (1, "accept"), (2, "accept"), (3, "accept"),
    ]  # fmt: skip


def test_other_keys_and_empty_edits_say_nothing(folder):
    sitting(folder, "uxéeeeaq", edits=[None, "", "answer 0"])
    assert said(folder) == [(0, "accept")]


def test_a_stop_in_the_middle_keeps_what_was_said(folder):
    def stop():
        raise KeyboardInterrupt

    with JournalWriter(folder / "journal") as writer:
        keys = iter("a")
        session = Session(
            desk(folder / "journal", writer), "ann", [f"tr_{n:026d}" for n in range(4)],
            key=lambda: next(keys, None) or stop(),
        )  # fmt: skip
        session.run()
    assert said(folder) == [(0, "accept")]


def run(folder, *words, **given):
    os.chdir(folder)
    return CliRunner().invoke(cli, ["label", *words], catch_exceptions=False, **given)


def test_the_whole_way_by_files(folder, monkeypatch):
    monkeypatch.chdir(folder)
    drawn = run(folder, "next", "--task", "support", "-n", "3", "--by", "ann")
    assert "3 of 4 drawn" in drawn.output
    lines = run(folder, "export", "--by", "ann").output.splitlines()
    assert len(lines) == 3
    assert "judge" not in lines[0]
    labels = "".join(line[:-1] + ',"label":"accept"}\n' for line in lines)
    done = run(folder, "import", "-", "--by", "ann", "--json", input=labels)
    assert '"recorded": 3' in done.output
    status = run(folder, "status", "--task", "support")
    assert "3 drawn · 3 labelled" in status.output


def test_without_a_terminal_it_says_what_to_do(folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = CliRunner().invoke(cli, ["label", "start"], standalone_mode=False)
    assert "needs a terminal" in str(found.exception)


def test_a_real_terminal(folder, monkeypatch):
    monkeypatch.chdir(folder)
    run(folder, "next", "--task", "support", "-n", "2", "--by", "ann")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        words = ["-m", "pointsman", "label", "start", "--by", "ann"]
        os.execve(sys.executable, [sys.executable, *words], environment())
    seen, pressed, until = b"", 0, time.monotonic() + 60
    try:
        while time.monotonic() < until:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    data = os.read(terminal, 4096)
                except OSError:  # it ended
                    break
                if not data:
                    break
                seen += data
            # only once it waits for one key: what is typed before waits for a whole line
            if (
                seen.count(b"[q]uit") > pressed
                and not termios.tcgetattr(terminal)[3] & termios.ICANON
            ):
                os.write(terminal, b"ar"[pressed : pressed + 1])
                pressed += 1
    finally:
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    assert status == 0, seen
    assert sorted(value for _, value in said(folder)) == ["accept", "reject"]
    assert b"2 labelled, 0 wait" in seen
