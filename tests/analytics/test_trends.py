"""Cohorts, the waterfall behind a cost, versions compared like with like, and what changed."""

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "journal"))
from journal_days import DAY_US, FIRST_DAY, days
from journal_facts import an_admission, an_attempt, an_end, an_outcome, write

from pointsman.analytics.daily import DayJudge, Range, rule_digests
from pointsman.analytics.marks import around, configuration_marks
from pointsman.analytics.report import build_report
from pointsman.analytics.trend import build_trend
from pointsman.analytics.trend_text import render_trend, render_versions, render_waterfall
from pointsman.analytics.versions import compare_versions
from pointsman.domain.errors import UsageError
from pointsman.domain.ids import trace_id
from pointsman.domain.records import ConfigRecord, End, OutcomeRecord, Record
from pointsman.domain.task import Task
from pointsman.journal import JournalReader, iter_records, roll_up, seal

TASKS = {"support": Task(name="support", route="thrifty"), "ticket": Task(name="t", route="p")}
END_US = (FIRST_DAY + 3) * DAY_US


def a_range(*, now_us: int = END_US + 30 * DAY_US, **given: Any) -> Range:
    return Range(since_us=FIRST_DAY * DAY_US, until_us=END_US, now_us=now_us, **given)


def roll_all(root: Path) -> None:
    judge, rules = DayJudge(TASKS), rule_digests(TASKS)
    while roll_up(root, judge=judge, rules=rules, today=FIRST_DAY + 9).state == "rolled up":
        pass


