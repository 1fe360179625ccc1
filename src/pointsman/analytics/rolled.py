"""The report of a long range from the sums of its days.

Counts, rates and costs are those of the exact report; times come from buckets and are off by
2.2 % at most. What is in no kept sums of a day is summed up when it is asked for.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from pointsman.analytics.daily import Range, Row, closed, daily, fate, rule_of
from pointsman.analytics.report import (
    ConfigShare,
    Group,
    GroupReport,
    Report,
    TaskReport,
    config_shares,
)
from pointsman.analytics.tallies import (
    StepTally,
    Tally,
    failures_of,
    moments_of,
    singles_of,
    unpriced_of,
)
from pointsman.domain.ports import Reports
from pointsman.domain.task import Task

_Tallies = dict[str, dict[str, Tally]]  # by task and name
_OF_ROUTES = ("requests", "times", "steps", "failures")
# what the rows of `by` are told apart by, beside their own columns
_COLUMN_OF: Mapping[str, str] = {"tenant": "tenant", "segment": "segment"}


def build_rolled_report(
    reports: Reports,
    *,
    tasks: Mapping[str, Task],
    since_us: int,
    until_us: int,
    now_us: int,
    tenant: str | None = None,
    task: str | None = None,
    group: Group = "route",
    level: float = 0.95,
) -> Report:
    """`build_report`, with whole days taken from their sums where those are in force.

    Steps are told of routes only.
    Raises: ConfigurationError where a task's acceptance rule cannot be read.
    """
    asked = Range(since_us=since_us, until_us=until_us, now_us=now_us, tenant=tenant, task=task)
    by = group != "route"
    dimension = "all" if group in _COLUMN_OF else group
    rows, rolled_days = daily(
        reports,
        tasks,
        asked,
        parts=(*_OF_ROUTES, "by", "by_times") if by else _OF_ROUTES,
        dimensions=(dimension,) if by else (),
    )
    routes: _Tallies = {}
    named: _Tallies = {}
    for row in rows:
        if not row["part"].startswith("by"):
            take(_of(routes, row, "route"), row, tasks, now_us)
        else:
            take(_of(named, row, _COLUMN_OF.get(group, "name")), row, tasks, now_us)
    window = {"since_us": since_us, "until_us": until_us, "tenant": tenant, "task": task}
    configs: dict[str, Counter[str]] = {}
    for each in reports.query("configs_used", window):
        configs.setdefault(each["task"] or "", Counter())[each["config"] or ""] = each["requests"]
    return Report(
        since_us=since_us,
        until_us=until_us,
        now_us=now_us,
        group=group,
        level=level,
        tasks=tuple(
            _task(
                name,
                routes[name],
                named[name] if by else routes[name],
                known=name in tasks,
                configs=config_shares(configs.get(name, {})),
                level=level,
            )
            for name in sorted(routes)
        ),
        rolled_days=rolled_days,
    )


def take(tally: Tally, row: Row, tasks: Mapping[str, Task], now_us: int) -> None:
    """Add one row of sums to a tally."""
    match row["part"]:
        case "requests" | "by":
            _take_requests(tally, row, tasks, now_us)
        case "times" | "by_times":
            counts = tally.times.setdefault(row["metric"], Counter())
            if isinstance(row["ms"], list):
                for ms, n in zip(row["ms"], row["n"], strict=True):
                    counts[ms] += n
            else:
                counts[row["ms"]] += row["n"]
        case "steps":
            later = closed(rule_of(tasks, row["task"]), row.start_us, now_us)
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


def _take_requests(tally: Tally, row: Row, tasks: Mapping[str, Task], now_us: int) -> None:
    said, n = fate(row, tasks, now_us), row["n"]
    tally.requests += n
    tally.ended += n if row["status"] is not None else 0
    tally.cancelled += n if row["status"] == "cancelled" else 0
    tally.accepted += n if said == "accepted" else 0
    tally.rejected += n if said == "rejected" else 0
    tally.picos += row["picos"]
    if said == "unknown" and row["status"] != "cancelled":
        return
    tally.moments = tally.moments + moments_of(said == "accepted", row.columns)
    if row["part"] == "by":
        costs = tally.costs
        if said == "accepted":
            costs.accepted += row["answer_picos"]
        else:
            costs.unaccepted += row["answer_picos"]
        costs.steps += row["step_picos"]
        costs.retries += row["retry_picos"]
        costs.verification += row["judge_picos"]
        costs.looks += row["looks"]


def _of(found: _Tallies, row: Row, column: str) -> Tally:
    return found.setdefault(row["task"] or "", {}).setdefault(row[column] or "", Tally())


def _task(
    name: str,
    routes: Mapping[str, Tally],
    groups: Mapping[str, Tally],
    *,
    known: bool,
    configs: tuple[ConfigShare, ...],
    level: float,
) -> TaskReport:
    total = _sum(list(routes.values()))
    return TaskReport(
        task=name,
        rule="task" if known else "default",
        total=total.figures(level=level),
        groups=tuple(
            GroupReport(
                name=each,
                figures=groups[each].figures(level=level),
                steps=groups[each].step_figures(level=level),
            )
            for each in sorted(groups)
        ),
        singles=singles_of(routes, level=level),
        failures=failures_of(total),
        unpriced=unpriced_of(total),
        configs=configs,
    )


def _sum(tallies: Sequence[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.add(tally)
    return total
