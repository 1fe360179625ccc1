"""Operating points of a cascade: fitted fold by fold, and the one at which a goal holds."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pointsman.learning.cascade_fitting import World, curated, fit_cascade
from pointsman.learning.cascading import Cascade, Known
from pointsman.learning.choosing import MARGIN, Goal
from pointsman.learning.outcomes import Outcomes
from pointsman.learning.replaying import Till, play
from pointsman.learning.router import CHOSEN, Estimates, Point
from pointsman.learning.signals import Replies, alike, replies_of

Floats = NDArray[np.float64]
VALUES = 32
FOLDS = 4
LEAST_PROMPTS = 1500  # on 730 a cascade was worse than prompts alone at every cost, on 2,980 near


def add_cascade(
    outcomes: Outcomes,
    estimates: Estimates,
    goal: Goal,
    points: Sequence[Point],
    *,
    progress: Callable[[int, str], None] = lambda done, remark: None,
) -> Cascade | None:
    """A cascade beside a router's points, or None where the outcomes hold no answers or are few.

    Args: estimates are out of fold; points are the router's, the chosen one among them.
    The point that holds the goal at the least cost is chosen; `chosen` stays None where calling
    one model by the prompt alone is expected to hold it for less.
    """
    if len(outcomes) < LEAST_PROMPTS or all(a is None for a in outcomes.answers.ravel()):
        return None
    known, replies = Known.of(estimates, outcomes.prompts), replies_of(outcomes)
    values = _values(outcomes, goal)
    world = World.of(outcomes, known, replies, values)
    members = curated(world)
    progress(0, "cascade")
    folds = np.array([crc32(prompt.encode()) % FOLDS for prompt in outcomes.prompts])
    score, accepted, cost = (np.zeros((len(outcomes), len(values))) for _ in range(3))
    for fold in range(FOLDS):
        out = np.flatnonzero(folds == fold)
        part = fit_cascade(world.rows(np.flatnonzero(folds != fold)), members)
        held = world.rows(out)
        for v in range(len(values)):
            till = Till(held.replies, np.ones(held.score.shape, dtype=bool))
            returned = play(part, held.known, till, v).returned
            score[out, v] = outcomes.score[out, returned]
            accepted[out, v] = outcomes.accepted[out, returned]
            cost[out, v] = till.spent_usd
    cascade = fit_cascade(world, members)
    cascade.expected = tuple(
        {"score": float(s), "accepted": float(a), "cost_usd": float(c)}
        for s, a, c in zip(score.mean(0), accepted.mean(0), cost.mean(0), strict=True)
    )
    cascade.unique = unique_answers(outcomes, replies)
    cascade.chosen = _chosen(outcomes, goal, score, accepted, cost, points)
    return cascade


def unique_answers(outcomes: Outcomes, replies: Mapping[int, Replies]) -> dict[str, float]:
    """By task, and under "" over all: of two accepted answers to a prompt, the share that agree.

    Close to 1 where a prompt has one right answer. Drawn towards the share over all by two pairs.
    """
    pairs: dict[str, list[float]] = {"": [0.0, 0.0]}
    for a, b in combinations(range(len(outcomes.models)), 2):
        both = (outcomes.accepted[:, a] > 0.5) & (outcomes.accepted[:, b] > 0.5)
        same = alike(replies[a], replies[b])
        for i in np.flatnonzero(both):
            for task in {outcomes.tasks[i], ""}:
                sums = pairs.setdefault(task, [0.0, 0.0])
                sums[0] += float(same[i])
                sums[1] += 1.0
    overall = (pairs[""][0] + 1.7) / (pairs[""][1] + 2.0)
    return {task: (same + 2.0 * overall) / (n + 2.0) for task, (same, n) in pairs.items()}


def _chosen(
    outcomes: Outcomes, goal: Goal, score: Floats, accepted: Floats, cost: Floats,
    points: Sequence[Point],
) -> int | None:  # fmt: skip
    if goal.kind == "value_usd":
        return 0  # the goal's own value comes first
    if goal.kind == "floor":
        over = accepted - goal.amount
        alone = [p.expected["accepted"] - goal.amount for p in points]
    else:
        single = outcomes.score[:, int(outcomes.score.mean(axis=0).argmax())]
        over = score - goal.amount * single[:, None]
        alone = [p.expected["score"] - goal.amount * float(single.mean()) for p in points]
    sure = over.mean(axis=0) - MARGIN * over.std(axis=0) / len(over) ** 0.5
    enough = np.flatnonzero(sure >= 0.0)
    chosen = next(i for i, p in enumerate(points) if p.name == CHOSEN)
    if not len(enough):
        best = int(sure.argmax())
        return best if over[:, best].mean() > alone[chosen] else None
    best = int(enough[cost.mean(axis=0)[enough].argmin()])
    cheaper = cost[:, best].mean() < points[chosen].expected["cost_usd"]
    return best if cheaper or alone[chosen] < 0.0 else None


def _values(outcomes: Outcomes, goal: Goal) -> list[float]:
    """Dollars per unit of score, from where cost decides to where it hardly matters."""
    dear = float(np.median(outcomes.cost_usd.max(axis=1))) or 1e-9
    values = [float(v) for v in np.geomspace(dear * 0.2, dear * 200, VALUES)]
    return [goal.amount, *values] if goal.kind == "value_usd" else values
