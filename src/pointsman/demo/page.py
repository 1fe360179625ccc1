"""The last page of the demonstration as text: what was accepted, at what cost, against large."""

from collections.abc import Sequence

import msgspec

from pointsman.analytics.compare import ArmResult, Comparison
from pointsman.analytics.formats import NOTHING, change, points, usd
from pointsman.analytics.tables import Table, filled, fitting
from pointsman.demo.result import TaskResult
from pointsman.stats.estimate import Estimate

_MILLION = 1e6  # one answer of these models costs less than a ten-millionth of a dollar
_WHAT = {
    "small": "always the small model",
    "large": "always the large model",
    "cascade": "small, and large where the gate says so",
    "portfolio": "cascade, and a specialist for its own task",
}


def page(comparison: Comparison, tasks: Sequence[TaskResult] = (), *, width: int) -> str:
    """The comparison for a person, at most `width` columns where they are 80 or more."""
    words = [
        f"{comparison.cases} cases, each asked all four ways",
        f"{100 * comparison.level:g} % intervals in brackets",
    ]
    ways = Table(
        ("way", "accepted", "$ per million accepted", "escalated"),
        tuple(_way(arm) for arm in comparison.arms),
        frozenset({"escalated"}),
    )
    others = [arm for arm in comparison.arms if arm.accepted_difference is not None]
    differences = Table(
        (f"against {comparison.baseline}", "accepted", "cost per accepted"),
        tuple(_difference(arm) for arm in others),
    )
    lines = [*filled(words, width=width), "", *fitting(ways, width=width), ""]
    lines += [*fitting(differences, width=width), ""]
    if tasks:
        heads = ("the portfolio", "without large", "accepted", "$ per million acc.", "vs large")
        lines += [*fitting(Table(heads, tuple(map(_task, tasks))), width=width), ""]
    lines += [*_headline(comparison, width), ""]
    lines += [f"{arm.arm:<9}  {_WHAT[arm.arm]}" for arm in comparison.arms if arm.arm in _WHAT]
    return "\n".join(lines) + "\n"


def _headline(comparison: Comparison, width: int) -> list[str]:
    """The one result: what the portfolio does to acceptance and cost."""
    arm = next(arm for arm in comparison.arms if arm.arm == "portfolio")
    accepted, ratio = arm.accepted_difference, arm.cost_per_accepted_ratio
    if accepted is None or ratio is None or ratio.value is None:
        return ["nothing was accepted: no cost per accepted answer to compare"]
    words = [
        f"the portfolio against always large: cost per accepted answer {change(ratio)}",
        f"accepted {points(accepted)}",
    ]
    return filled(words, width=width)


def _way(arm: ArmResult) -> tuple[str, ...]:
    return (
        arm.arm,
        _share(arm.accepted),
        _dollars(arm.cost_per_accepted_usd),
        NOTHING if not arm.escalated.value else f"{100 * arm.escalated.value:.0f} %",
    )


def _task(each: TaskResult) -> tuple[str, ...]:
    return (
        each.task,
        NOTHING if each.small.value is None else f"{100 * each.small.value:.0f} %",
        _share(each.accepted),
        _dollars(each.cost_per_accepted_usd),
        NOTHING if each.ratio is None else change(each.ratio).partition(" [")[0],
    )


def _difference(arm: ArmResult) -> tuple[str, ...]:
    assert arm.accepted_difference is not None, "only ways beside the baseline are shown here"
    ratio = arm.cost_per_accepted_ratio
    return arm.arm, points(arm.accepted_difference), NOTHING if ratio is None else change(ratio)


def _share(estimate: Estimate) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return NOTHING
    return f"{100 * estimate.value:.1f} % [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _dollars(estimate: Estimate) -> str:
    scaled = msgspec.structs.replace(
        estimate, **{name: _times(getattr(estimate, name)) for name in ("value", "low", "high")}
    )
    if scaled.value is None:
        return NOTHING
    low = "0" if scaled.low is None else usd(scaled.low)[1:]
    high = "∞" if scaled.high is None else usd(scaled.high)[1:]
    return f"{usd(scaled.value)} [{low}, {high}]"


def _times(value: float | None) -> float | None:
    return None if value is None else value * _MILLION
