"""A trend, its waterfall and a comparison of versions as plain text for a terminal."""

from pointsman.analytics.formats import (
    NOTHING,
    amount,
    change,
    moment,
    money,
    points,
    share,
    unit_of,
)
from pointsman.analytics.marks import Mark
from pointsman.analytics.tables import Table, filled, fitting
from pointsman.analytics.text import NO_NAME, NO_TASK, unit_line
from pointsman.analytics.trend import Series, Trend
from pointsman.analytics.versions import TaskVersions, Versions
from pointsman.analytics.waterfall import Waterfall

_MOST_MARKS = 20


def render_trend(trend: Trend, *, width: int = 100) -> str:
    """A table for each series; then what changed. Ends in a newline."""
    lines = _head(trend, width)
    for task in trend.tasks:
        for each in task.series if trend.group else (task.total,):
            name = f" · {trend.group} {each.name or NO_NAME}" if trend.group else ""
            lines += ["", f"{task.task or NO_TASK}{name}", *_cohorts(each, width)]
        if task.left_out:
            lines.append(f"  {task.left_out} more of {trend.group} are left out")
    lines += _marks(trend.marks, width)
    return "\n".join(lines) + "\n"


def render_waterfall(trend: Trend, *, width: int = 100) -> str:
    """What the cost of an accepted output is made of, over the whole range."""
    lines = _head(trend, width)
    for task in trend.tasks:
        for each in task.series if trend.group else (task.total,):
            name = f" · {trend.group} {each.name or NO_NAME}" if trend.group else ""
            lines += ["", f"{task.task or NO_TASK}{name}", *_waterfall(each.waterfall, width)]
    return "\n".join(lines) + "\n"


def render_versions(versions: Versions, *, width: int = 100) -> str:
    """A verdict for each task."""
    lines = [f"{versions.group}: {versions.b or NO_NAME} against {versions.a or NO_NAME}"]
    if not versions.tasks:
        lines.append("no task was served by both")
    for each in versions.tasks:
        lines += ["", each.task or NO_TASK, *_versions(each, versions, width)]
    return "\n".join(lines) + "\n"


def _head(trend: Trend, width: int) -> list[str]:
    start = moment(trend.since_us) + " to" if trend.since_us > 0 else "everything up to"
    words = [
        f"{start} {moment(trend.until_us)} UTC",
        f"outcomes until {moment(trend.now_us)}",
        f"{100 * trend.level:g} % intervals",
    ]
    lines = filled(words, width=width)
    return lines if trend.tasks else [*lines, "", "no requests"]


def _cohorts(series: Series, width: int) -> list[str]:
    unit = unit_of(
        value
        for each in series.cohorts
        for value in (each.figures.spend_usd, each.figures.cost_per_accepted_usd.value)
    )
    heads = ("from", "requests", "accepted", f"cost per accepted, {unit.name}",
             f"spent, {unit.name}", "ms p50", "reported")  # fmt: skip
    rows = tuple(
        (
            moment(each.start_us)[:10],
            str(each.figures.requests),
            share(each.figures.accepted),
            money(each.figures.cost_per_accepted_usd, unit),
            amount(each.figures.spend_usd, unit),
            NOTHING
            if each.figures.total_ms_p50.value is None
            else f"{each.figures.total_ms_p50.value:,.0f}",
            "closed" if each.closed else each.open_words or "open",
        )
        for each in series.cohorts
    )
    table = Table(heads, rows, frozenset({"requests", heads[4], "ms p50"}))
    return ["  " + line for line in fitting(table, width=width - 2)]


def _waterfall(made: Waterfall, width: int) -> list[str]:
    unit = unit_of(part.usd_per_accepted for part in made.parts)
    heads = ("part", f"{unit.name} per accepted", "share", "of")
    rows = [
        (
            part.name,
            NOTHING if part.usd_per_accepted is None else amount(part.usd_per_accepted, unit),
            NOTHING if part.share is None else f"{100 * part.share:.0f} %",
            part.what,
        )
        for part in made.parts
    ]
    whole = NOTHING if made.all_in_usd is None else amount(made.all_in_usd, unit)
    rows.append(("all in", whole, "", f"{made.accepted} accepted"))
    table = Table(heads, tuple(rows), frozenset(heads[1:3]))
    lines = ["  " + line for line in fitting(table, width=width - 2)]
    cost = money(made.cost_per_accepted_usd, unit)
    return [*lines, f"  requests alone: {cost} {unit.name}", f"  {unit_line(unit)}"]


def _versions(each: TaskVersions, versions: Versions, width: int) -> list[str]:
    made, verdict = each.compared, each.verdict
    words = [
        verdict.verdict
        + (f" within {100 * versions.margin:g} points" if verdict.verdict == "same" else ""),
        f"accepted {points(made.difference)}",
        f"cost per accepted {change(made.cost_ratio)}",
        f"{made.n_a} and {made.n_b} cases alike in {made.strata} strata",
    ]
    if verdict.verdict == "not enough data" and verdict.more is not None:
        words.append(f"about {verdict.more} more cases would show {100 * versions.margin:g} points")
    lines = filled(words, width=width - 2)
    if made.alone_a or made.alone_b:
        lines.append(f"left out: {made.alone_a} and {made.alone_b} that only one of them has")
    if each.held == "weekday":
        lines.append("they share no day: what else changed meanwhile is in the difference")
    plain = [
        f"{name or NO_NAME} {100 * rate:.1f} %"
        for name, rate in ((versions.a, each.plain_a), (versions.b, each.plain_b))
        if rate is not None
    ]
    lines.append("all cases, not alike: " + ", ".join(plain))
    return ["  " + line for line in lines]


def _marks(marks: tuple[Mark, ...], width: int) -> list[str]:
    if not marks:
        return []
    lines = ["", "what changed"]
    for mark in marks[-_MOST_MARKS:]:
        words = filled([f"{moment(mark.at_us)} {mark.kind} {mark.name}: {mark.what}"],
                       width=width - 2)  # fmt: skip
        lines += ["  " + line for line in words]
    if len(marks) > _MOST_MARKS:
        lines.append(f"  {len(marks) - _MOST_MARKS} earlier")
    return lines
