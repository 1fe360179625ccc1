"""The report of a long range from the sums of its days, and of the rest request by request.

Counts, rates and costs are those of the exact report; times come from buckets and are off by
2.2 % at most. Which days can be taken from sums is decided here, day by day.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from pointsman.analytics.acceptance import Acceptance, AcceptanceJudge, OutcomeRow
from pointsman.analytics.report import GroupReport, Report, TaskReport, judged_requests
from pointsman.analytics.tallies import (
    StepTally,
    Tally,
    failures_of,
    moments_of,
    singles_of,
    tally_of,
    unpriced_of,
)
from pointsman.domain.ports import Reports
from pointsman.domain.task import AcceptanceRule, Task

DAY_US = 86_400_000_000
_US_PER_H = 3_600_000_000
_Tallies = dict[str, dict[str, Tally]]  # by task and route


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

    def __call__(self, task: str | None, at_us: int, facts: Sequence[Mapping[str, Any]]) -> str:
        judge = self._judges.get(task or "", self._default)
        outcomes = [OutcomeRow.of(fact) for fact in facts]
        end_us = at_us + round(judge.rule.within_h * _US_PER_H)
        said = judge.judge(outcomes, at_us=at_us, now_us=end_us)
        return "undecided" if said == "unknown" else said


def build_rolled_report(
    reports: Reports,
    *,
    tasks: Mapping[str, Task],
    since_us: int,
    until_us: int,
    now_us: int,
    tenant: str | None = None,
    task: str | None = None,
    level: float = 0.95,
) -> Report:
    """`build_report` by route, with whole days taken from their sums where those are in force.

    Raises: ConfigurationError where a task's acceptance rule cannot be read.
    """
    span = {"tenant": tenant, "task": task}
    days, rows = _usable(reports, tasks, since_us, until_us, now_us, span)
    found: _Tallies = {}
    for row in rows:
        if row["day"] in days:
            _take(found, row, tasks, now_us)
    for start_us, end_us in _gaps(days, since_us, until_us):
        part = {"since_us": start_us, "until_us": end_us, "tenant": tenant}
        groups: dict[tuple[str, str], list[Any]] = {}
        for request in judged_requests(reports, tasks, part, now_us, task=task):
            key = (request.task or "", str(request.columns["route"] or ""))
            groups.setdefault(key, []).append(request)
        for (name, route), requests in groups.items():
            _of(found, name, route).add(tally_of(requests))
    return Report(
        since_us=since_us,
        until_us=until_us,
        now_us=now_us,
        group="route",
        level=level,
        tasks=tuple(
            _task(name, found[name], known=name in tasks, level=level) for name in sorted(found)
        ),
        rolled_days=len(days),
    )


def _usable(
    reports: Reports,
    tasks: Mapping[str, Task],
    since_us: int,
    until_us: int,
    now_us: int,
    span: Mapping[str, Any],
) -> tuple[set[int], Sequence[Mapping[str, Any]]]:
    """Whole days of the range whose sums say what the exact report would, and all sums."""
    bounds = {"since_day": -(-since_us // DAY_US), "until_day": until_us // DAY_US}
    rules, days = rule_digests(tasks), set()
    for row in reports.query("rolled_days", bounds):
        said = msgspec.json.decode(row["rules"], type=dict[str, str])
        same = all(rules.get(name, rules[""]) == rule for name, rule in said.items())
        if row["fresh"] and same and row["latest_us"] <= now_us:
            days.add(row["day"])
    rows = reports.query("rollups", {**bounds, **span, "days": sorted(days)}) if days else []
    torn = {row["day"] for row in rows if _torn(row, tasks, now_us)}
    return days - torn, rows


def _torn(row: Mapping[str, Any], tasks: Mapping[str, Task], now_us: int) -> bool:
    """True where the window of some undecided requests has closed and that of others has not."""
    if row["part"] != "requests" or row["acceptance"] != "undecided":
        return False
    rule, start_us = _rule(tasks, row["task"]), row["day"] * DAY_US
    return _closed(rule, start_us, now_us) != _closed(rule, start_us + DAY_US, now_us)


def _gaps(days: set[int], since_us: int, until_us: int) -> list[tuple[int, int]]:
    """What of the range is in none of the days, in order."""
    gaps, start_us = [], since_us
    for day in sorted(days):
        if day * DAY_US > start_us:
            gaps.append((start_us, day * DAY_US))
        start_us = (day + 1) * DAY_US
    return [*gaps, (start_us, until_us)] if start_us < until_us else gaps


def _take(found: _Tallies, row: Mapping[str, Any], tasks: Mapping[str, Task], now_us: int) -> None:
    tally = _of(found, row["task"] or "", row["route"] or "")
    match row["part"]:
        case "requests":
            fate = _fate(row, tasks, now_us)
            tally.requests += row["n"]
            tally.ended += row["n"] if row["status"] is not None else 0
            tally.cancelled += row["n"] if row["status"] == "cancelled" else 0
            tally.accepted += row["n"] if fate == "accepted" else 0
            tally.rejected += row["n"] if fate == "rejected" else 0
            tally.picos += row["picos"]
            if fate != "unknown" or row["status"] == "cancelled":
                tally.moments = tally.moments + moments_of(fate == "accepted", row)
        case "times":
            tally.times.setdefault(row["metric"], Counter())[row["ms"]] += row["n"]
        case "steps":
            later = _closed(_rule(tasks, row["task"]), row["day"] * DAY_US, now_us)
            names = ("reached", "failed", "passed", "escalated", "gated", "gave", "tokens", "picos")
            step = StepTally(
                **{name: row[name] for name in names},
                gave_accepted=row["gave_accepted"]
                + (row["gave_undecided"] if later == "accepted" else 0),
                gave_rejected=row["gave_rejected"]
                + (row["gave_undecided"] if later == "rejected" else 0),
            )
            tally.steps.setdefault((row["step"], row["deployment"]), StepTally()).add(step)
        case "failures":
            tally.failures[row["deployment"], row["failure_kind"]] += row["n"]


def _fate(row: Mapping[str, Any], tasks: Mapping[str, Task], now_us: int) -> Acceptance:
    said = row["acceptance"]
    if said == "accepted" or said == "rejected":
        fate: Acceptance = said
        return fate
    if said != "undecided":
        return "unknown"
    return _closed(_rule(tasks, row["task"]), row["day"] * DAY_US, now_us)


def _closed(rule: AcceptanceRule, at_us: int, now_us: int) -> Acceptance:
    """What a request that no outcome decided is by now."""
    return rule.otherwise if now_us > at_us + round(rule.within_h * _US_PER_H) else "unknown"


def _rule(tasks: Mapping[str, Task], name: str | None) -> AcceptanceRule:
    task = tasks.get(name or "")
    return task.acceptance if task is not None else AcceptanceRule()


def _of(found: _Tallies, task: str, route: str) -> Tally:
    return found.setdefault(task, {}).setdefault(route, Tally())


def _task(name: str, routes: Mapping[str, Tally], *, known: bool, level: float) -> TaskReport:
    total = Tally()
    for tally in routes.values():
        total.add(tally)
    return TaskReport(
        task=name,
        rule="task" if known else "default",
        total=total.figures(level=level),
        groups=tuple(
            GroupReport(
                name=route,
                figures=routes[route].figures(level=level),
                steps=routes[route].step_figures(level=level),
            )
            for route in sorted(routes)
        ),
        singles=singles_of(routes, level=level),
        failures=failures_of(total),
        unpriced=unpriced_of(total),
    )
