"""Operating points: what a unit of score is worth, so that a goal holds at the least cost."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pointsman.domain.errors import UsageError
from pointsman.learning.outcomes import Outcomes
from pointsman.learning.router import CHOSEN, Estimates, Of, Point

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
VALUES = 100  # tried between the cheapest choice and the best
# Standard errors that an estimate must lie above its goal. The least cost among many noisy
# estimates flatters itself: on 600 random halvings of recorded outcomes (1,083 prompts, goal .99)
# no margin gave .987 on the other part, this one .991, one standard error .998 (a third less
# saved).
MARGIN = 0.25


@dataclass(frozen=True, slots=True)
class Goal:
    """What the chosen point must do, at the least expected cost.

    quality: share of the best single model's score; floor: accepted rate; value_usd: no bound,
    an accepted output is worth so many dollars.
    """

    kind: Literal["quality", "floor", "value_usd"] = "quality"
    amount: float = 1.0

    def __post_init__(self) -> None:
        top = 2.0 if self.kind == "quality" else 1.0
        if self.kind == "value_usd":
            top = float("inf")
        if not 0.0 < self.amount <= top:
            raise UsageError(f"--{self.kind.replace('_', '-')} {self.amount:g} is out of range",
                             why=f"it lies above 0 and up to {top:g}")  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {"kind": self.kind, "amount": self.amount}


def choose_points(estimates: Estimates, outcomes: Outcomes, goal: Goal) -> list[Point]:
    """The chosen point and a few others along the curve, from estimates that are out of fold.

    quality and floor: the least cost among the values whose outcomes, less `MARGIN` standard
    errors, reach the goal; where none does, the most that was reached.
    """
    of: Of = "score" if goal.kind == "quality" else "accepted"
    worth = estimates.score if of == "score" else estimates.accepted
    values = values_to_try(estimates.cost_usd)
    choices = [chosen_at(value, worth, estimates.cost_usd) for value in values]
    tried = [
        Point(f"value_{value:.3g}", float(value), expected(outcomes, at), of)
        for value, at in zip(values, choices, strict=True)
    ]
    others = tried[:: max(1, len(tried) // 15)]
    if goal.kind == "value_usd":
        at = chosen_at(goal.amount, worth, estimates.cost_usd)
        return [Point(CHOSEN, goal.amount, expected(outcomes, at), of), *others]
    over = [_over(goal, outcomes, at) for at in choices]
    enough = [i for i, x in enumerate(over) if x >= 0.0]
    if enough:
        best = min(enough, key=lambda i: tried[i].expected["cost_usd"])
    else:
        best = max(range(len(over)), key=over.__getitem__)
    return [Point(CHOSEN, tried[best].value_usd, tried[best].expected, of), *others]


def _over(goal: Goal, outcomes: Outcomes, at: Rows) -> float:
    """By how much a policy passes the goal, the margin taken off."""
    rows = np.arange(len(at))
    if goal.kind == "floor":
        paired = outcomes.accepted[rows, at] - goal.amount
    else:
        single = int(outcomes.score.mean(axis=0).argmax())
        paired = outcomes.score[rows, at] - goal.amount * outcomes.score[:, single]
    return float(paired.mean() - MARGIN * paired.std() / len(at) ** 0.5)


def values_to_try(cost: Floats) -> Floats:
    """Dollars per unit of score, from where cost alone decides to where it hardly matters."""
    spread = cost.max(axis=1) - cost.min(axis=1)
    typical = float(np.median(spread)) or float(cost.max()) or 1e-9
    return np.geomspace(typical * 0.05, typical * 1e4, VALUES)


def chosen_at(value_usd: float, score: Floats, cost: Floats) -> Rows:
    """Which model has the largest value * score - cost, by prompt; ties go to the cheaper one."""
    return np.lexsort((cost, cost - value_usd * score), axis=1)[:, 0]


def expected(outcomes: Outcomes, at: Rows) -> dict[str, float]:
    """Mean score, accepted and cost_usd of a policy on recorded outcomes."""
    rows = np.arange(len(at))
    return {
        "score": float(outcomes.score[rows, at].mean()),
        "accepted": float(outcomes.accepted[rows, at].mean()),
        "cost_usd": float(outcomes.cost_usd[rows, at].mean()),
    }
