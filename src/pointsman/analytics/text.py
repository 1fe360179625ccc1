"""A report and a comparison as plain text for a terminal; the numbers are decided elsewhere."""

from textwrap import wrap

from pointsman.analytics.compare import ArmResult, Comparison
from pointsman.analytics.figures import Figures
from pointsman.analytics.formats import (
    NOTHING,
    Unit,
    amount,
    change,
    milliseconds,
    moment,
    money,
    money_difference,
    percent,
    points,
    share,
    unit_of,
)
from pointsman.analytics.report import GroupReport, Report, TaskReport
from pointsman.analytics.steps import FailureCount
from pointsman.analytics.tables import Table, aligned, filled, fitting

_INDENT = "  "
NO_TASK, NO_NAME = "(no task)", "(none)"
_FOREIGN = "judged by the default rule, not in the configuration: "
_UNPRICED = "without a price, counted as $0: "
_CONFIGS = 6  # digests shown of a task


def render_report(report: Report, *, width: int = 100) -> str:
    """Everything, as text of at most `width` columns where its names allow; ends in a newline."""
    lines = _head(report, width)
    for task in report.tasks:
        lines += ["", *_task(task, report.group, width)]
    return "\n".join(lines) + "\n"


def render_summary(report: Report, *, width: int = 100) -> str:
    """A line a task, and one a group where it has several; else as `render_report`."""
    lines = _head(report, width)
    if not report.tasks:
        return "\n".join(lines) + "\n"
    rows = []
    for task in report.tasks:
        rows.append((task.task or NO_TASK, task.total))
        if len(task.groups) > 1:
            rows += [(f"  {each.name or NO_NAME}", each.figures) for each in task.groups]
    unit = unit_of(value for _, figures in rows for value in _money_of(figures))
    lines += [unit_line(unit), "", *_short(rows, unit, width)]
    foreign = [task.task for task in report.tasks if task.rule == "default" and task.task]
    unpriced = dict.fromkeys(name for task in report.tasks for name in task.unpriced)
    notes = [line for head, names in ((_FOREIGN, foreign), (_UNPRICED, unpriced)) if names
             for line in wrap(head + ", ".join(names), width, break_on_hyphens=False)]  # fmt: skip
    pooled = [_pooled(task, width) for task in report.tasks if _is_pooled(task, report)]
    notes += [line for lines_of in pooled for line in lines_of]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def _short(rows: list[tuple[str, Figures]], unit: Unit, width: int) -> list[str]:
    """A row each; where those are wider than the width, lines that hold the same."""
    spent = f"spent, {unit.name}"
    heads = ("task", "known", "accepted", f"cost per accepted, {unit.name}", spent)
    cells = tuple(
        (
            name,
            str(each.known) if each.known == each.requests else f"{each.known}/{each.requests}",
            share(each.accepted),
            money(each.cost_per_accepted_usd, unit),
            amount(each.spend_usd, unit),
        )
        for name, each in rows
    )
    lines = aligned(Table(heads, cells, frozenset({"known", spent})))
    if max(map(len, lines)) <= width:
        return lines
    lines = []
    for name, known, accepted, cost, total in cells:
        indent = "  " * name.startswith("  ")
        words = [f"{name.strip()}: {known} known", f"accepted {accepted}",
                 f"{cost} {unit.name} per accepted", f"spent {total} {unit.name}"]  # fmt: skip
        first, *rest = filled(words, width=width - len(indent) - 2)
        lines += [indent + first, *(f"{indent}  {line}" for line in rest)]
    return lines


def unit_line(unit: Unit) -> str:
    """Says what the unit is."""
    return f"money in {unit.name}: {unit.words}"


def _head(report: Report, width: int) -> list[str]:
    start = moment(report.since_us) + " to" if report.since_us > 0 else "everything up to"
    span = f"{start} {moment(report.until_us)} UTC"
    known = f"outcomes until {moment(report.now_us)}"
    lines = filled([span, known, f"{100 * report.level:g} % intervals"], width=width)
    return lines if report.tasks else [*lines, "", "no requests"]


def _is_pooled(task: TaskReport, report: Report) -> bool:
    return len(task.configs) > 1 and report.group != "config"


def _pooled(task: TaskReport, width: int) -> list[str]:
    """That requests under several configurations are counted together, and how many of each."""
    shown = [f"{each.digest} ({each.requests})" for each in task.configs[:_CONFIGS]]
    if len(task.configs) > _CONFIGS:
        shown.append(f"{len(task.configs) - _CONFIGS} more")
    words = [f"{task.task or NO_TASK} ran under {len(task.configs)} configurations", *shown,
             "`--by config` tells them apart"]  # fmt: skip
    return filled(words, width=width)


