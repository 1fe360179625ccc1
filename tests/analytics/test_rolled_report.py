"""The report from sums of days equals the one from every request, in counts, rates and costs."""

import random
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "journal"))
from journal_days import DAY_US, FIRST_DAY, days
from journal_facts import an_admission, an_attempt, an_end, an_outcome, write

from pointsman.analytics.daily import DayJudge, rule_digests
from pointsman.analytics.report import Group, Report, build_report
from pointsman.analytics.rolled import build_rolled_report
from pointsman.domain.ids import trace_id
from pointsman.domain.records import End, ReviewRecord
from pointsman.domain.reviews import later_delivered, later_status
from pointsman.domain.task import AcceptanceRule, Task
from pointsman.domain.verdict import Screening
from pointsman.journal import JournalReader, roll_up, seal

TASKS = {
    "support": Task(name="support", route="thrifty"),
    "ticket": Task(
        name="ticket",
        route="plain",
        acceptance=AcceptanceRule(
            accepted="outcome.kind == 'seen'",
            rejected="outcome.kind == 'edited'",
            within_h=2,
            otherwise="accepted",
        ),
    ),
}
END_US = (FIRST_DAY + 3) * DAY_US
LATER_US = END_US + 30 * DAY_US


def roll_all(root: Path, tasks: dict[str, Task] = TASKS, *, today: int = FIRST_DAY + 3) -> int:
    rolled = 0
    judge, rules = DayJudge(tasks), rule_digests(tasks)
    while roll_up(root, judge=judge, rules=rules, today=today).state == "rolled up":
        rolled += 1
    return rolled


def both(reader: JournalReader, **given: Any) -> tuple[Report, Report]:
    span = {
        "tasks": TASKS, "since_us": FIRST_DAY * DAY_US, "until_us": END_US, "now_us": LATER_US,
        **given,
    }  # fmt: skip
    return build_report(reader, **span), build_rolled_report(reader, **span)


GROUPS = get_args(Group)


def check_equal(exact: Report, rolled: Report) -> None:
    assert [task.task for task in exact.tasks] == [task.task for task in rolled.tasks]
    for one, other in zip(exact.tasks, rolled.tasks, strict=True):
        assert (one.rule, one.failures, one.unpriced, one.configs) == (
            other.rule,
            other.failures,
            other.unpriced,
            other.configs,
        )
        pairs = [(one.total, other.total)]
        for a, b in zip(one.groups, other.groups, strict=True):
            assert a.name == b.name
            if exact.group == "route":
                assert a.steps == b.steps
            pairs.append((a.figures, b.figures))
        for c, d in zip(one.singles, other.singles, strict=True):
            assert c.deployment == d.deployment
            pairs.append((c.figures, d.figures))
        for this, that in pairs:
            check_figures(this, that)


def check_figures(this: Any, that: Any) -> None:
    for name in ("requests", "ended", "cancelled", "known", "accepted"):
        assert getattr(this, name) == getattr(that, name), name
    assert that.spend_usd == pytest.approx(this.spend_usd)
    for bound in ("value", "low", "high"):
        check_close(this.cost_per_accepted_usd, that.cost_per_accepted_usd, bound, rel=1e-6)
        for name in ("total_ms_p50", "total_ms_p95", "first_byte_ms_p95", "held_ms_p50"):
            check_close(getattr(this, name), getattr(that, name), bound, rel=0.023)


def check_close(this: Any, that: Any, bound: str, *, rel: float) -> None:
    one, other = getattr(this, bound), getattr(that, bound)
    if one is None or other is None:
        assert one is other
    else:
        assert other == pytest.approx(one, rel=rel)


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_days_give_the_same_report(tmp_path: Path, seed: int) -> None:
    write(tmp_path, days(seed, count=3, requests_a_day=120))
    seal(tmp_path)
    assert roll_all(tmp_path) == 3
    assert roll_all(tmp_path) == 0
    with JournalReader(tmp_path) as reader:
        exact, rolled = both(reader)
        assert rolled.rolled_days == 3
        check_equal(exact, rolled)
        check_equal(*both(reader, tenant="acme"))
        check_equal(*both(reader, task="ticket"))
        for group in GROUPS:
            check_equal(*both(reader, group=group))