@pytest.mark.parametrize("kept", ["raw", "rolled up"])
def test_cohorts_add_up_to_the_report_and_parts_to_the_cost(tmp_path: Path, kept: str) -> None:
    write(tmp_path, days(11, count=3, requests_a_day=80))
    if kept == "rolled up":
        seal(tmp_path)
        roll_all(tmp_path)
    with JournalReader(tmp_path) as reader:
        report = build_report(
            reader, tasks=TASKS, since_us=FIRST_DAY * DAY_US, until_us=END_US,
            now_us=END_US + 30 * DAY_US,
        )  # fmt: skip
        trend = build_trend(reader, TASKS, a_range(), usd_per_look=0.5)
    assert trend.rolled_days == (3 if kept == "rolled up" else 0)
    assert [each.task for each in trend.tasks] == [each.task for each in report.tasks]
    for one, other in zip(report.tasks, trend.tasks, strict=True):
        cohorts = other.total.cohorts
        assert [each.start_us // DAY_US - FIRST_DAY for each in cohorts] == [0, 1, 2]
        assert sum(each.figures.requests for each in cohorts) == one.total.requests
        assert other.total.total.accepted == one.total.accepted
        made = other.total.waterfall
        assert made.cost_per_accepted_usd.value == pytest.approx(
            one.total.cost_per_accepted_usd.value
        )
        parts = {part.name: part.usd_per_accepted or 0 for part in made.parts}
        assert sum(parts.values()) == pytest.approx(made.all_in_usd)
        own = sum(parts[name] for name in ("answers", "not accepted", "steps", "retries"))
        assert own == pytest.approx(one.total.cost_per_accepted_usd.value)
        assert parts["verification"] > 0
        assert parts["review"] > 0


def test_what_judging_cost_is_in_the_waterfall_whatever_it_said(tmp_path: Path) -> None:
    facts = list(days(12, count=1, requests_a_day=100))
    write(tmp_path, facts)
    judged = {each.trace: 0 for each in facts if isinstance(each, End)}
    for each in iter_records(tmp_path):
        if isinstance(each, OutcomeRecord) and each.trace in judged:
            judged[each.trace] += each.cost_usd_picos
    with JournalReader(tmp_path) as reader:
        trend = build_trend(reader, TASKS, a_range())
        rows = reader.query("requests")
    known = {row["trace"]: row["status"] for row in rows if row["status"] is not None}
    spent = sum(each.total.waterfall.parts[4].usd for each in trend.tasks)
    # every request of which nothing is known yet is outside, as in the cost per accepted
    assert 0 < spent <= sum(judged[trace] for trace in known) / 1e12


def test_an_open_cohort_says_how_much_is_reported(tmp_path: Path) -> None:
    write(tmp_path, days(13, count=3, requests_a_day=60))
    with JournalReader(tmp_path) as reader:
        trend = build_trend(reader, TASKS, a_range(now_us=END_US))
        later = build_trend(reader, TASKS, a_range())
    support = next(each for each in trend.tasks if each.task == "support")
    assert not any(each.closed for each in support.total.cohorts)
    assert all(0 < (each.reported or 0) < 1 for each in support.total.cohorts)
    assert "% reported" in render_trend(trend)
    assert all(each.closed for task in later.tasks for each in task.total.cohorts)


def test_weeks_begin_on_monday(tmp_path: Path) -> None:
    write(tmp_path, days(14, count=9, requests_a_day=10))  # day 20,000 is a Thursday
    with JournalReader(tmp_path) as reader:
        asked = Range(since_us=0, until_us=2**60, now_us=END_US)
        trend = build_trend(reader, TASKS, asked, period="week", group="route")
    starts = [each.start_us // DAY_US for each in trend.tasks[0].total.cohorts]
    # 1970-01-01 was a Thursday: Mondays are the days that leave 4 over
    assert [start % 7 for start in starts] == [4, 4]
    assert {each.name for each in trend.tasks[0].series} == {"thrifty", "plain"}
    assert render_waterfall(trend).count("all in") == 2 * len(trend.tasks)


def of_version(
    chance: random.Random, day: int, prompt: str, segment: str, rate: float, n: int
) -> list[Record]:
    found: list[Record] = []
    for _ in range(n):
        at_us = (FIRST_DAY + day) * DAY_US + chance.randrange(DAY_US)
        trace = trace_id(at_us // 1000, chance.randbytes(10))
        said = "accepted" if chance.random() < rate else "rejected"
        attempt = an_attempt("small", cost_usd_picos=10**9)
        found += [
            an_admission(trace, at_us=at_us, prompt=prompt, tags={"language": segment}),
            an_end(trace, at_us=at_us + 1, attempts=(attempt,), delivered=0,
                   cost_usd_picos=10**9),
            an_outcome(trace=trace, at_us=at_us + 2, outcome=said, id=f"oc_{trace}"),
        ]  # fmt: skip
    return found


def test_versions_are_compared_on_requests_that_are_alike(tmp_path: Path) -> None:
    """The new prompt is worse in each language, and looks better: it got the easy one."""
    chance = random.Random(3)
    write(
        tmp_path,
        [
            *of_version(chance, 0, "p@v1#aa", "en", 0.90, 150),
            *of_version(chance, 0, "p@v2#bb", "en", 0.80, 600),
            *of_version(chance, 0, "p@v1#aa", "de", 0.50, 600),
            *of_version(chance, 0, "p@v2#bb", "de", 0.35, 150),
        ],
    )
    with JournalReader(tmp_path) as reader:
        found = compare_versions(reader, TASKS, a_range(), group="prompt", a="p@v1", b="p@v2")
        with pytest.raises(UsageError, match="no request was served"):
            compare_versions(reader, TASKS, a_range(), group="prompt", a="p@v3", b="p@v2")
        with pytest.raises(UsageError, match="2 values of prompt begin"):
            compare_versions(reader, TASKS, a_range(), group="prompt", a="p@v", b="p@v2")
    (task,) = found.tasks
    assert task.plain_b is not None
    assert task.plain_a is not None
    assert task.plain_b > task.plain_a
    assert task.verdict.verdict == "worse"
    assert task.held == "day"
    assert (task.compared.cost_ratio.value or 0) > 1
    assert "worse" in render_versions(found)


def test_versions_without_a_day_in_common_say_so(tmp_path: Path) -> None:
    chance = random.Random(4)
    write(
        tmp_path,
        [
            *of_version(chance, 0, "p@v1", "en", 0.9, 100),
            *of_version(chance, 1, "p@v2", "en", 0.5, 100),
        ],
    )
    with JournalReader(tmp_path) as reader:
        found = compare_versions(reader, TASKS, a_range(), group="prompt", a="p@v1", b="p@v2")
    assert found.tasks[0].held == "weekday"
    assert "share no day" in render_versions(found)


def a_config(at_us: int, digest: str, **sections: Any) -> dict[str, Any]:
    return {"at_us": at_us, "digest": digest, "version": "1", "text": json.dumps(sections)}


def test_marks_name_what_a_configuration_changed() -> None:
    small, large = {"model": "qwen3-0.6b"}, {"model": "qwen3-8b"}
    marks = configuration_marks(
        [
            a_config(30, "c", deployments={"main": small}, prompts={"p@v2": {}}),
            a_config(10, "a", deployments={"main": large, "old": {}}),
            a_config(20, "a", deployments={"main": large, "old": {}}),
        ]
    )
    said = [(mark.kind, mark.name, mark.what) for mark in marks]
    assert said == [
        ("deployment", "main", "model qwen3-8b → qwen3-0.6b"),
        ("deployment", "old", "removed"),
        ("prompt", "p@v2", "added"),
    ]
    assert {mark.at_us for mark in marks} == {30}
    assert around(marks, 35, before_us=3, after_us=9) == ()
    assert configuration_marks([a_config(1, "a")]) == ()


def test_a_trend_shows_when_a_model_changed_behind_its_name(tmp_path: Path) -> None:
    facts: list[Record] = [ConfigRecord(at_us=1, digest="a", version="1", text="{}")]
    for day, model in ((0, "large"), (1, "large"), (2, "small")):
        at_us = (FIRST_DAY + day) * DAY_US
        trace = trace_id(at_us // 1000, bytes(10))
        attempt = an_attempt("main", model=model)
        facts += [an_admission(trace, at_us=at_us),
                  an_end(trace, at_us=at_us + 1, attempts=(attempt,), delivered=0)]  # fmt: skip
    write(tmp_path, facts)
    with JournalReader(tmp_path) as reader:
        trend = build_trend(reader, TASKS, a_range())
    (mark,) = trend.marks
    assert (mark.kind, mark.name, mark.what) == ("model", "main", "large → small")
    assert mark.at_us // DAY_US == FIRST_DAY + 2
    assert "model main: large → small" in render_trend(trend)
