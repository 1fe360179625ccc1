"""A cascade as it decides: after each paid reply, stop with the best one or call which next.

The state is the set of models that were paid, and numbers: what the router expected of every model,
the signals of the replies, and which of them agree. For each state there are a posterior
(is this model's reply right) and the worth of each call that is left, both fitted by backward
induction in `cascade_fitting.py`. With nothing paid this is routing; so one call, a cascade and
anything between are decided alike, from expected worth.

Source: optimal stopping by regression (Longstaff and Schwartz 2001, Review of Financial Studies
14, 113-147), on the states of cascade routing (arXiv 2410.10347).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman.learning.router import CHOSEN, Estimates
from pointsman.learning.signals import Replies, alike, signs

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Paid = tuple[int, ...]  # positions of models, rising


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of n prompts before anything is paid; arrays [n, m] but `length` [n]."""

    score: Floats
    output_tokens: Floats
    cost_usd: Floats
    length: Floats  # logarithm of the prompt's characters

    @classmethod
    def of(cls, estimates: Estimates, prompts: Sequence[str]) -> "Known":
        """From what the router expects."""
        length = np.log(np.array([len(prompt) for prompt in prompts], dtype=float) + 1.0)
        return cls(estimates.score, estimates.output_tokens, estimates.cost_usd, length)

    def rows(self, at: Rows) -> "Known":
        """Some of the prompts."""
        return Known(self.score[at], self.output_tokens[at], self.cost_usd[at], self.length[at])


@dataclass(frozen=True, slots=True)
class Node:
    """What was fitted for one set of paid models (p of them, u to call next, v points).

    right [d, p]: log odds that the reply of a paid model is right, from d numbers of the state;
    worth [e, u, v]: worth of a call, in score, before its cost; cost [e, u]: that cost in units.
    """

    paid: Paid
    unpaid: Paid
    right: Floats
    worth: Floats
    cost: Floats


@dataclass(frozen=True, slots=True)
class Choice:
    """Of each prompt: the model to call next, or -1: return the reply of `best`."""

    call: Rows
    best: Rows  # -1 where nothing was paid
    chance: Floats  # that the reply of `best` is right


class Cascade:
    """Decisions at each of v operating points; `values_usd` is what a unit of score is worth."""

    def __init__(
        self,
        values_usd: Sequence[float],
        unit_usd: float,
        usual: Floats,
        nodes: Sequence[Node],
        chosen: int | None = None,
    ) -> None:
        self.values_usd = tuple(values_usd)
        self.unit_usd = unit_usd  # costs are fitted in units of so many dollars
        self.usual = usual  # [m] mean of `Replies.log_tokens`
        self.nodes = {node.paid: node for node in nodes}
        self.chosen = chosen  # the point that the goal asks for; None: the router alone holds it
        self.unique: dict[str, float] = {}  # by task: share of equal ones among two right answers
        self.expected: tuple[dict[str, float], ...] = ()  # cross-validated, of each point

    @property
    def names(self) -> list[str]:
        """The operating points: 'chosen', then all by what a unit of score is worth."""
        return [CHOSEN, *(f"value_{value:.3g}" for value in self.values_usd)]

    def choose(
        self,
        paid: Paid,
        known: Known,
        replies: Mapping[int, Replies],
        point: int,
        offered: NDArray[np.bool_] | None = None,
    ) -> Choice:
        """What to do next for prompts that have the same models paid.

        Args: replies of the paid models by position; offered [n, m] leaves models out.
        """
        node = self.nodes[paid]
        state = state_of(paid, known, replies, self.usual)
        n = len(known.length)
        right = posterior(node, state)
        best, chance = np.full(n, -1, dtype=np.intp), np.full(n, -np.inf)
        if paid:
            top = right.argmax(axis=1)
            best, chance = np.array(paid, dtype=np.intp)[top], right[np.arange(n), top]
        if not node.unpaid:
            return Choice(np.full(n, -1, dtype=np.intp), best, chance)
        numbers = outlook(state, right, known, node.unpaid)
        worth, cost = numbers @ node.worth[:, :, point], np.maximum(0.0, numbers @ node.cost)
        gain = worth - cost * (self.unit_usd / self.values_usd[point])
        unpaid = np.array(node.unpaid, dtype=np.intp)
        if offered is not None:
            gain = np.where(offered[:, unpaid], gain, -np.inf)
        top = gain.argmax(axis=1)
        go = gain[np.arange(n), top] > chance
        return Choice(np.where(go, unpaid[top], -1), best, chance)

    def dump(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Plain values and arrays, from which `restore` makes it again."""
        arrays: dict[str, NDArray[Any]] = {"usual": self.usual}
        listed = []
        for i, node in enumerate(self.nodes.values()):
            listed.append({"paid": list(node.paid), "unpaid": list(node.unpaid)})
            for name in _ARRAYS:
                arrays[f"{i}.{name}"] = getattr(node, name).astype("<f4")
        return {
            "values_usd": list(self.values_usd), "unit_usd": self.unit_usd, "nodes": listed,
            "chosen": self.chosen, "expected": list(self.expected), "unique": self.unique,
        }, arrays  # fmt: skip

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> "Cascade":
        """Raises: KeyError, TypeError or ValueError if something is missing."""
        nodes = [
            Node(
                tuple(map(int, each["paid"])), tuple(map(int, each["unpaid"])),
                **{name: arrays[f"{i}.{name}"].astype(float) for name in _ARRAYS},
            )
            for i, each in enumerate(values["nodes"])
        ]  # fmt: skip
        found = cls(values["values_usd"], values["unit_usd"], arrays["usual"], nodes,
                    chosen=values["chosen"])  # fmt: skip
        found.expected = tuple(values["expected"])
        found.unique = {str(task): float(share) for task, share in values["unique"].items()}
        return found


_ARRAYS = ("right", "worth", "cost")


def state_of(paid: Paid, known: Known, replies: Mapping[int, Replies], usual: Floats) -> Floats:
    """The numbers of prompts of which these models were paid, [n, d]."""
    odds = _odds(known.score)
    columns = [np.ones((len(odds), 1)), odds]
    lengths = {}
    for i in paid:
        found = signs(replies[i], known.output_tokens[:, i], float(usual[i]))
        lengths[i] = found[:, 1]
        columns.append(found)
    for a, b in combinations(paid, 2):
        same = alike(replies[a], replies[b])
        parts = [np.ones(len(same)), odds[:, a], odds[:, b], lengths[a], lengths[b]]
        columns.append(np.column_stack(parts) * same[:, None])
    return np.hstack(columns)


def posterior(node: Node, state: Floats) -> Floats:
    """The chance that each paid model's reply is right, [n, p]."""
    found: Floats = 1.0 / (1.0 + np.exp(-np.clip(state @ node.right, -30.0, 30.0)))
    return found


def outlook(state: Floats, right: Floats, known: Known, unpaid: Paid) -> Floats:
    """The numbers from which worth and cost of a call are read, [n, e]."""
    left = list(unpaid)
    best = right.max(axis=1) if right.shape[1] else np.zeros(len(right))
    most = known.score[:, left].max(axis=1)
    return np.column_stack(
        [
            state, right, best**2, most, most**2, best * most,
            best[:, None] * known.score[:, left], known.length, np.exp(known.length - 7.0),
            np.log(np.maximum(known.cost_usd[:, left], 1e-9)) + 9.0,
        ]
    )  # fmt: skip


def _odds(share: Floats) -> Floats:
    inside = np.clip(share, 0.01, 0.99)
    found: Floats = np.log(inside / (1.0 - inside))
    return found
