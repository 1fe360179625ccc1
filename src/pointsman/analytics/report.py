"""The report of a time range: per task and group, what was accepted, at what cost, how fast."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from pointsman.analytics.acceptance import AcceptanceJudge, OutcomeRow
from pointsman.analytics.figures import Figures, JudgedRequest, figures
from pointsman.analytics.quality import TaskQuality
from pointsman.analytics.steps import (
    FailureCount,
    SingleFigures,
    StepFigures,
    failures,
    singles,
    steps,
    unpriced,
)
from pointsman.domain.ports import Reports
from pointsman.domain.records import Attempt
from pointsman.domain.task import AcceptanceRule, Task

Group = Literal[
    "route", "prompt", "config", "tenant", "principal", "asked", "deployment", "policy", "segment"
]


class GroupReport(msgspec.Struct, frozen=True, kw_only=True):
    """The requests of a task with one value of the column that the report groups by."""

    name: str  # empty where the column is
    figures: Figures
    steps: tuple[StepFigures, ...]


class ConfigShare(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests of a task ran under one configuration."""

    digest: str
    requests: int


class TaskReport(msgspec.Struct, frozen=True, kw_only=True):
    """One task, whole, by group, and by deployments that answered alone."""

    task: str  # empty: requests that named a route or a deployment and no task
    rule: Literal["task", "default"]  # default: the configuration has no such task any more
    total: Figures
    groups: tuple[GroupReport, ...]
    singles: tuple[SingleFigures, ...]
    failures: tuple[FailureCount, ...]
    unpriced: tuple[str, ...]  # deployments whose tokens cost nothing: spend leaves them out
    configs: tuple[ConfigShare, ...] = ()  # those its requests ran under, the most first


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Requests admitted in [since_us, until_us), judged by what was known at now_us."""

    since_us: int
    until_us: int
    now_us: int
    group: Group
    level: float
    tasks: tuple[TaskReport, ...]
    rolled_days: int = 0  # taken from their sums: times of those are off by 2.2 % at most
    quality: tuple[TaskQuality, ...] = ()  # of tasks that judges or people looked at


def build_report(
    reports: Reports,
    *,
    tasks: Mapping[str, Task],
    since_us: int,
    until_us: int,
    now_us: int,
    group: Group = "route",
    tenant: str | None = None,
    task: str | None = None,
    level: float = 0.95,
) -> Report:
    """The report of the requests admitted in [since_us, until_us), of one tenant or of all.

    Outcomes are read up to `now_us`, whenever they came: they belong to their request's time.
    Two reports of one journal with equal arguments are equal.
    Raises: ConfigurationError where a task's acceptance rule cannot be read.
    """
    span = {"since_us": since_us, "until_us": until_us, "tenant": tenant}
    found = judged_requests(reports, tasks, span, now_us, task=task)
    by_task: dict[str, list[JudgedRequest]] = {}
    for request in found:
        by_task.setdefault(request.task or "", []).append(request)
    return Report(
        since_us=since_us,
        until_us=until_us,
        now_us=now_us,
        group=group,
        level=level,
        tasks=tuple(
            _task(name, by_task[name], known=name in tasks, group=group, level=level)
            for name in sorted(by_task)
        ),
    )


def _task(
    name: str, requests: Sequence[JudgedRequest], *, known: bool, group: Group, level: float
) -> TaskReport:
    groups: dict[str, list[JudgedRequest]] = {}
    for request in requests:
        groups.setdefault(_name(request, group), []).append(request)
    return TaskReport(
        task=name,
        rule="task" if known else "default",
        total=figures(requests, level=level),
        groups=tuple(
            GroupReport(
                name=key,
                figures=figures(groups[key], level=level),
                steps=steps(groups[key], level=level),
            )
            for key in sorted(groups)
        ),
        singles=singles(requests, level=level),
        failures=failures(requests),
        unpriced=unpriced(requests),
        configs=config_shares(Counter(str(each.columns["config"] or "") for each in requests)),
    )


def _name(request: JudgedRequest, group: Group) -> str:
    if group == "policy" and not request.columns["policy"] and request.deployment is not None:
        gave = request.attempts[request.delivered or 0]
        return ", ".join(gave.policy.policies) if gave.policy is not None else ""
    return str(request.columns[group] or "")


def config_shares(counts: Mapping[str, int]) -> tuple[ConfigShare, ...]:
    """The shares by how many, then by digest."""
    return tuple(
        ConfigShare(digest=digest, requests=counts[digest])
        for digest in sorted(counts, key=lambda each: (-counts[each], each))
    )


def judged_requests(
    reports: Reports,
    tasks: Mapping[str, Task],
    span: Mapping[str, Any],
    now_us: int,
    *,
    task: str | None,
) -> list[JudgedRequest]:
    """The requests of a span with what became of each, in the order they came."""
    rows = reports.query("requests", {**span, "task": task})
    later_us = max(span["until_us"], now_us + 1)  # the end of a range is not in it
    outcomes: dict[str, list[OutcomeRow]] = {}
    for row in reports.query("outcomes", {**span, "until_us": later_us}):
        outcomes.setdefault(row["trace"], []).append(OutcomeRow.of(row))
    judges = {name: AcceptanceJudge(task.acceptance) for name, task in tasks.items()}
    default = AcceptanceJudge(AcceptanceRule())
    found = [
        _request(row, judges.get(row["task"], default), outcomes.get(row["trace"], ()), now_us)
        for row in rows
    ]
    return sorted(found, key=lambda request: (request.at_us, request.trace))


def _request(
    row: dict[str, Any], judge: AcceptanceJudge, outcomes: Sequence[OutcomeRow], now_us: int
) -> JudgedRequest:
    text = row["attempts"]
    attempts = msgspec.json.decode(text, type=tuple[Attempt, ...]) if text else ()
    return JudgedRequest(
        trace=row["trace"],
        at_us=row["at_us"],
        task=row["task"],
        columns=row,
        status=row["status"],
        attempts=attempts,
        delivered=row["delivered"],
        acceptance=judge.judge_request(
            outcomes,
            status=row["status"],
            delivered=row["delivered"],
            at_us=row["at_us"],
            now_us=now_us,
        ),
    )
