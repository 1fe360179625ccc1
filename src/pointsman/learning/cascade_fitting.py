"""Fit a cascade on outcomes of every model: posteriors, then worths from the last call backward."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pointsman.learning.cascading import Cascade, Known, Node, Paid, outlook, state_of
from pointsman.learning.outcomes import Outcomes
from pointsman.learning.signals import Replies

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
MOST_PAID = 3
MOST_MEMBERS = 4
_LEAST_GAIN = 0.0005  # of mean worth in score: what another member must add
_TO_CURATE = 3000  # prompts on which members are compared
_RIDGE = 10.0
_TURNS = 12


@dataclass(frozen=True, slots=True)
class World:
    """What is fitted on; score [n, m]. Posteriors are kept, for lattices share them."""

    known: Known
    replies: Mapping[int, Replies]
    score: Floats
    values_usd: Floats
    unit_usd: float
    usual: Floats
    kept: dict[Paid, tuple[Floats, Floats, Floats]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, outcomes: Outcomes, known: Known, replies: Mapping[int, Replies],
        values_usd: Sequence[float],
    ) -> "World":  # fmt: skip
        """The world of recorded outcomes; see `fit_cascade`."""
        unit = float(np.median(outcomes.cost_usd.max(axis=1))) or 1e-9
        usual = np.array([_mean(replies[j].log_tokens) for j in range(len(outcomes.models))])
        return cls(known, replies, outcomes.score, np.asarray(values_usd, float), unit, usual)

    def rows(self, at: Rows) -> "World":
        """Some of the prompts."""
        replies = {j: each.rows(at) for j, each in self.replies.items()}
        return World(self.known.rows(at), replies, self.score[at], self.values_usd, self.unit_usd,
                     self.usual)  # fmt: skip


def fit_cascade(
    world: World,
    members: Paid,
    *,
    most_paid: int = MOST_PAID,
    progress: Callable[[int, str], None] = lambda done, remark: None,
) -> Cascade:
    """A cascade that may call these models.

    The world's `known` holds estimates that are out of fold, or posteriors would trust them.
    """
    nodes, _ = _lattice(world, members, most_paid, progress)
    return Cascade(list(map(float, world.values_usd)), world.unit_usd, world.usual, nodes)


def curated(world: World, *, most: int = MOST_MEMBERS, most_paid: int = MOST_PAID) -> Paid:
    """Which models are worth having in a cascade, found one after the other.

    Starts with the best single model; each step adds the one that raises the mean worth over all
    operating points most. A small curated set beats a large one: every further state is one more
    estimate that can flatter itself.
    """
    n, m = world.score.shape
    if n > _TO_CURATE:
        world = world.rows(np.linspace(0, n - 1, _TO_CURATE).astype(np.intp))
    members: Paid = (int(world.score.mean(axis=0).argmax()),)
    worth = _worth(world, members, most_paid)
    while len(members) < min(most, m):
        tried = {
            j: _worth(world, tuple(sorted((*members, j))), most_paid)
            for j in range(m)
            if j not in members
        }
        best = max(tried, key=lambda j: tried[j])
        if tried[best] < worth + _LEAST_GAIN:
            break
        members, worth = tuple(sorted((*members, best))), tried[best]
    return members


def _worth(world: World, members: Paid, most_paid: int) -> float:
    _, root = _lattice(world, members, most_paid, lambda done, remark: None)
    return float(root.mean())


def _lattice(
    world: World, members: Paid, most_paid: int, progress: Callable[[int, str], None]
) -> tuple[list[Node], Floats]:
    """All states over the members, and each prompt's worth before anything is paid, [n, v]."""
    nodes: list[Node] = []
    then: dict[Paid, Floats] = {}
    deepest = min(most_paid, len(members))
    for size in range(deepest, -1, -1):
        now: dict[Paid, Floats] = {}
        for paid in combinations(members, size):
            unpaid = tuple(j for j in members if j not in paid) if size < deepest else ()
            node, now[paid] = _node(world, paid, unpaid, then)
            nodes.append(node)
        then = now
        progress(deepest - size, f"{size} paid")
    return nodes[::-1], then[()]


def _node(
    world: World, paid: Paid, unpaid: Paid, then: Mapping[Paid, Floats]
) -> tuple[Node, Floats]:
    """The node, and what each training prompt is worth in this state at each point, [n, v]."""
    n, v = len(world.score), len(world.values_usd)
    if paid not in world.kept:
        state = state_of(paid, world.known, world.replies, world.usual)
        right = np.zeros((state.shape[1], len(paid)))
        for k, j in enumerate(paid):
            right[:, k] = logistic(state, world.score[:, j])
        chance = 1.0 / (1.0 + np.exp(-np.clip(state @ right, -30.0, 30.0)))
        world.kept[paid] = state, right, chance
    state, right, chance = world.kept[paid]
    stop = chance.max(axis=1) if paid else np.full(n, -np.inf)
    now = np.repeat(stop[:, None], v, axis=1)
    if not unpaid:
        none = np.zeros((0, 0))
        return Node(paid, (), right, none[..., None], none), now
    u = len(unpaid)
    numbers = outlook(state, chance, world.known, unpaid)
    after = np.stack([then[tuple(sorted((*paid, j)))] for j in unpaid], axis=1)  # [n, u, v]
    spent = np.stack([world.replies[j].cost_usd for j in unpaid], axis=1) / world.unit_usd
    weights = _ridge(numbers, np.hstack([after.reshape(n, -1), spent]))
    worth, cost = weights[:, : u * v].reshape(-1, u, v), weights[:, u * v :]
    price = world.unit_usd / world.values_usd
    gain = (numbers @ weights[:, : u * v]).reshape(n, u, v)
    gain -= np.maximum(0.0, numbers @ cost)[:, :, None] * price
    top = gain.argmax(axis=1)[:, None]
    go = np.take_along_axis(gain, top, axis=1)[:, 0] > now
    real = np.take_along_axis(after - spent[:, :, None] * price, top, axis=1)[:, 0]
    return Node(paid, unpaid, right, worth, cost), np.where(go, real, now)


def logistic(x: Floats, y: Floats) -> Floats:
    """Weights of a ridge logistic regression; y in [0, 1], the first column of x the constant.

    Newton's method; the constant is not held back.
    """
    hold = np.full(x.shape[1], _RIDGE)
    hold[0] = 1e-6
    w: Floats = np.zeros(x.shape[1])
    for _ in range(_TURNS):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ w, -15.0, 15.0)))
        curve = (x * (p * (1.0 - p) + 1e-4)[:, None]).T @ x
        curve[np.diag_indices_from(curve)] += hold
        step = np.linalg.solve(curve, x.T @ (y - p) - hold * w).astype(np.float64)
        w = w + step
        if np.abs(step).max() < 1e-2:
            break
    return w


def _ridge(x: Floats, y: Floats) -> Floats:
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += _RIDGE
    found: Floats = np.linalg.solve(gram, x.T @ y).astype(np.float64)
    return found


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0
