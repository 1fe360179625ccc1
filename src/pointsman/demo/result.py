"""From answers and their traces to the comparison's arms and one JSON object."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pointsman.analytics.compare import ArmCase, Comparison, compare_arms
from pointsman.demo.asking import Result
from pointsman.domain.money import usd
from pointsman.stats.estimate import Estimate
from pointsman.stats.proportions import wilson


def arms_of(
    results: Sequence[Result], traces: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[ArmCase]]:
    """Each way's cases with the cost of every attempt, as the journal recorded it."""
    arms: dict[str, list[ArmCase]] = {}
    for item in sorted(results, key=lambda result: result.case.id):
        row = traces[item.trace]
        arms.setdefault(item.way, []).append(
            ArmCase(
                case_id=item.case.id,
                cost_usd=usd(row["cost_usd_picos"]),
                accepted=item.accepted,
                escalated=row["attempt_count"] > 1,
            )
        )
    return {name: arms.get(name, []) for name in ("small", "large", "cascade", "portfolio")}


def summary(comparison: Comparison) -> dict[str, Any]:
    """`{"small": A, "large": A, "cascade": A, "portfolio": A}` with
    `A = {"n", "accepted", "cost_usd", "cost_per_accepted", "escalated"}`; differences to large
    on the same cases stand under `against_large` of the others."""
    return {
        arm.arm: {
            "n": comparison.cases,
            "accepted": arm.accepted.as_dict(),
            "cost_usd": arm.cost_usd,
            "cost_per_accepted": arm.cost_per_accepted_usd.as_dict(),
            "escalated": arm.escalated.value,
        }
        | (
            {
                "against_large": {
                    "accepted": arm.accepted_difference.as_dict(),
                    "cost_per_accepted": _dict(arm.cost_per_accepted_difference_usd),
                    "cost_per_accepted_ratio": _dict(arm.cost_per_accepted_ratio),
                }
            }
            if arm.accepted_difference is not None
            else {}
        )
        for arm in comparison.arms
    }


class TaskResult(msgspec.Struct, frozen=True, kw_only=True):
    """One task as the portfolio answered it; the ratio is its cost per accepted over large's."""

    task: str
    cases: int
    small: Estimate  # share answered without the large model
    accepted: Estimate
    cost_per_accepted_usd: Estimate
    ratio: Estimate | None


def tasks_of(
    results: Sequence[Result], traces: Mapping[str, Mapping[str, Any]]
) -> tuple[TaskResult, ...]:
    """Each task on the cases that were asked both ways, by name."""
    found = []
    for task in sorted({item.case.task for item in results}):
        of_task = [item for item in results if item.case.task == task]
        arms = arms_of(of_task, traces)
        if not (arms["portfolio"] and arms["large"]):
            continue
        compared = compare_arms(
            {name: arms[name] for name in ("large", "portfolio")}, baseline="large"
        )
        arm = compared.arms[1]
        asked = [item for item in of_task if item.way == "portfolio"]
        small = sum(traces[item.trace]["deployment"] not in (None, "large") for item in asked)
        found.append(
            TaskResult(
                task=task,
                cases=compared.cases,
                small=wilson(small, len(asked)),
                accepted=arm.accepted,
                cost_per_accepted_usd=arm.cost_per_accepted_usd,
                ratio=arm.cost_per_accepted_ratio,
            )
        )
    return tuple(found)


def _dict(estimate: Any) -> dict[str, Any] | None:
    return None if estimate is None else estimate.as_dict()
