"""The whole account of a choices file: every point and every baseline on the same prompts."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pointsman.domain.errors import UsageError
from pointsman.learning.baselines import Curve, prompt_length, task_mean
from pointsman.learning.outcomes import Outcomes
from pointsman.learning.router import CHOSEN
from pointsman.learning.scoring import (
    Choice,
    aiq,
    best_single,
    cheapest,
    cost_at,
    described,
    hull,
    oracle,
    score_at,
    scored,
    strong_share,
    taken,
)

Rows = dict[str, dict[str, tuple[str, tuple[str, ...]]]]


def read_choices(path: Path) -> Rows:
    """point -> prompt_id -> (model, every paid call), from a CSV: prompt_id, model, point, calls.

    Without `point` every row belongs to 'chosen'; without `calls` the model alone was paid for.
    Raises: UsageError for a file or column that is not there, or a prompt chosen for twice.
    """
    found: Rows = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            for name in ("prompt_id", "model"):
                if name not in (reader.fieldnames or ()):
                    raise UsageError(f"{path} has no column '{name}'",
                                     why=f"its columns: {reader.fieldnames}")  # fmt: skip
            for row in reader:
                point, key, model = row.get("point") or CHOSEN, row["prompt_id"], row["model"]
                if key in found.setdefault(point, {}):
                    raise UsageError(f"{path} chooses twice for {key} at point '{point}'")
                calls = tuple(c for c in (row.get("calls") or model).split(";") if c)
                if model not in calls:
                    raise UsageError(f"{path} delivers {model} for {key} without calling it")
                found[point][key] = (model, calls)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error)) from error
    if not found:
        raise UsageError(f"{path} holds no choices")
    return found


def models_of(rows: Rows) -> tuple[str, ...]:
    """Every model that any point calls, by name."""
    called = {m for chosen in rows.values() for _, calls in chosen.values() for m in calls}
    return tuple(sorted(called))


class Report:
    """All policies on the prompts that were chosen for and whose outcomes are known."""

    def __init__(self, outcomes: Outcomes, rows: Rows, train: Outcomes | None) -> None:
        """`outcomes` and `train` (rows to learn the baselines from) hold the same models.

        Raises: UsageError if no prompt with choices has outcomes of every model.
        """
        asked = set().union(*rows.values())
        here = np.array([key in asked for key in outcomes.prompt_ids], dtype=np.bool_)
        self.outcomes = outcomes.rows(here & outcomes.complete)
        self.left_out = len(asked) - len(self.outcomes)
        if not len(self.outcomes):
            raise UsageError(
                "no prompt of the choices has an outcome of every model",
                why=f"models: {', '.join(outcomes.models)}",
                next="--models names those to compare",
            )
        if train is not None:
            apart = np.array([key not in asked for key in train.prompt_ids], dtype=np.bool_)
            train = train.rows(apart & train.complete)
        self.train = train if train is not None and len(train) >= 50 else None
        o = self.outcomes
        n = len(o)
        self.policies = scored(o, rows)
        self.singles = [taken(m, o, np.full(n, j, np.intp)) for j, m in enumerate(o.models)]
        self.best = self.singles[best_single(o)]
        self.cheapest = self.singles[cheapest(o)]
        self.oracle = taken("oracle", o, oracle(o))
        self.curves = [prompt_length(o, self.train), task_mean(o, self.train)]

    @property
    def chosen(self) -> Choice:
        """The point named 'chosen', or the only one, or the first."""
        named = [p for p in self.policies if p.name == CHOSEN]
        return (named or self.policies)[0]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as `--json` prints them."""
        points = [p.point for p in self.policies]
        return {
            "n": len(self.outcomes),
            "left_out": self.left_out,
            "models": list(self.outcomes.models),
            "chosen": self._described(self.chosen),
            "points": [self._described(p) for p in self.policies],
            "curve": self._curve([*points, self.cheapest.point]),
            "strong_share": self._shares(self.policies),
            "baselines": {
                "best single": self._described(self.best),
                "cheapest": self._described(self.cheapest),
                "oracle": self._described(self.oracle),
                "random mix": self._mixed("random mix", self.singles),
                **{c.name: self._mixed(c.name, c.policies) for c in self.curves},
            },
            "singles": [self._described(s) for s in self.singles],
            "baselines_learned_from": len(self.train) if self.train is not None else "other folds",
        }

    def _described(self, choice: Choice) -> dict[str, Any]:
        return described(choice, self.best, self.oracle)

    def _curve(self, points: Sequence[tuple[float, float]]) -> dict[str, float | None]:
        """AIQ, and where the hull meets the best single model."""
        costs = [single.point[0] for single in self.singles]
        level = cost_at(self.best.point[1], hull(points))
        return {
            "aiq": aiq(points, min(costs), max(costs)),
            "cost_at_best_single_score": level / self.best.point[0]
            if level is not None and self.best.point[0] > 0
            else None,
        }

    def _mixed(self, name: str, policies: Sequence[Choice]) -> dict[str, Any]:
        """A baseline that can be had at any cost: mixes by chance of its policies, in hindsight."""
        points = [p.point for p in policies]
        curve = hull(points)
        cost, score = self.chosen.point
        return {
            "point": name,
            "score_at_chosen_cost": score_at(cost, curve),
            "cost_at_chosen_score": cost_at(score, curve),
            **self._curve(points),
            **self._shares(policies),
        }

    def _shares(self, policies: Sequence[Choice]) -> dict[str, float | None]:
        """APGR and CPT over strong calls, or over cost where more than two models are called."""
        weak, strong = self.cheapest, self.best
        two = {weak.models[0], strong.models[0]}
        width = strong.point[0] - weak.point[0]

        def share(p: Choice) -> float:
            if set(p.models) <= two:
                return p.models.count(strong.models[0]) / len(p.models)
            return (p.point[0] - weak.point[0]) / width if width > 0 else 0.0

        points = [(share(p), p.point[1]) for p in policies]
        return dict(strong_share(points, weak.point[1], strong.point[1]))


def lines(curve: Curve) -> list[tuple[float, float]]:
    """The hull of a baseline, for plots."""
    return hull(curve.points)
