"""The demonstration's second part: a route that is told of no task learns who does which."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pointsman.analytics.formats import NOTHING
from pointsman.analytics.tables import Table, filled, fitting
from pointsman.demo.asking import Result, Way
from pointsman.domain.records import Admission
from pointsman.embedded.cases import TASKS, Case, cases
from pointsman.stats.estimate import Estimate
from pointsman.stats.proportions import wilson

LEARNED = Way("learned", "@learned")
_SETTLED = 2 / 3  # of the requests are for learning; what is told is of the rest


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """One task once the route has learned: who answers, what was accepted."""

    task: str
    requests: int
    plans: dict[str, int]  # of what was not explored: the names of the steps, how often
    explored: int
    accepted: Estimate  # of what was not explored


def draw_evenly(seed: int, n: int) -> list[Case]:
    """Fresh cases, as many of each task, in the order of the draw; other ones than `mix.draw`'s."""
    drawn = cases(seed + 1, n, tasks=list(TASKS), hard_share=0.5)
    by_task = [[case for case in drawn if case.task == task] for task in TASKS]
    longest = max(map(len, by_task))
    return [group[at] for at in range(longest) for group in by_task if at < len(group)]


def settled(results: Sequence[Result], decisions: Mapping[str, Admission]) -> list[Settled]:
    """Each task by name, over the last third of its requests.

    Args: decisions by trace, as the journal holds them.
    """
    found = []
    for task in sorted({item.case.task for item in results}):
        mine = [item for item in results if item.case.task == task]
        mine.sort(key=lambda item: decisions[item.trace].at_us)
        late = mine[round(_SETTLED * len(mine)) :]
        meant = [item for item in late if not decisions[item.trace].decision.explored]
        plans = Counter(_plan(decisions[item.trace]) for item in meant)
        found.append(
            Settled(
                task=task,
                requests=len(late),
                plans=dict(plans.most_common()),
                explored=len(late) - len(meant),
                accepted=wilson(sum(item.accepted for item in meant), len(meant)),
            )
        )
    return found


def _plan(admission: Admission) -> str:
    steps = admission.decision.plan.steps
    return " → ".join(step.name for step in steps if step.role == "step")


def learning_page(tasks: Sequence[Settled], *, width: int) -> str:
    """For a person, at most `width` columns where they are 80 or more."""
    words = [
        "what the route learned, told of no task and only which answers were accepted",
        "the last third of its requests, without those that explored",
    ]
    rows = tuple(
        (each.task, ", ".join(f"{name} {n}" for name, n in each.plans.items()),
         _share(each.accepted), str(each.explored))
        for each in tasks
    )  # fmt: skip
    heads = ("task", "answered by", "accepted", "explored")
    return "\n".join([*filled(words, width=width), "",
                      *fitting(Table(heads, rows), width=width)]) + "\n"  # fmt: skip


def as_document(tasks: Sequence[Settled]) -> dict[str, Any]:
    """By task, for programs."""
    return {
        each.task: {
            "requests": each.requests,
            "plans": each.plans,
            "explored": each.explored,
            "accepted": each.accepted.as_dict(),
        }
        for each in tasks
    }


def _share(estimate: Estimate) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return NOTHING
    return f"{100 * estimate.value:.0f} % [{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]"
