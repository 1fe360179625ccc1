"""Sums of a range, day by day: those that are kept where they say what is so, made anew else.

Which days can be taken from kept sums is decided here, day by day.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any

import msgspec

from pointsman.analytics.acceptance import Acceptance, AcceptanceJudge, OutcomeRow
from pointsman.domain.ports import Reports
from pointsman.domain.task import AcceptanceRule, Task

DAY_US = 86_400_000_000
FORM = 2  # from which on kept sums hold every part
_US_PER_H = 3_600_000_000
_TIMES = frozenset({"times", "by_times"})
_OF_FIRST_FORM = frozenset({"requests", "times", "steps", "failures"})


class Row(msgspec.Struct, frozen=True):
    """One row of sums, of requests from `start_us` on; on which `fate` is decided alike."""

    start_us: int
    columns: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.columns[name]


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests: admitted in [since_us, until_us), as known at now_us."""

    since_us: int
    until_us: int
    now_us: int
    tenant: str | None = None
    task: str | None = None


def rule_digests(tasks: Mapping[str, Task]) -> dict[str, str]:
    """What sums depend on of each task's rule; "" for requests of no task that is known.

    `otherwise` is no part of it: sums keep apart what no outcome decided.
    """
    rules = {name: task.acceptance for name, task in tasks.items()} | {"": AcceptanceRule()}
    return {
        name: sha256(
            msgspec.json.encode((rule.accepted, rule.rejected, rule.within_h))
        ).hexdigest()[:16]
        for name, rule in rules.items()
    }


class DayJudge:
    """What outcomes decide of a request, once and for all: undecided where they do not."""

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        """Raises: ConfigurationError where a task's acceptance rule cannot be read."""
        self._judges = {name: AcceptanceJudge(task.acceptance) for name, task in tasks.items()}
        self._default = AcceptanceJudge(AcceptanceRule())
        within = {name: judge.rule.within_h for name, judge in self._judges.items()}
        within[""] = self._default.rule.within_h
        self.windows: Mapping[str, int] = {
            name: round(hours * _US_PER_H) for name, hours in within.items()
        }

    def __call__(self, task: str | None, facts: Sequence[Mapping[str, Any]]) -> str:
        """Of outcomes that came in time, in their order."""
        judge = self._judges.get(task or "", self._default)
        outcomes = [
            OutcomeRow(
                at_us=0, outcome=fact["outcome"], value=_value(fact["value"]), source=fact["source"]
            )
            for fact in facts
        ]
        said = judge.judge(outcomes, at_us=0, now_us=0)
        return "undecided" if said == "unknown" else said


def daily(
    reports: Reports,
    tasks: Mapping[str, Task],
    asked: Range,
    *,
    parts: Sequence[str],
    dimensions: Sequence[str] = (),
) -> tuple[list[Row], int]:
    """The rows of sums of a range, and how many days of it were kept ones.

    The rest is summed up now; rows of one day may come in several pieces.
    Raises: ConfigurationError where a task's acceptance rule cannot be read.
    """
    of_first = not set(parts) - _OF_FIRST_FORM
    days = _fresh(reports, tasks, asked, form=1 if of_first else FORM)
    span = {"tenant": asked.tenant, "task": asked.task}
    rows: list[Row] = []
    if days:
        bounds = {"since_day": min(days), "until_day": max(days) + 1, "days": sorted(days)}
        wanted = {**bounds, **span, "dimensions": tuple(dimensions)}
        several = tuple({*parts, "requests"} - _TIMES)
        kept = list(reports.query("rollups", {**wanted, "parts": several}))
        times = tuple(_TIMES.intersection(parts))
        if times:  # by themselves: a row for each bucket would be most of the rows
            kept += reports.query("rolled_times", {**wanted, "parts": times})
        days -= {row["day"] for row in kept if _torn(row, tasks, asked.now_us)}
        rows = [
            Row(row["day"] * DAY_US, row)
            for row in kept
            if row["day"] in days and row["part"] in parts
        ]
    judge = DayJudge(tasks)
    for start_us, end_us in _pieces(days, tasks, asked):
        made = reports.sums(
            judge, since_us=start_us, until_us=end_us, known_us=asked.now_us, parts=parts,
            dimensions=dimensions, tenant=asked.tenant, task=asked.task,
        )  # fmt: skip
        rows += [Row(start_us, row) for row in made]
    return rows, len(days)