def test_edges_of_a_range_are_read_request_by_request(tmp_path: Path) -> None:
    write(tmp_path, days(4, count=3))
    seal(tmp_path)
    roll_all(tmp_path)
    with JournalReader(tmp_path) as reader:
        half = {"since_us": FIRST_DAY * DAY_US + DAY_US // 2, "until_us": END_US - DAY_US // 3}
        exact, rolled = both(reader, **half)
        assert rolled.rolled_days == 1
        check_equal(exact, rolled)
        for group in GROUPS:
            check_equal(*both(reader, group=group, **half))


def test_late_outcomes_reopen_the_day(tmp_path: Path) -> None:
    facts = list(days(5, count=3))
    write(tmp_path, facts)
    seal(tmp_path)
    roll_all(tmp_path)
    first = next(fact for fact in facts if getattr(fact, "trace", "").startswith("tr_"))
    late = an_outcome(trace=first.trace, at_us=first.at_us + 1, outcome="rejected", id="oc_late")
    with JournalReader(tmp_path) as reader:
        write(tmp_path, [late])  # not sealed: its day is read request by request at once
        exact, rolled = both(reader)
        assert rolled.rolled_days == 2
        check_equal(exact, rolled)
        seal(tmp_path)
        assert both(reader)[1].rolled_days == 2
        assert roll_all(tmp_path) == 1
        exact, rolled = both(reader)
        assert rolled.rolled_days == 3
        check_equal(exact, rolled)


def test_another_acceptance_rule_rolls_up_anew(tmp_path: Path) -> None:
    write(tmp_path, days(6, count=2))
    seal(tmp_path)
    roll_all(tmp_path)
    other = {**TASKS, "support": Task(name="support", route="thrifty", acceptance=AcceptanceRule(
        accepted="outcome.kind == 'seen'"))}  # fmt: skip
    with JournalReader(tmp_path) as reader:
        exact, rolled = both(reader, tasks=other)
        assert rolled.rolled_days == 0
        check_equal(exact, rolled)
        assert roll_all(tmp_path, other) == 2
        exact, rolled = both(reader, tasks=other)
        assert rolled.rolled_days == 2
        check_equal(exact, rolled)


def test_a_day_whose_windows_are_half_closed_is_read_request_by_request(tmp_path: Path) -> None:
    write(tmp_path, days(7, count=1, within_h=0))
    seal(tmp_path)
    roll_all(tmp_path)
    with JournalReader(tmp_path) as reader:
        noon = FIRST_DAY * DAY_US + DAY_US // 2
        exact, rolled = both(reader, now_us=noon)
        assert rolled.rolled_days == 0
        check_equal(exact, rolled)


def test_a_day_that_is_not_over_is_not_rolled_up(tmp_path: Path) -> None:
    write(tmp_path, days(8, count=2, within_h=0))
    seal(tmp_path)
    assert roll_all(tmp_path, today=FIRST_DAY + 1) == 1


def test_one_key_of_two_requests_is_one_fact_in_sums_too(tmp_path: Path) -> None:
    chance = random.Random(9)
    ids = [trace_id((FIRST_DAY * DAY_US) // 1000 + n, chance.randbytes(10)) for n in range(2)]
    facts = [an_admission(each, at_us=FIRST_DAY * DAY_US + n * 1000) for n, each in enumerate(ids)]
    at_us = FIRST_DAY * DAY_US + 10_000
    said = [an_outcome(n, trace=each, at_us=at_us + n, key="k") for n, each in enumerate(ids)]
    write(tmp_path, [*facts, *said])
    seal(tmp_path)
    roll_all(tmp_path)
    with JournalReader(tmp_path) as reader:
        check_equal(*both(reader))


def with_held(facts: list[Any], seed: int) -> tuple[list[Any], list[Any]]:
    """The same days, some answers held by a policy; and what people and clients did later."""
    chance, given, reviews = random.Random(seed), [], []
    for fact in facts:
        held = isinstance(fact, End) and chance.random() < 0.3 and fact.status != "cancelled"
        if not held:
            given.append(fact)
            continue
        screened = [
            msgspec.structs.replace(
                each, policy=Screening(verdict=chance.choice(("hold", "allow")))
            )
            for each in fact.attempts
        ]
        given.append(
            msgspec.structs.replace(
                fact, status="refused", http_status=202, error="answer_held", delivered=None,
                attempts=tuple(screened),
            )
        )  # fmt: skip
        came = chance.choice(([], ["approved"], ["approved", "delivered"], ["rejected"],
                              ["waiting", "edited", "delivered", "delivered"]))  # fmt: skip
        reviews += [
            ReviewRecord(
                id=f"held_{fact.trace}", at_us=fact.at_us + 1000 * at, trace=fact.trace,
                tenant="default", by="ada", action="x", status=status,
            )
            for at, status in enumerate(came, 1)
        ]  # fmt: skip
    return given, reviews


@pytest.mark.parametrize("seed", range(3))
def test_held_answers_count_by_what_became_of_them(tmp_path: Path, seed: int) -> None:
    facts, reviews = with_held(list(days(seed, count=3, requests_a_day=100)), seed)
    early = len(reviews) // 2
    write(tmp_path, [*facts, *reviews[:early]])
    seal(tmp_path)
    roll_all(tmp_path)
    with JournalReader(tmp_path) as reader:
        before, rolled = both(reader)
        check_equal(before, rolled)
        assert rolled.rolled_days == 3
    write(tmp_path, reviews[early:])
    with JournalReader(tmp_path) as reader:  # days that a review was about are read anew
        check_equal(*both(reader))
    seal(tmp_path)
    assert roll_all(tmp_path) > 0
    with JournalReader(tmp_path) as reader:
        after, rolled = both(reader)
        assert rolled.rolled_days == 3
        check_equal(after, rolled)
        for now_us in (END_US - DAY_US, END_US + 3_600_000_000, END_US + 3 * 3_600_000_000):
            check_equal(*both(reader, now_us=now_us))
        said = {row["trace"]: row for row in reader.query("requests")}
    known = [sum(task.total.known for task in report.tasks) for report in (before, after)]
    assert known[1] <= known[0]  # what nobody fetched in time is rejected: nothing was delivered
    accepted = [
        sum(round((task.total.accepted.value or 0) * task.total.known) for task in report.tasks)
        for report in (before, after)
    ]
    assert accepted[1] > accepted[0]
    by_trace: dict[str, list[ReviewRecord]] = {}
    for review in reviews:
        by_trace.setdefault(review.trace, []).append(review)
    for end in (fact for fact in facts if isinstance(fact, End)):
        told = by_trace.get(end.trace, [])
        row = said[end.trace]
        assert row["status"] == later_status(end, told)
        assert row["delivered"] == later_delivered(end, told)


def test_a_held_answer_is_not_known_until_its_window_closes(tmp_path: Path) -> None:
    at_us = FIRST_DAY * DAY_US
    trace = trace_id(at_us // 1000, bytes(10))
    end = an_end(
        trace, at_us=at_us + 5, status="refused", http_status=202, error="answer_held",
        attempts=(an_attempt(cost_usd_picos=7),), cost_usd_picos=7,
    )  # fmt: skip
    write(tmp_path, [an_admission(trace, at_us=at_us, task="ticket"), end])
    with JournalReader(tmp_path) as reader:
        for late_us, known in ((3_600_000_000, 0), (3 * 3_600_000_000, 1)):
            exact, _ = both(reader, now_us=at_us + late_us)
            total = exact.tasks[0].total
            assert (total.known, total.ended) == (known, 1)
        assert total.accepted.value == 0  # whatever `otherwise` says: nothing was delivered
