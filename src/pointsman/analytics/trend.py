"""How tasks fare over time: cohorts of requests by day or week, with what changed meanwhile.

A cohort is the requests of a period, whenever their outcomes came. Until every outcome's time is
over it is open: what is known of it may not be what will be.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from pointsman.analytics.daily import DAY_US, Range, Row, daily, is_closed, rule_of
from pointsman.analytics.figures import Figures
from pointsman.analytics.marks import (
    Mark,
    configuration_marks,
    identity_marks,
    model_marks,
)
from pointsman.analytics.report import Group
from pointsman.analytics.rolled import take
from pointsman.analytics.tallies import Tally
from pointsman.analytics.waterfall import Waterfall, waterfall
from pointsman.domain.ports import Reports
from pointsman.domain.records import ServedRecord
from pointsman.domain.task import Task

Period = Literal["day", "week"]
_COLUMN_OF: Mapping[str, str] = {"tenant": "tenant", "segment": "segment"}
_MOST_SERIES = 12  # of one task, the most requests first


class Cohort(msgspec.Struct, frozen=True, kw_only=True):
    """The requests admitted in one period."""

    start_us: int
    end_us: int
    figures: Figures
    reported: float | None  # share of the ended, but for the cancelled, that is known
    closed: bool  # no outcome of theirs counts any more

    @property
    def open_words(self) -> str:
        """`61 % reported`, where the cohort is open; else nothing."""
        if self.closed or self.reported is None:
            return ""
        return f"{100 * self.reported:.0f} % reported"


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The cohorts of one value of what is told apart, oldest first."""

    name: str
    cohorts: tuple[Cohort, ...]
    total: Figures
    waterfall: Waterfall


class TaskTrend(msgspec.Struct, frozen=True, kw_only=True):
    """One task over time."""

    task: str
    total: Series
    series: tuple[Series, ...]  # where something is told apart; the most requests first
    left_out: int = 0  # series beyond those


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Requests admitted in [since_us, until_us) by period, as known at now_us."""

    since_us: int
    until_us: int
    now_us: int
    period: Period
    group: str  # empty: nothing is told apart
    level: float
    tasks: tuple[TaskTrend, ...]
    marks: tuple[Mark, ...]
    rolled_days: int


def build_trend(
    reports: Reports,
    tasks: Mapping[str, Task],
    asked: Range,
    *,
    period: Period = "day",
    group: Group | None = None,
    usd_per_look: float = 0.0,
    level: float = 0.95,
) -> Trend:
    """The trend of a range, from sums of days.

    Args: usd_per_look is what one review or label of a person costs.
    Raises: ConfigurationError where a task's acceptance rule cannot be read.
    """
    dimension = "all" if group is None or group in _COLUMN_OF else group
    rows, rolled_days = daily(
        reports,
        tasks,
        asked,
        parts=("by", "by_times", "models"),
        dimensions=tuple({"all", dimension}),
    )
    column = _COLUMN_OF.get(group or "", "name")
    whole: dict[str, dict[int, Tally]] = {}
    named: dict[str, dict[str, dict[int, Tally]]] = {}
    for row in rows:
        if row["part"] == "models":
            continue
        start, task = _start(row["day"], period), row["task"] or ""
        if row["dimension"] == "all":
            take(whole.setdefault(task, {}).setdefault(start, Tally()), row, tasks, asked.now_us)
        if group is not None and row["dimension"] == dimension:
            of_task = named.setdefault(task, {}).setdefault(row[column] or "", {})
            take(of_task.setdefault(start, Tally()), row, tasks, asked.now_us)

    def series(task: str, name: str, cohorts: Mapping[int, Tally]) -> Series:
        return _series(task, name, cohorts, tasks, asked, period, usd_per_look, level)

    made = []
    for task in sorted(whole):
        groups = sorted(
            (series(task, name, cohorts) for name, cohorts in named.get(task, {}).items()),
            key=lambda each: (-each.total.requests, each.name),
        )
        made.append(
            TaskTrend(
                task=task,
                total=series(task, "", whole[task]),
                series=tuple(groups[:_MOST_SERIES]),
                left_out=max(0, len(groups) - _MOST_SERIES),
            )
        )
    return Trend(
        since_us=asked.since_us,
        until_us=asked.until_us,
        now_us=asked.now_us,
        period=period,
        group=group or "",
        level=level,
        tasks=tuple(made),
        marks=marks_of(reports, rows, asked),
        rolled_days=rolled_days,
    )


def marks_of(reports: Reports, rows: Sequence[Row], asked: Range) -> tuple[Mark, ...]:
    """What changed within a range, oldest first. Args: rows with the part `models`."""
    found = [
        *configuration_marks(reports.query("configs", {"until_us": asked.until_us})),
        *model_marks([row.columns for row in rows if row["part"] == "models"]),
        *identity_marks(
            [
                msgspec.json.decode(row["payload"], type=ServedRecord)
                for row in reports.query("identities", {"until_us": asked.until_us})
            ]
        ),
    ]
    within = [mark for mark in found if asked.since_us <= mark.at_us < asked.until_us]
    return tuple(sorted(within, key=lambda mark: (mark.at_us, mark.kind, mark.name)))


def _series(
    task: str,
    name: str,
    cohorts: Mapping[int, Tally],
    tasks: Mapping[str, Task],
    asked: Range,
    period: Period,
    usd_per_look: float,
    level: float,
) -> Series:
    total = Tally()
    for tally in cohorts.values():
        total.add(tally)
    length = (7 if period == "week" else 1) * DAY_US
    return Series(
        name=name,
        cohorts=tuple(
            _cohort(
                cohorts[start],
                start * DAY_US,
                min(start * DAY_US + length, asked.until_us),
                is_closed(rule_of(tasks, task), start * DAY_US + length, asked.now_us),
                level,
            )
            for start in sorted(cohorts)
        ),
        total=total.figures(level=level),
        waterfall=waterfall(total, usd_per_look=usd_per_look, level=level),
    )


def _cohort(tally: Tally, start_us: int, end_us: int, closed: bool, level: float) -> Cohort:
    figures = tally.figures(level=level)
    due = figures.ended - figures.cancelled
    return Cohort(
        start_us=start_us,
        end_us=end_us,
        figures=figures,
        reported=figures.known / due if due else None,
        closed=closed,
    )


def _start(day: int, period: Period) -> int:
    """The first day of its period; weeks begin on Monday (1970-01-01 was a Thursday)."""
    return day if period == "day" else day - (day + 3) % 7