def fate(row: Row, tasks: Mapping[str, Task], now_us: int) -> Acceptance:
    """What the requests of a row of `requests` or `by` are, by now."""
    said = row["acceptance"]
    if said == "accepted" or said == "rejected":
        decided: Acceptance = said
        return decided
    if said != "undecided":
        return "unknown"
    rule = rule_of(tasks, row["task"])
    if row["status"] == "held":  # nothing was delivered in time
        return "rejected" if is_closed(rule, row.start_us, now_us) else "unknown"
    return closed(rule, row.start_us, now_us)


def closed(rule: AcceptanceRule, at_us: int, now_us: int) -> Acceptance:
    """What a request that no outcome decided is by now."""
    return rule.otherwise if is_closed(rule, at_us, now_us) else "unknown"


def is_closed(rule: AcceptanceRule, at_us: int, now_us: int) -> bool:
    """Whether outcomes of a request count no more."""
    return now_us > at_us + round(rule.within_h * _US_PER_H)


def rule_of(tasks: Mapping[str, Task], name: str | None) -> AcceptanceRule:
    """That of the task, or the default one."""
    task = tasks.get(name or "")
    return task.acceptance if task is not None else AcceptanceRule()


def _fresh(reports: Reports, tasks: Mapping[str, Task], asked: Range, *, form: int) -> set[int]:
    """Whole days of the range whose kept sums know everything."""
    bounds = {"since_day": -(-asked.since_us // DAY_US), "until_day": asked.until_us // DAY_US}
    rules, days = rule_digests(tasks), set()
    for row in reports.query("rolled_days", bounds):
        said = msgspec.json.decode(row["rules"], type=dict[str, str])
        same = all(rules.get(name, rules[""]) == rule for name, rule in said.items())
        if row["fresh"] and same and row["latest_us"] <= asked.now_us and row["form"] >= form:
            days.add(row["day"])
    return days


def _torn(row: Mapping[str, Any], tasks: Mapping[str, Task], now_us: int) -> bool:
    """True where the window of some undecided requests has closed and that of others has not."""
    if row["part"] != "requests" or row["acceptance"] != "undecided":
        return False
    rule, start_us = rule_of(tasks, row["task"]), row["day"] * DAY_US
    if rule.otherwise == "unknown" and row["status"] != "held":
        return False
    return is_closed(rule, start_us, now_us) != is_closed(rule, start_us + DAY_US, now_us)


def _pieces(days: set[int], tasks: Mapping[str, Task], asked: Range) -> Iterator[tuple[int, int]]:
    """What of the range is in none of the days, cut where a window closes."""
    rules = [task.acceptance for task in tasks.values()]
    edges = sorted(
        asked.now_us - round(rule.within_h * _US_PER_H)
        for rule in rules
        if rule.otherwise != "unknown"
    )
    for start_us, end_us in _gaps(days, asked.since_us, asked.until_us):
        cuts = [start_us, *(edge for edge in edges if start_us < edge < end_us), end_us]
        for one, other in pairwise(cuts):
            if one < other:
                yield one, other


def _gaps(days: set[int], since_us: int, until_us: int) -> list[tuple[int, int]]:
    """What of the range is in none of the days, in order."""
    gaps, start_us = [], since_us
    for day in sorted(days):
        if day * DAY_US > start_us:
            gaps.append((start_us, day * DAY_US))
        start_us = (day + 1) * DAY_US
    return [*gaps, (start_us, until_us)] if start_us < until_us else gaps


def _value(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)
