"""Replay recorded replies through a cascade, paying for each one before it is looked at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.learning.cascading import Cascade, Known, Paid
from pointsman.learning.outcomes import Outcomes
from pointsman.learning.router import CHOSEN, Router
from pointsman.learning.signals import Replies, replies_of

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


class Till:
    """Hands out replies only against payment, and keeps the bill.

    Nothing but `pay` gives a reply; what is offered, and at what it was billed, is all that can
    be known besides.
    """

    def __init__(self, replies: Mapping[int, Replies], offered: NDArray[np.bool_]) -> None:
        self.__replies = replies
        self.offered = offered  # [n, m] whether there is a reply at all
        self.order = np.full(offered.shape, -1, dtype=np.intp)  # [n, m] position on the bill
        self.spent_usd = np.zeros(len(offered))

    def pay(self, at: Rows, model: int) -> None:
        """Put one call for each of these prompts on the bill."""
        assert self.offered[at, model].all(), "only what is offered can be paid"
        assert (self.order[at, model] < 0).all(), "no reply is paid twice"
        self.order[at, model] = (self.order[at] >= 0).sum(axis=1)
        self.spent_usd[at] += self.__replies[model].cost_usd[at]

    def read(self, at: Rows, model: int) -> Replies:
        """The replies for these prompts. Raises: PermissionError for one that was not paid."""
        if (self.order[at, model] < 0).any():
            raise PermissionError(f"replies of model {model} are read that were not paid")
        return self.__replies[model].rows(at)

    def calls(self) -> Iterator[list[int]]:
        """The models paid for each prompt, in order."""
        for row in self.order:
            paid = np.flatnonzero(row >= 0)
            yield [int(j) for j in paid[np.argsort(row[paid])]]


@dataclass(frozen=True, slots=True)
class Played:
    """What came of n prompts: whose reply is returned, and the chance that it is right."""

    returned: Rows
    chance: Floats


def play(cascade: Cascade, known: Known, till: Till, point: int) -> Played:
    """Run every prompt to its end at one operating point, the bill being kept by the till.

    A prompt for which nothing is offered that the cascade may call is returned as -1.
    """
    n = len(known.length)
    returned, chance = np.full(n, -1, dtype=np.intp), np.zeros(n)
    open_: dict[Paid, Rows] = {(): np.arange(n, dtype=np.intp)}
    while open_:
        following: dict[Paid, list[Rows]] = {}
        for paid, at in open_.items():
            replies = {j: till.read(at, j) for j in paid}
            choice = cascade.choose(paid, known.rows(at), replies, point, till.offered[at])
            returned[at], chance[at] = choice.best, choice.chance
            for j in np.unique(choice.call[choice.call >= 0]):
                go = at[choice.call == j]
                till.pay(go, int(j))
                following.setdefault(tuple(sorted((*paid, int(j)))), []).append(go)
        open_ = {paid: np.concatenate(parts) for paid, parts in following.items()}
    return Played(returned, np.where(returned >= 0, chance, 0.0))


def replay(
    router: Router, candidates: Outcomes, points: Sequence[str]
) -> Iterator[tuple[str, list[tuple[int, list[int]]]]]:
    """For each operating point its name and, by prompt, the model returned and the calls paid.

    Where the cascade does not hold the chosen point, or a prompt has no reply of the models that
    it may call, the router's own choice among what is offered is called alone.
    """
    estimates = router.estimate_many(candidates.prompts, candidates.tasks)
    known = Known.of(estimates, candidates.prompts)
    offered = ~np.isnan(candidates.cost_usd)
    replies = replies_of(candidates)
    cascade = router.cascade
    values = {} if cascade is None else {n: i for i, n in enumerate(cascade.names[1:])}
    for name in points:
        till = Till(replies, offered)
        at = values.get(name) if name != CHOSEN or cascade is None else cascade.chosen
        alone = router.choose_among(
            estimates, router.point(name if at is None else CHOSEN), offered
        )
        if cascade is None or at is None:
            returned = alone
            _pay_each(till, np.arange(len(alone), dtype=np.intp), alone)
        else:
            returned = play(cascade, known, till, at).returned
            left = np.flatnonzero(returned < 0)
            returned[left] = alone[left]
            _pay_each(till, left, alone)
        yield name, list(zip(map(int, returned), till.calls(), strict=True))


def _pay_each(till: Till, rows: Rows, models: Rows) -> None:
    for j in np.unique(models[rows]):
        till.pay(rows[models[rows] == j], int(j))
