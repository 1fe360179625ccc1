"""Logs to templates: real ones as people grouped them, and laws of any."""

import csv
import gzip
import json
import os
from collections import defaultdict
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.cli import cli
from pointsman.evidence.logs import mining
from pointsman.evidence.logs.heading import learn_heading
from pointsman.evidence.logs.mining import Miner, mine, rows

DATA = Path(os.environ.get("POINTSMAN_DATA", "../shared/data")) / "multimodal" / "logs"
SYSTEMS = ("Android", "Apache", "BGL", "HDFS", "Hadoop", "HealthApp", "Linux", "OpenSSH", "Spark",
           "Zookeeper")  # fmt: skip

HEADINGS = [
    ("2026-11-24 12:00:0{n},123 INFO [worker-{n}] org.acme.Store: ", 5),
    ("Nov 24 12:00:0{n} host{n} sshd[12{n}]: ", 5),
    ("[Tue Nov 24 12:00:0{n} 2026] [error] [client 10.0.0.{n}] ", 3),
    ("I1124 12:00:0{n}.000 {n} main.go:1{n}] ", 0),
    ("", 0),
]
SAID = ["started", "stopped after an error", "user ada logged in", "cache miss for key", "ready"]


@pytest.mark.parametrize(("head", "columns"), HEADINGS)
def test_headings_are_learned_and_left_out(head, columns):
    lines = [head.format(n=n % 10) + SAID[n % 5] for n in range(200)]
    heading = learn_heading(lines)
    if columns:
        assert len(heading.kinds) == columns
        miner = Miner()
        miner.mine(lines)
        assert [miner.content(line) for line in lines[:5]] == SAID
    assert len(mine(lines).templates) == 5


def test_a_line_without_the_heading_is_read_whole():
    lines = [f"2026-11-24 12:00:0{n % 10} ERROR app: failed" for n in range(100)]
    lines[50:50] = ["Traceback (most recent call last):", '  File "a.py", line 3']
    said = {each.text for each in mine(lines).templates}
    assert "failed" in said
    assert any(text.startswith("Traceback") for text in said)


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        (["session opened for user ada", "session opened for user bob"], 1),
        (["connection opened", "connection closed"], 2),
        (["took 3 ms", "took 41.5 s", "took 7 minutes"], 1),
        (["read /var/log/a.log", "read C:\\temp\\b.log", "read https://h/x?y=1"], 1),
        (['GET "a" ok', 'GET "b" ok'], 1),
        (["at Sun Jul 10 03:55:15 2005", "at Fri Jul  1 07:57:30 2005"], 1),
        (["x (1.2.3.4)", "x ()"], 1),
        ([f"starting {name} now please" for name in "abcdefgh"], 1),
        (["retries=3 user=", "retries=0 user=root"], 1),
    ],
)
def test_what_varies_and_what_is_said(lines, count):
    assert len(mine(lines).templates) == count


LINES = st.lists(st.text(max_size=60), max_size=40)


@settings(max_examples=150, deadline=None)
@given(LINES)
def test_every_line_has_one_template_and_counts_add_up(lines):
    mined = mine(lines)
    assert mined.lines == len(lines) == len(list(rows(mined)))
    assert sum(each.count for each in mined.templates) == len(lines)
    assert len({each.text for each in mined.templates}) == len(mined.templates)
    for each in mined.templates:
        its = [n for n, kind in enumerate(mined.kinds, 1) if mined.templates[kind] == each]
        assert (its[0], its[-1], len(its)) == (each.first_line, each.last_line, each.count)


@settings(max_examples=60, deadline=None)
@given(LINES)
def test_the_same_log_gives_the_same_templates(lines):
    assert mine(lines) == mine(iter(lines))
    twice = mine([*lines, *lines])
    assert {each.text for each in twice.templates} >= set()
    assert list(twice.kinds[: len(lines)]) == list(twice.kinds[len(lines) :])


def test_memory_is_bounded_however_lines_differ(monkeypatch):
    monkeypatch.setattr(mining, "_MOST_MASKS", 50)
    monkeypatch.setattr(mining, "_MOST_FORMS", 80)
    words = [f"{a}{b}" for a in "abcdefghij" for b in "klmnopqrst"]
    miner = Miner()
    mined = miner.mine(f"{one} says {other} to them" for one in words for other in words)
    assert mined.lines == 10_000
    assert len(miner._masks) <= 50 + len(words) * len(words)
    assert len(miner._forms) <= 80
    long = mine(["x" * 1_000_000, "[" * 5000, "a." * 50_000, '"' * 9999])
    assert long.lines == 4


def accuracy(gold, kinds):
    """Share of lines whose group is exactly one of people's."""
    groups = []
    for names in (gold, kinds):
        made = defaultdict(set)
        for at, name in enumerate(names):
            made[name].add(at)
        groups.append({frozenset(its) for its in made.values()})
    return sum(map(len, groups[0] & groups[1])) / len(gold)


def test_ten_systems_as_people_grouped_them(tmp_path):
    if not DATA.exists():
        pytest.skip(f"the recorded logs are not at {DATA}: set POINTSMAN_DATA")
    found = {}
    for system in SYSTEMS:
        out = tmp_path / f"{system}.csv"
        done = CliRunner().invoke(
            cli, ["evidence", "logs", "--in", str(DATA / f"{system}_2k.log"), "--out", str(out)]
        )
        assert done.exit_code == 0, done.output
        with (DATA / f"{system}_2k.labels.csv").open(encoding="utf-8") as file:
            gold = [row["EventId"] for row in csv.DictReader(file)]
        with out.open(encoding="utf-8") as file:
            told = list(csv.DictReader(file))
        assert [row["LineId"] for row in told] == [str(n) for n in range(1, len(gold) + 1)]
        found[system] = accuracy(gold, [row["EventId"] for row in told])
    assert sum(found.values()) / len(found) >= 0.92, found


def test_the_verb(tmp_path):
    path = tmp_path / "a.log.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"2026-01-01 10:00:00 INFO up\n2026-01-01 10:00:01 INFO \xff port 80\n" * 30)
    done = CliRunner().invoke(cli, ["evidence", "logs", "--in", str(path), "--json"])
    said = json.loads(done.stdout)
    assert (said["lines"], len(said["templates"])) == (60, 2)
    assert said["heading"] == ["number", "number", "level"]
    done = CliRunner().invoke(cli, ["evidence", "logs", "--in", str(path)])
    assert "up" in done.stdout
    path.write_bytes(path.read_bytes()[:40])
    done = CliRunner().invoke(cli, ["evidence", "logs", "--in", str(path)])
    assert "gzip" in str(done.exception)
    plain = tmp_path / "b.log"
    plain.write_text("x\n")
    done = CliRunner().invoke(
        cli, ["evidence", "logs", "--in", str(plain), "--out", str(tmp_path / "no" / "x.csv")]
    )
    assert "cannot be written" in str(done.exception)
