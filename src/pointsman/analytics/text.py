"""A report and a comparison as plain text for a terminal; the numbers are decided elsewhere."""

from pointsman.analytics.compare import ArmResult, Comparison
from pointsman.analytics.figures import Figures
from pointsman.analytics.formats import (
    NOTHING,
    change,
    milliseconds,
    moment,
    money,
    money_difference,
    percent,
    points,
    usd,
)
from pointsman.analytics.report import GroupReport, Report, TaskReport
from pointsman.analytics.steps import FailureCount
from pointsman.analytics.tables import Table, filled, fitting

_INDENT = "  "


def render_report(report: Report, *, width: int = 100) -> str:
    """The report as text of at most `width` columns where its names allow; ends in a newline."""
    start = moment(report.since_us) + " to" if report.since_us > 0 else "everything up to"
    span = f"{start} {moment(report.until_us)} UTC"
    known = f"outcomes until {moment(report.now_us)}"
    lines = filled([span, known, f"{100 * report.level:g} % intervals"], width=width)
    if not report.tasks:
        lines += ["", "no requests"]
    for task in report.tasks:
        lines += ["", *_task(task, report.group, width)]
    return "\n".join(lines) + "\n"


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
    arms = Table(
        ("arm", "accepted", "cost per accepted", "cost", "escalated"),
        tuple(_arm(arm) for arm in comparison.arms),
        frozenset({"cost"}),
    )
    lines = [*filled(words, width=width), *fitting(arms, width=width)]
    others = [arm for arm in comparison.arms if arm.accepted_difference is not None]
    if others:
        differences = Table(
            (f"against {comparison.baseline}", "accepted", "cost per accepted", "relative"),
            tuple(_difference(arm) for arm in others),
        )
        lines += ["", *fitting(differences, width=width)]
    return "\n".join(lines) + "\n"


def _task(task: TaskReport, group: str, width: int) -> list[str]:
    inner = width - len(_INDENT)
    total = task.total
    words = [
        task.task or "(no task)",
        f"{total.requests} requests",
        f"{total.ended} ended",
        f"{total.known} known",
        f"{total.cancelled} cancelled",
        f"spent {usd(total.spend_usd)}",
    ]
    lines = filled(words, width=width)
    if task.rule == "default":
        lines.append("default acceptance rule: not a task of the configuration")
    groups = [(each.name or "(none)", each.figures) for each in task.groups]
    if len(groups) > 1:
        groups.append(("all", total))
    lines += _indented(_worth(group, groups, inner))
    lines += ["", *_indented(_times(group, groups, inner))]
    for each in task.groups:
        if len(each.steps) > 1:
            lines += ["", *_indented(_steps(each, inner))]
    if task.singles:
        alone = [(each.deployment, each.figures) for each in task.singles]
        lines += ["", *_indented(_worth("alone", alone, inner))]
        lines += ["", *_indented(_times("alone", alone, inner))]
    if task.failures:
        lines += ["", *_indented(_failures(task.failures, inner))]
    if task.unpriced:
        names = ", ".join(task.unpriced)
        lines += ["", *_indented([f"without a price, counted as $0: {names}"])]
    return lines


def _worth(head: str, rows: list[tuple[str, Figures]], width: int) -> list[str]:
    heads = (head, "requests", "accepted", "cost per accepted", "spent")
    cells = tuple(
        (
            name,
            str(each.requests),
            percent(each.accepted),
            money(each.cost_per_accepted_usd),
            usd(each.spend_usd),
        )
        for name, each in rows
    )
    return fitting(Table(heads, cells, frozenset({"requests", "spent"})), width=width)


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


def _arm(arm: ArmResult) -> tuple[str, ...]:
    return (
        arm.arm,
        percent(arm.accepted),
        money(arm.cost_per_accepted_usd),
        usd(arm.cost_usd),
        percent(arm.escalated),
    )


def _difference(arm: ArmResult) -> tuple[str, ...]:
    assert arm.accepted_difference is not None, "only arms beside the baseline are shown here"
    cost, ratio = arm.cost_per_accepted_difference_usd, arm.cost_per_accepted_ratio
    return (
        arm.arm,
        points(arm.accepted_difference),
        NOTHING if cost is None else money_difference(cost),
        NOTHING if ratio is None else change(ratio),
    )


def _indented(lines: list[str]) -> list[str]:
    return [_INDENT + line for line in lines]
