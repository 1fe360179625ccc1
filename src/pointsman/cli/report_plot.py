"""Pictures of a report: cohorts over time with their intervals and marks; the waterfall."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pointsman.analytics.formats import Unit, unit_of
from pointsman.analytics.marks import Mark
from pointsman.analytics.trend import Series, TaskTrend, Trend
from pointsman.cli.drawing import COLOURS, new_figure
from pointsman.stats.estimate import Estimate

_MOST_MARKS = 8
_MOST_SERIES = 6
_MOST_TASKS = 8
_TOGETHER_US = 3_600_000_000  # marks that are shown as one


def plot_trend(trend: Trend, path: Path) -> None:
    """A row for each task: the accepted share, and the cost per accepted output.

    Raises: ExtraMissing, UsageError.
    """
    tasks = trend.tasks[:_MOST_TASKS]
    figure = new_figure(path, width=11, height=1 + 2.8 * max(1, len(tasks)))
    axes = figure.subplots(max(1, len(tasks)), 2, squeeze=False)
    for row, task in zip(axes, tasks, strict=False):
        _task(row, task, trend)
    figure.savefig(path, dpi=130)


def plot_waterfall(trend: Trend, path: Path) -> None:
    """The parts of the cost of an accepted output, a row for each task.

    Raises: ExtraMissing, UsageError.
    """
    tasks = trend.tasks[:_MOST_TASKS]
    figure = new_figure(path, width=9, height=1 + 2.4 * max(1, len(tasks)))
    axes = figure.subplots(max(1, len(tasks)), 1, squeeze=False)
    for (ax,), task in zip(axes, tasks, strict=False):
        made, start = task.total.waterfall, 0.0
        unit = unit_of(part.usd_per_accepted for part in made.parts)
        for at, part in enumerate(made.parts):
            size = (part.usd_per_accepted or 0.0) * unit.per_usd
            ax.barh(at, size, left=start, color=COLOURS[at])
            ax.annotate(f"{size:.3g}", (start + size, at), xytext=(3, 0), va="center",
                        textcoords="offset points", fontsize=8)  # fmt: skip
            start += size
        ax.barh(len(made.parts), start, color="0.6")
        low, high = made.cost_per_accepted_usd.low, made.cost_per_accepted_usd.high
        if low is not None and high is not None:
            ends = [low * unit.per_usd, high * unit.per_usd]
            ax.plot(ends, [len(made.parts)] * 2, color="black", lw=1.5)
        names = [part.name for part in made.parts]
        ax.set_yticks(range(len(names) + 1), [*names, "all in"])
        ax.invert_yaxis()
        ax.set_xlim(0, 1.15 * start or 1)
        ax.set(title=f"{task.task or '(no task)'}: {made.accepted} accepted",
               xlabel=f"{unit.name} per accepted output")  # fmt: skip
    figure.savefig(path, dpi=130)


def _task(row: Sequence[Any], task: TaskTrend, trend: Trend) -> None:
    series = task.series[:_MOST_SERIES] if trend.group else (task.total,)
    rate, cost = row
    unit = unit_of(each.total.cost_per_accepted_usd.value for each in series)
    for each, colour in zip(series, COLOURS, strict=False):
        rates = [cohort.figures.accepted for cohort in each.cohorts]
        costs = [_in(unit, cohort.figures.cost_per_accepted_usd) for cohort in each.cohorts]
        _line(rate, each, rates, colour)
        _line(cost, each, costs, colour)
    name = task.task or "(no task)"
    rate.set(title=f"{name}: accepted", ylim=(0, 1.02))
    rate.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    cost.set(title=f"{name}: cost per accepted, {unit.name}")
    cost.set_ylim(bottom=0)
    for ax in row:
        _marks(ax, trend.marks)
        ax.tick_params(axis="x", labelrotation=30, labelsize=8)
        ax.grid(alpha=0.25)
    if trend.group:
        rate.legend(fontsize=7)


def _line(ax: Any, series: Series, values: Sequence[Estimate], colour: str) -> None:
    """Closed cohorts filled, open ones hollow; the interval as a line through each."""
    pairs = list(zip(series.cohorts, values, strict=True))
    known = [(cohort, value) for cohort, value in pairs if value.value is not None]
    if not known:
        return
    days = [_date(cohort.start_us) for cohort, _ in known]
    middle = [value.value for _, value in known]
    ax.plot(days, middle, color=colour, lw=1.2, label=series.name or None)
    top = max(value.high or value.value or 0.0 for _, value in known)
    for day, (cohort, value) in zip(days, known, strict=True):
        face = colour if cohort.closed else "white"
        ax.plot([day], [value.value], "o", ms=5, color=colour, markerfacecolor=face)
        low = value.low if value.low is not None else 0.0
        high = value.high if value.high is not None else top
        ax.plot([day, day], [low, high], color=colour, alpha=0.45, lw=2)


def _marks(ax: Any, marks: Sequence[Mark]) -> None:
    together: dict[int, list[str]] = {}
    for mark in marks:
        together.setdefault(mark.at_us // _TOGETHER_US, []).append(f"{mark.kind} {mark.name}")
    for at, names in list(together.items())[-_MOST_MARKS:]:
        words = ", ".join(dict.fromkeys(names[:2])) + (" …" if len(names) > 2 else "")
        moment = _date(at * _TOGETHER_US)
        ax.axvline(moment, color="0.5", ls=":", lw=1)
        ax.annotate(
            words, (moment, 0.98), rotation=90, fontsize=6,
            xycoords=("data", "axes fraction"), va="top", ha="right", color="0.35",
        )  # fmt: skip


def _in(unit: Unit, value: Estimate) -> Estimate:
    def scaled(number: float | None) -> float | None:
        return None if number is None else number * unit.per_usd

    return Estimate(
        value=scaled(value.value), low=scaled(value.low), high=scaled(value.high), n=value.n,
        level=value.level,
    )  # fmt: skip


def _date(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1e6, UTC)
