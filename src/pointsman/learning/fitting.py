"""Fit a router on recorded outcomes: members out of fold, their blend, the operating point."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pointsman.domain.errors import UsageError
from pointsman.learning import need
from pointsman.learning.blending import (
    blend,
    cost_scale,
    cost_weights,
    decision_value,
    folding,
    length_weight,
    member_weights,
)
from pointsman.learning.cascade_choosing import add_cascade
from pointsman.learning.choosing import Goal, choose_points, values_to_try
from pointsman.learning.estimators import (
    LEAST,
    MEMBERS,
    NEIGHBOURS,
    Estimator,
    Tables,
    longer_apart,
    nearest,
)
from pointsman.learning.features import SHAPE
from pointsman.learning.fitting_members import (
    COST_TREES,
    FEW_PROTOTYPES,
    PROTOTYPES,
    SMOOTHING,
    TREES,
    Design,
    design,
    familiarity,
    grown,
    linear,
    means_by_task,
    prototypes,
)
from pointsman.learning.forest import Forest
from pointsman.learning.outcomes import Outcomes
from pointsman.learning.router import Estimates, Router, marks

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
FOLDS = 5
STEPS = FOLDS + 2  # of progress
LEAST_PROMPTS = 20
MOST_PROMPTS = 24_000  # more are thinned out: estimates gain little and time grows
_COST_LEAF = 5
# Which members (`MEMBERS`) gains may come from; the set that decides best out of fold is taken.
_GAINS_FROM = ((0, 1, 2), (0, 1, 2, 3, 4, 5), (0,))
_DECIDING = slice(10, 75, 5)  # of the values tried: where decisions differ


def fit(
    outcomes: Outcomes,
    goal: Goal,
    *,
    with_task: bool = True,
    progress: Callable[[int, str], None] = lambda done, remark: None,
) -> Router:
    """A router for the models of the outcomes; the same for the same outcomes.

    Prompts without an outcome of every model are left out.
    Raises: UsageError where too few prompts are left; ExtraMissing without scikit-learn.
    """
    need("sklearn")
    whole = usable(outcomes)
    tasks = whole.tasks if with_task else ("",) * len(whole)
    progress(0, "words")
    held = out_of_fold(whole, tasks, progress=progress)
    progress(FOLDS + 1, "all rows")
    estimator = held.world.fitted(np.arange(len(whole)), held.weights)
    points = choose_points(held.estimates, whole, goal)
    cascade = add_cascade(whole, held.estimates, goal, points)
    notes = {
        "goal": goal.as_dict(),
        "prompts": len(whole),
        "prompts_left_out": len(outcomes) - len(whole),
        "with_task": with_task,
        "weights": {"gains": held.weights.members[0].tolist(),
                    "level": held.weights.members[1].tolist()},
    }  # fmt: skip
    progress(STEPS, "")
    return Router(whole.models, estimator, points, notes=notes, seen=marks(whole.prompts),
                  cascade=cascade)  # fmt: skip


def usable(outcomes: Outcomes) -> Outcomes:
    """The prompts with an outcome of every model, thinned out evenly where they are very many.

    Raises: UsageError where too few are left.
    """
    at = np.flatnonzero(outcomes.complete)
    if len(at) < LEAST_PROMPTS:
        raise UsageError(
            f"{len(at)} prompts have score and cost of all {len(outcomes.models)} models",
            why=f"at least {LEAST_PROMPTS} are needed",
            next="name models that answered the same prompts with --models",
        )
    if len(at) > MOST_PROMPTS:
        at = at[np.linspace(0, len(at) - 1, MOST_PROMPTS).astype(np.intp)]
    return outcomes.rows(at)


@dataclass(frozen=True, slots=True)
class Weights:
    """What joins the members: see `Tables`."""

    members: Floats
    constant: Floats
    cost: Floats
    cost_scale: Floats
    length: float


@dataclass(frozen=True, slots=True)
class Held:
    """Estimates of every prompt by members that had not seen it."""

    world: "World"
    weights: Weights
    estimates: Estimates


def out_of_fold(
    outcomes: Outcomes,
    tasks: tuple[str, ...],
    *,
    progress: Callable[[int, str], None] = lambda done, remark: None,
) -> Held:
    """Members fitted without each fold in turn, blended; equal prompts share a fold."""
    world = World.of(outcomes, tasks)
    folds = np.array([crc32(_plain(p).encode()) % FOLDS for p in outcomes.prompts])
    k = world.truth.shape[1]
    members = np.zeros((len(MEMBERS), len(outcomes), k))
    logs = np.zeros((2, *world.log_cost.shape))
    for fold in range(FOLDS):
        out = np.flatnonzero(folds == fold)
        if len(out) and len(out) < len(folds):
            members[:, out], logs[:, out] = world.held_out(np.flatnonzero(folds != fold), out)
        progress(fold + 1, "folds")
    cost = cost_weights(logs[0], logs[1], world.log_cost)
    mean = world.log_cost.mean(axis=0)
    log_estimate = cost[0] * logs[0] + cost[1] * logs[1] + (1 - cost.sum()) * mean
    scale = cost_scale(log_estimate, np.exp(world.log_cost))
    money = np.exp(log_estimate) * scale
    weights, constant, blended = _best_blend(world, outcomes, members, money[:, : world.models])
    flat = world.design.x
    apart = longer_apart(
        world.truth.mean(axis=0), np.array(length_of(flat)), flat[:, 0], world.models
    )
    length = length_weight(blended, apart, world.models)
    found = np.clip(blended + length * apart, LEAST, 1 - LEAST)
    joined = Weights(weights, constant, cost, scale, length)
    m = world.models
    estimates = Estimates(
        accepted=found[:, -m:], score=found[:, :m],
        cost_usd=money[:, :m], output_tokens=money[:, m:],
        doubt=np.sqrt(found[:, -m:] * (1 - found[:, -m:]) / NEIGHBOURS),
        n_like=np.full(len(found), float(NEIGHBOURS)),
    )  # fmt: skip
    return Held(world, joined, estimates)


def _best_blend(
    world: "World", outcomes: Outcomes, members: Floats, cost: Floats
) -> tuple[Floats, Floats, Floats]:
    """Weights, constant and blended estimates, gains being from the members that decide best."""
    m = world.models
    values = values_to_try(cost)[_DECIDING].tolist()
    found: list[tuple[Floats, Floats, Floats]] = []
    worth = []
    for which in _GAINS_FROM:
        weights, constant = member_weights(members, world.truth, m, gains_from=which)
        blended = blend(members, weights, constant, m)
        found.append((weights, constant, blended))
        worth.append(decision_value(blended[:, :m], cost, outcomes, values))
    return found[int(np.argmax(worth))]


def _plain(prompt: str) -> str:
    return "".join(c for c in prompt.lower() if c.isalnum())


def length_of(x: NDArray[np.float32]) -> tuple[float, float]:
    """Mean and spread of the log length of prompts with these features."""
    return float(x[:, 0].mean()), float(x[:, 0].std()) + 1e-6


@dataclass(frozen=True, slots=True)
class World:
    """Outcomes as targets beside the design of their prompts."""

    models: int
    tasks: tuple[str, ...]
    truth: Floats  # [n, k]
    log_cost: Floats  # [n, 2m]
    design: Design
    familiar: Floats  # see `Tables`
    range: Floats

    @classmethod
    def of(cls, outcomes: Outcomes, tasks: tuple[str, ...]) -> "World":
        """`tasks` holds "" for every prompt where they shall not be used."""
        scored = bool((outcomes.score != outcomes.accepted).any())
        parts = [outcomes.score, outcomes.accepted] if scored else [outcomes.accepted]
        cost = np.maximum(outcomes.cost_usd, 1e-12)
        known = np.where(np.isnan(outcomes.output_tokens), 0.0, outcomes.output_tokens)
        whole = design(outcomes.prompts)
        shape = whole.x[:, : len(SHAPE)]
        bounds = np.quantile(shape, [0.01, 0.99], axis=0).astype(np.float64)
        return cls(
            models=len(outcomes.models),
            tasks=tasks,
            truth=np.hstack(parts),
            log_cost=np.log(np.hstack([cost, np.maximum(known, 1.0)])),
            design=whole,
            familiar=familiarity(outcomes.prompts, bounds),
            range=bounds,
        )

    def forests(self, inside: Rows) -> tuple[Forest, Forest]:
        """Forests of outcomes with small and with large leaves."""
        x, y, n = self.design.x[inside], self.truth[inside], len(inside)
        small, large = int(np.clip(n // 100, 3, 10)), int(np.clip(n // 25, 6, 40))
        return grown(x, y, trees=TREES, leaf=small), grown(x, y, trees=TREES, leaf=large)

    def held_out(self, inside: Rows, out: Rows) -> tuple[Floats, Floats]:
        """Members' estimates [members, out, k] and log costs [2, out, 2m] for rows left out."""
        d, y, logs = self.design, self.truth[inside], self.log_cost[inside]
        names, at = self._task_rows(inside)
        mean = y.mean(axis=0)
        costs = grown(d.x[inside], logs, trees=COST_TREES, leaf=_COST_LEAF)
        chosen = inside[prototypes(len(inside))]
        near = nearest(d.inside[out] @ d.inside[chosen].T)
        words = [mean + d.words[out] @ linear(d.words[inside], y - mean, r) for r in SMOOTHING]
        members = np.stack([
            means_by_task(y, [self.tasks[i] for i in inside], names)[at[out]],
            *(forest.predict(d.x[out])[0] for forest in self.forests(inside)),
            *words,
            self.truth[chosen][near].mean(axis=1),
        ])  # fmt: skip
        by_task = means_by_task(logs, [self.tasks[i] for i in inside], names)[at[out]]
        return members, np.stack([by_task, costs.predict(d.x[out])[0]])

    def _task_rows(self, inside: Rows) -> tuple[tuple[str, ...], Rows]:
        names = tuple(sorted({self.tasks[i] for i in inside} - {""}))
        row = {name: i for i, name in enumerate(names)}
        return names, np.array([row.get(t, len(names)) for t in self.tasks], dtype=np.intp)

    def fitted(self, inside: Rows, weights: Weights) -> Estimator:
        """The estimator from all rows given."""
        d, y, logs = self.design, self.truth[inside], self.log_cost[inside]
        names, _ = self._task_rows(inside)
        tasks = [self.tasks[i] for i in inside]
        mean, k, two = y.mean(axis=0), y.shape[1], logs.shape[1]
        fold = [folding(w, self.models, k) for w in weights.members.T]
        small, large = self.forests(inside)
        trees = small.times(fold[1]).and_more(large.times(fold[2]))
        costs = grown(d.x[inside], logs, trees=COST_TREES, leaf=_COST_LEAF)
        words = sum(
            linear(d.words[inside], y - mean, r) @ f
            for r, f in zip(SMOOTHING, fold[3:5], strict=True)
        )
        stacked = np.hstack([d.encoder.words, words]).astype(np.float32)
        most = PROTOTYPES if weights.members[:, 5].any() else FEW_PROTOTYPES
        chosen = inside[prototypes(len(inside), most)]
        log_mean = logs.mean(axis=0)
        by_task = means_by_task(logs, tasks, names)
        tables = Tables(
            constant=weights.constant + mean @ (fold[3] + fold[4]),
            task=means_by_task(y, tasks, names) @ fold[0],
            task_log_cost=weights.cost[0] * by_task + (1 - weights.cost.sum()) * log_mean,
            prototypes=d.inside[chosen],
            prototype_values=(self.truth[chosen] @ fold[5]).astype(np.float32),
            mean=mean,
            log_cost_mean=log_mean,
            cost_scale=weights.cost_scale,
            familiar=self.familiar,
            range=self.range,
            length=np.array([*length_of(d.x[inside]), weights.length]),
        )
        return Estimator(
            models=self.models,
            tasks=names,
            encoder=replace(d.encoder, words=stacked),
            forest=trees.beside(costs.times(weights.cost[1] * np.eye(two))),
            tables=tables,
        )