def render_comparison(comparison: Comparison, *, width: int = 100) -> str:
    """The comparison as text of at most `width` columns where its names allow; ends in a newline.

    Differences stand under each arm, against the baseline on the same cases.
    """
    words = [
        f"{comparison.cases} paired cases",
        f"baseline {comparison.baseline}",
        f"{100 * comparison.level:g} % intervals",
    ]
    if comparison.left_out:
        words.append(f"{comparison.left_out} left out: not every arm has them")
    unit = unit_of(
        value
        for arm in comparison.arms
        for value in (arm.cost_usd, arm.cost_per_accepted_usd.value)
    )
    cost = f"cost, {unit.name}"
    arms = Table(
        ("arm", "accepted", f"cost per accepted, {unit.name}", cost, "escalated"),
        tuple(_arm(arm, unit) for arm in comparison.arms),
        frozenset({cost}),
    )
    lines = [*filled([*words, unit_line(unit)], width=width), *fitting(arms, width=width)]
    others = [arm for arm in comparison.arms if arm.accepted_difference is not None]
    if others:
        differences = Table(
            (
                f"against {comparison.baseline}",
                "accepted",
                f"cost per accepted, {unit.name}",
                "relative",
            ),
            tuple(_difference(arm, unit) for arm in others),
        )
        lines += ["", *fitting(differences, width=width)]
    return "\n".join(lines) + "\n"


def _task(task: TaskReport, group: str, width: int) -> list[str]:
    inner = width - len(_INDENT)
    total = task.total
    unit = unit_of(
        value
        for figures in (
            total,
            *(g.figures for g in task.groups),
            *(s.figures for s in task.singles),
        )
        for value in _money_of(figures)
    )
    words = [
        task.task or NO_TASK,
        f"{total.requests} requests",
        f"{total.ended} ended",
        f"{total.known} known",
        f"{total.cancelled} cancelled",
        f"spent {amount(total.spend_usd, unit)} {unit.name}",
        unit_line(unit),
    ]
    lines = filled(words, width=width)
    if len(task.configs) > 1 and group != "config":
        lines += _pooled(task, width)
    if task.rule == "default":
        lines.append("default acceptance rule: not a task of the configuration")
    groups = [(each.name or NO_NAME, each.figures) for each in task.groups]
    if len(groups) > 1:
        groups.append(("all", total))
    lines += _indented(_worth(group, groups, unit, inner))
    lines += ["", *_indented(_times(group, groups, inner))]
    for each in task.groups:
        if len(each.steps) > 1:
            lines += ["", *_indented(_steps(each, inner))]
    if task.singles:
        alone = [(each.deployment, each.figures) for each in task.singles]
        lines += ["", *_indented(_worth("alone", alone, unit, inner))]
        lines += ["", *_indented(_times("alone", alone, inner))]
    if task.failures:
        lines += ["", *_indented(_failures(task.failures, inner))]
    if task.unpriced:
        names = ", ".join(task.unpriced)
        lines += ["", *_indented([_UNPRICED + names])]
    return lines


def _money_of(figures: Figures) -> tuple[float | None, ...]:
    return figures.spend_usd, figures.cost_per_accepted_usd.value


def _worth(head: str, rows: list[tuple[str, Figures]], unit: Unit, width: int) -> list[str]:
    spent = f"spent, {unit.name}"
    heads = (head, "requests", "accepted", f"cost per accepted, {unit.name}", spent)
    cells = tuple(
        (
            name,
            str(each.requests),
            percent(each.accepted),
            money(each.cost_per_accepted_usd, unit),
            amount(each.spend_usd, unit),
        )
        for name, each in rows
    )
    return fitting(Table(heads, cells, frozenset({"requests", spent})), width=width)


def _times(head: str, rows: list[tuple[str, Figures]], width: int) -> list[str]:
    heads = (head, "ms p50", "ms p95", "first byte p50", "first byte p95", "held p50")
    cells = tuple(
        (
            name,
            milliseconds(each.total_ms_p50),
            milliseconds(each.total_ms_p95),
            milliseconds(each.first_byte_ms_p50),
            milliseconds(each.first_byte_ms_p95),
            milliseconds(each.held_ms_p50),
        )
        for name, each in rows
    )
    return fitting(Table(heads, cells), width=width)


def _steps(group: GroupReport, width: int) -> list[str]:
    heads = (
        f"step of {group.name}",
        "reached",
        "failed",
        "answered",
        "accepted",
        "gate passed",
        "escalated",
    )
    rows = tuple(
        (
            f"{step.step} {step.deployment}",
            str(step.reached),
            str(step.failed),
            percent(step.delivered),
            percent(step.accepted),
            percent(step.passed) if step.passed.n else NOTHING,
            percent(step.escalated),
        )
        for step in group.steps
    )
    return fitting(Table(heads, rows, frozenset(heads[1:3])), width=width)


def _failures(failures: tuple[FailureCount, ...], width: int) -> list[str]:
    rows = tuple((f"{each.deployment} {each.kind}", str(each.attempts)) for each in failures)
    return fitting(Table(("failed attempts", "count"), rows, frozenset({"count"})), width=width)


def _arm(arm: ArmResult, unit: Unit) -> tuple[str, ...]:
    return (
        arm.arm,
        percent(arm.accepted),
        money(arm.cost_per_accepted_usd, unit),
        amount(arm.cost_usd, unit),
        percent(arm.escalated),
    )


def _difference(arm: ArmResult, unit: Unit) -> tuple[str, ...]:
    assert arm.accepted_difference is not None, "only arms beside the baseline are shown here"
    cost, ratio = arm.cost_per_accepted_difference_usd, arm.cost_per_accepted_ratio
    return (
        arm.arm,
        points(arm.accepted_difference),
        NOTHING if cost is None else money_difference(cost, unit),
        NOTHING if ratio is None else change(ratio),
    )


def _indented(lines: list[str]) -> list[str]:
    return [_INDENT + line for line in lines]
