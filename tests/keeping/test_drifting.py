"""Streams of a journal watched for change: each fact counts once, alarms are written once."""

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "journal"))
from click.testing import CliRunner
from journal_facts import an_admission, an_attempt, an_end, an_outcome, write

from pointsman.analytics.drift.explaining import sentence
from pointsman.analytics.drift.streams import Judges, Value, values_of
from pointsman.analytics.drift.watch import Budget, Watch, WatchState
from pointsman.cli.drift import command
from pointsman.domain.errors import CheckFailed, NotFound
from pointsman.domain.ids import outcome_id, trace_id
from pointsman.domain.records import ConfigRecord, Failure, Record
from pointsman.domain.task import AcceptanceRule, DriftSettings, Task
from pointsman.journal import JournalReader, seal
from pointsman.journal.fresh import fresh_requests
from pointsman.keeping.drifting import alarms, watch, watched

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
START_US = 20_000 * DAY_US
CHANGE_US = START_US + 6 * DAY_US
TASKS = {
    "support": Task(name="support", route="plain"),
    "silent": Task(
        name="silent", route="plain",
        acceptance=AcceptanceRule(within_h=2, otherwise="accepted"),
    ),
}  # fmt: skip
SETTINGS = DriftSettings(reference=200)


def a_request(
    chance: random.Random, at_us: int, *, accepted: bool | None, task: str = "support",
    late_h: float = 1.0, **given: Any,
) -> list[Record]:  # fmt: skip
    trace = trace_id(at_us // 1000, chance.randbytes(10))
    failed = given.pop("failed", False)
    attempt = an_attempt(
        "main", model=given.pop("model", "large"), cost_usd_picos=given.pop("picos", 10**8),
        failure=Failure(kind="cut") if failed else None,
    )  # fmt: skip
    end = an_end(
        trace, at_us=at_us + 1_000_000, attempts=(attempt,), delivered=None if failed else 0,
        status="failed" if failed else "delivered", cost_usd_picos=attempt.cost_usd_picos,
    )  # fmt: skip
    made: list[Record] = [an_admission(trace, at_us=at_us, task=task, **given), end]
    if accepted is not None:
        said_us = at_us + 2_000_000 + round(chance.expovariate(1 / max(late_h, 1e-6)) * HOUR_US)
        said = "accepted" if accepted else "rejected"
        made.append(an_outcome(trace=trace, at_us=said_us, outcome=said,
                               id=outcome_id(said_us // 1000, chance.randbytes(10))))  # fmt: skip
    return made


def traffic(seed: int, *, days: int = 9, a_day: int = 150, change: bool = True) -> list[Record]:
    """Nine of ten accepted; from CHANGE_US on German answers mostly not."""
    chance = random.Random(seed)
    facts: list[Record] = [
        ConfigRecord(at_us=START_US, digest="c1", version="1",
                     text='{"deployments": {"main": {"model": "large"}}}'),
    ]  # fmt: skip
    if change:
        text = '{"deployments": {"main": {"model": "small"}}}'
        facts.append(ConfigRecord(at_us=CHANGE_US, digest="c2", version="1", text=text))
    for n in range(days * a_day):
        at_us = START_US + n * DAY_US // a_day
        swapped = change and at_us >= CHANGE_US
        language = chance.choice(("de", "en"))
        rate = 0.9 if not swapped else 0.3 if language == "de" else 0.85
        facts += a_request(
            chance, at_us, accepted=chance.random() < rate, tags={"language": language},
            config="c2" if swapped else "c1", model="small" if swapped else "large",
        )  # fmt: skip
    return sorted(facts, key=lambda fact: fact.at_us)


def look(root: Path, now_us: int, tasks: dict[str, Task] = TASKS) -> list[str]:
    return list(watch(root, tasks, SETTINGS, now_us=now_us))


def test_a_change_is_dated_placed_and_explained(tmp_path: Path) -> None:
    write(tmp_path, traffic(1))
    told = look(tmp_path, START_US + 10 * DAY_US)
    assert len(told) == 1
    with JournalReader(tmp_path) as reader:
        (found,) = alarms(reader)
    alarm = found.alarm
    assert told == [sentence(alarm)]
    assert (alarm.stream, alarm.direction) == ("support/accepted", "fell")
    assert abs(alarm.began_us - CHANGE_US) < DAY_US // 2
    assert alarm.moved
    assert "language = de" in alarm.moved[0].where
    assert (alarm.moved[0].before or 0) > 0.8 > alarm.moved[0].after
    assert any("deployment main: model large → small" in each for each in alarm.changes)
    assert any("model main: large → small" in each for each in alarm.changes)


def test_looking_often_finds_what_looking_once_does(tmp_path: Path) -> None:
    """And what is looked at again after a crash is written once."""
    facts = traffic(2, a_day=100)
    write(tmp_path / "once", facts)
    look(tmp_path / "once", START_US + 30 * DAY_US)
    state = tmp_path / "often" / "journal" / "drift.state"
    for at in range(0, len(facts), 900):
        part = facts[at : at + 900]
        write(tmp_path / "often", part)
        before = state.read_bytes() if state.exists() else None
        look(tmp_path / "often", part[-1].at_us + 1)
        if before is not None:  # killed after the alarms were written and before the state was
            state.write_bytes(before)
            look(tmp_path / "often", part[-1].at_us + 1)
        seal(tmp_path / "often")
    with JournalReader(tmp_path / "once") as one, JournalReader(tmp_path / "often") as other:
        first, second = alarms(one), alarms(other)
    assert len(first) == len(second) == 1
    assert first[0].alarm.id == second[0].alarm.id
    counts = [
        {each.stream: each.n for each in watched(tmp_path / name, SETTINGS).standing()}
        for name in ("once", "often")
    ]
    assert counts[0] == counts[1]


def test_streams_that_do_not_change_keep_the_budget() -> None:
    """Twelve runs of thirty days, eight streams each: alarms no more than one a run on average."""
    raised, runs = 0, 12
    for seed in range(runs):
        chance = random.Random(seed)
        seen = Watch(WatchState(), Budget(alarms=1.0, days=30.0, reference=100))
        for n in range(30 * 40):
            at_us = START_US + n * DAY_US // 40
            values = [
                Value(stream=f"t{k}/accepted", what="accepted", task=f"t{k}", at_us=at_us,
                      value=float(chance.random() < 0.5 + 0.06 * k), known_us=at_us, trace="t")
                for k in range(8)
            ]  # fmt: skip
            raised += len(seen.take(values))
        assert sum(each.expected_false for each in seen.standing()) <= 1.0 + 1e-9
    assert raised <= runs


def test_each_fact_is_a_value_once(tmp_path: Path) -> None:
    chance = random.Random(5)
    judges = Judges(TASKS)
    first = a_request(chance, START_US, accepted=None)
    trace = first[0].trace  # type: ignore[union-attr]
    write(tmp_path, first)

    def values(cursor: Any, last_us: int, now_us: int) -> tuple[list[tuple[str, float]], Any]:
        with JournalReader(tmp_path) as reader:
            rows, cursor, _ = fresh_requests(reader, cursor, since_us=0, most=1000,
                                             closing=judges.closing(last_us, now_us))  # fmt: skip
        found = values_of(rows, judges, last_us=last_us, now_us=now_us)
        return [(each.what, each.value) for each in found], cursor

    said, cursor = values({}, 0, START_US + HOUR_US)
    assert said == [("answered", 1.0), ("cost", pytest.approx(1e-4))]
    # told late, with a time before the last look: it counts by where it stands, not by its time
    write(tmp_path, [an_outcome(1, trace=trace, at_us=START_US + 1, outcome="accepted")])
    said, cursor = values(cursor, START_US + HOUR_US, START_US + 2 * HOUR_US)
    assert said == [("accepted", 1.0)]
    write(tmp_path, [an_outcome(2, trace=trace, at_us=START_US + 2, outcome="rejected")])
    assert values(cursor, START_US + 2 * HOUR_US, START_US + 3 * HOUR_US)[0] == []


def test_silence_counts_once_when_the_window_closes(tmp_path: Path) -> None:
    chance = random.Random(6)
    write(tmp_path, a_request(chance, START_US, accepted=None, task="silent"))
    look(tmp_path, START_US + HOUR_US)
    names = {each.stream for each in watched(tmp_path, SETTINGS).standing()}
    assert "silent/accepted" not in names
    for hours in (3, 4):
        look(tmp_path, START_US + hours * HOUR_US)
        counts = {each.stream: each.n for each in watched(tmp_path, SETTINGS).standing()}
        assert counts["silent/accepted"] == 1


def test_judges_and_verifiers_have_streams_and_judges_are_held_against_people(
    tmp_path: Path,
) -> None:
    chance = random.Random(7)
    facts = a_request(chance, START_US, accepted=None)
    trace = facts[0].trace  # type: ignore[union-attr]
    facts += [
        an_outcome(1, trace=trace, at_us=START_US + 5, outcome="verified", value=True,
                   source="verifier"),
        an_outcome(2, trace=trace, at_us=START_US + 6, outcome="judged", value=0.9,
                   source="judge:fair"),
        an_outcome(3, trace=trace, at_us=START_US + 7, outcome="label", value="reject",
                   source="rater:ada"),
    ]  # fmt: skip
    write(tmp_path, facts)
    look(tmp_path, START_US + HOUR_US)
    seen = watched(tmp_path, SETTINGS)
    assert list(seen.recent("support/verified by verifier")[1]) == [1.0]
    assert list(seen.recent("support/verified by judge:fair")[1]) == [0.9]
    assert list(seen.recent("support/agreement of judge:fair")[1]) == [0.0]


def test_costs_that_rise_are_told_in_dollars(tmp_path: Path) -> None:
    chance = random.Random(8)
    facts: list[Record] = []
    for n in range(900):
        at_us = START_US + n * HOUR_US // 10
        picos = round(10**8 * chance.lognormvariate(0, 0.4) * (2 if n >= 600 else 1))
        facts += a_request(chance, at_us, accepted=None, picos=picos)
    write(tmp_path, facts)
    look(tmp_path, START_US + 100 * HOUR_US)
    with JournalReader(tmp_path) as reader:
        (told,) = alarms(reader)
    assert told.alarm.stream == "support/cost"
    assert told.alarm.direction == "rose"
    assert (told.alarm.after or 0) / (told.alarm.before or 1) == pytest.approx(2, rel=0.4)


def test_a_state_that_cannot_be_read_is_learned_anew(tmp_path: Path) -> None:
    write(tmp_path, traffic(9, days=3, change=False))
    look(tmp_path, START_US + 4 * DAY_US)
    (tmp_path / "journal" / "drift.state").write_bytes(b"\xff\x00 no such thing")
    assert look(tmp_path, START_US + 4 * DAY_US) == []
    assert watched(tmp_path, SETTINGS).standing()


def _placed(words: tuple[str, ...], path: str) -> list[str]:
    """--config where the verb takes it."""
    verb = [word for word in words[:1] if not word.startswith("-")]
    return [*verb, "--config", path, *words[len(verb) :]]


def ask(folder: Path, *words: str) -> Any:
    return CliRunner().invoke(command, [*_placed(words, str(folder / "pointsman.yaml"))])


def test_the_verb_shows_and_takes_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = "deployments: {main: {base_url: 'http://127.0.0.1:9/v1', model: m}}\n"
    (tmp_path / "pointsman.yaml").write_text(config + "tasks: {support: {segments: [language]}}\n")
    facts = traffic(10)
    last_us = facts[-1].at_us
    monkeypatch.setattr("pointsman.app.SystemClock.now_us", lambda self: last_us + 1)
    write(tmp_path / ".pointsman", facts)
    done = ask(tmp_path, "check")
    assert isinstance(done.exception, CheckFailed)
    assert "language = de" in done.stdout
    said = json.loads(ask(tmp_path, "--json").stdout)
    (alarm,) = said["alarms"]
    assert {each["stream"] for each in said["streams"]} >= {"support/accepted", "support/cost"}
    name = alarm["alarm"]["id"]
    assert ask(tmp_path, "acknowledge", name, "--by", "ada", "--note", "known").exit_code == 0
    assert isinstance(ask(tmp_path, "acknowledge", "al_none").exception, NotFound)
    assert ask(tmp_path, "check").exit_code == 0
    shown = ask(tmp_path, "--all").stdout
    assert "noted   by ada: known" in shown
    pytest.importorskip("matplotlib")
    assert ask(tmp_path, "--plot", str(tmp_path / "d.svg")).exit_code == 0
    assert "</svg>" in (tmp_path / "d.svg").read_text()
