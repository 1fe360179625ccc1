"""Two versions of a prompt, policy, route or configuration compared like with like.

Only requests that both served are compared: of the same task, tenant, segment and day. Where
two versions follow each other without a day in common, days of the week stand in for days, and
the comparison says that time is not held fixed.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Literal

import msgspec

from pointsman.analytics.daily import Range, Row, daily, fate
from pointsman.analytics.report import Group
from pointsman.analytics.tallies import moments_of
from pointsman.domain.errors import UsageError
from pointsman.domain.ports import Reports
from pointsman.domain.task import Task
from pointsman.stats.means import Comparison, verdict_of
from pointsman.stats.ratios import RatioMoments
from pointsman.stats.stratified import Stratified, Stratum, stratified

Held = Literal["day", "weekday"]
_LEAST = 20  # cases of each version that have to be comparable


class TaskVersions(msgspec.Struct, frozen=True, kw_only=True):
    """The two versions on one task."""

    task: str
    verdict: Comparison
    compared: Stratified
    held: Held  # what of time is the same in both
    plain_a: float | None  # rates of all cases, for comparison
    plain_b: float | None


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """Version b against version a."""

    group: str
    a: str
    b: str
    margin: float
    level: float
    since_us: int
    until_us: int
    tasks: tuple[TaskVersions, ...]


def compare_versions(
    reports: Reports,
    tasks: Mapping[str, Task],
    asked: Range,
    *,
    group: Group,
    a: str,
    b: str,
    margin: float = 0.02,
    level: float = 0.95,
) -> Versions:
    """The verdict on each task that both served, from sums of days.

    Args: a and b are names of the group's values, or the only ones that begin so.
    Raises: UsageError where one is not known, or is another's beginning too.
    """
    if group in ("tenant", "segment"):
        raise UsageError(
            f"values of {group} are not versions: their requests are never alike",
            next="use --by prompt, policy, route, config, deployment or asked",
        )
    rows, _ = daily(reports, tasks, asked, parts=("by",), dimensions=(group,))
    names = sorted({row["name"] for row in rows})
    a, b = _one(a, names, group), _one(b, names, group)
    if a == b:
        raise UsageError(f"both versions are {a!r}", next="name two different ones")
    found = []
    for task in sorted({row["task"] or "" for row in rows}):
        of_task = [row for row in rows if (row["task"] or "") == task]
        served = {row["name"] for row in of_task}
        if a in served and b in served:
            made = _compare(of_task, tasks, asked.now_us, a, b, margin, level)
            found.append(msgspec.structs.replace(made, task=task))
    return Versions(
        group=group, a=a, b=b, margin=margin, level=level, since_us=asked.since_us,
        until_us=asked.until_us, tasks=tuple(found),
    )  # fmt: skip


def _one(name: str, names: Sequence[str], group: str) -> str:
    if name in names:
        return name
    near = [each for each in names if name and each.startswith(name)]
    if len(near) == 1:
        return near[0]
    raise UsageError(
        f"{len(near)} values of {group} begin with {name!r}" if near
        else f"no request was served by {group} {name!r}",
        next=f"known are {', '.join(each or '(none)' for each in (near or names)[:12]) or 'none'}",
    )  # fmt: skip


def _compare(
    rows: Sequence[Row], tasks: Mapping[str, Task], now_us: int, a: str, b: str, margin: float,
    level: float,
) -> TaskVersions:  # fmt: skip
    keys: Mapping[Held, Callable[[Row], Hashable]] = {
        "day": lambda row: (row["tenant"], row["segment"], row["day"]),
        "weekday": lambda row: (row["tenant"], row["segment"], (row["day"] + 3) % 7 < 5),
    }
    whole = _strata(rows, tasks, now_us, a, b, lambda row: "")
    held: Held = "day"
    compared = stratified(_strata(rows, tasks, now_us, a, b, keys["day"]), level=level)
    if min(compared.n_a, compared.n_b) < _LEAST:
        held = "weekday"
        compared = stratified(_strata(rows, tasks, now_us, a, b, keys["weekday"]), level=level)
    return TaskVersions(
        task="",
        verdict=verdict_of(compared.difference, margin=margin, deviations=_deviations(compared)),
        compared=compared,
        held=held,
        plain_a=_rate([each.a for each in whole]),
        plain_b=_rate([each.b for each in whole]),
    )


def _strata(
    rows: Sequence[Row], tasks: Mapping[str, Task], now_us: int, a: str, b: str,
    key: Callable[[Row], Hashable],
) -> list[Stratum]:  # fmt: skip
    moments: dict[Hashable, dict[str, RatioMoments]] = {}
    for row in rows:
        said = fate(row, tasks, now_us)
        if row["name"] not in (a, b) or said == "unknown":
            continue
        arms = moments.setdefault(key(row), {})
        more = moments_of(said == "accepted", row.columns)
        arms[row["name"]] = arms.get(row["name"], RatioMoments()) + more
    return [
        Stratum(a=arms.get(a, RatioMoments()), b=arms.get(b, RatioMoments()))
        for arms in moments.values()
    ]


def _rate(arms: Sequence[RatioMoments]) -> float | None:
    n = sum(each.n for each in arms)
    return sum(each.accepted for each in arms) / n if n else None


def _deviations(compared: Stratified) -> float | None:
    """Of the difference, for one case in each arm: what tells how many more it takes."""
    a, b = compared.rate_a, compared.rate_b
    if a is None or b is None:
        return None
    # n of the estimate counts the cases of both arms: twice as many as pairs
    return float((2 * (a * (1 - a) + b * (1 - b))) ** 0.5)
