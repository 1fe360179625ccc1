"""Learning while answering: which models to call, when only what was returned is ever scored.

Each prompt gets the plan of `routing/optimising.py` at a price of quality that is steered so that
the expected loss against the best single model stays within a bound over a window (the idea of
conservative bandits: Wu, Shariff, Lattimore, Szepesvari, ICML 2016). What is not returned can be
learned of without a loss: a second model is paid, the reference is returned, and equal answers
have equal scores. A stated share of what is spent goes there, with a logged propensity.
"""

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Final

from pointsman.learning.online_beliefs import Belief, Beliefs, Drift, inferred
from pointsman.learning.signals import canonical
from pointsman.routing.optimising import (
    SAME_FAMILY,
    GateQuality,
    Objective,
    Option,
    optimise,
    weigh,
)

WINDOW: Final = 500  # outcomes over which quality is held
UNIQUE: Final = 0.85  # share of equal ones among two right answers, where a task is not known
_PASSES: Final = 0.995  # of right answers can be read
_BURST: Final = 120  # outcomes after the start or a shift with twice the share for looking
_ALLOWED: Final = 8.0  # calls of the reference that may be spent on looking before any share is
_START: Final = 30.0  # price of quality: calls of the reference that a unit of score is worth
_LOWEST: Final = 3.0
_HIGHEST: Final = 400.0
_DEARER: Final = 1.04  # the price after each outcome over the bound
_CHEAPER: Final = 1.01  # and what it is divided by after each other
_EVIDENCE: Final = 60  # outcomes of a dearer model before it can become the reference
_CLEARLY: Final = 0.03  # by which its mean must lie above the reference's
_SURPRISE: Final = 0.1  # of what a returned reply did worse than believed counts as loss
_RISK: Final = 0.1  # of being wrong alone, held against a model: it makes windows swing
_HOPE: Final = 1.0  # standard deviations above its belief at which a model must be worth a look
_LOOKS: Final = 0.3  # chance of a look while there is money for it


@dataclass(frozen=True, slots=True)
class Settings:
    """What the learner may do.

    loss: mean score that it may expect to lose to the best single model over a window;
    looking: share of what is spent that may go to replies that are not returned.
    """

    loss: float = 0.002
    looking: float = 0.06


@dataclass(frozen=True, slots=True)
class Seen:
    """What is used of a reply that was paid."""

    answer: str | None
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Prior:
    """What is expected of each model before anything was seen; a cost is None where unknown."""

    chance: tuple[float, ...]
    cost_usd: tuple[float | None, ...]
    unique: float = UNIQUE


@dataclass(frozen=True, slots=True)
class Pending:
    """A step whose score is still to come."""

    task: str
    prior: Prior
    beliefs: tuple[Belief, ...]
    paid: dict[int, Seen]
    returned: int
    reference: int
    look: int | None
    propensity: float
    draw: float
    loss: float


@dataclass(frozen=True, slots=True)
class Done:
    """One step for the log: why it was so, how probable, and what it was expected to lose."""

    step: int
    reason: str
    calls: tuple[str, ...]
    returned: str
    reference: str
    propensity: float
    draw: float
    expected_loss: float
    price: float
    shift: bool


@dataclass(slots=True)
class Learner:
    """All that was learned, one outcome after the other; not for several threads.

    `reference` is the position of the best single model as far as is known; where it is not given
    the last model is it until every price is known, and then the dearest.
    """

    models: tuple[str, ...]
    settings: Settings = field(default_factory=Settings)
    reference: int | None = None
    price: float = _START
    beliefs: Beliefs = field(init=False)
    _drift: Drift = field(default_factory=Drift)
    _losses: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _means: list[float] = field(init=False)
    _told: list[int] = field(init=False)
    _spent: float = 0.0
    _looked: float = 0.0
    _step: int = 0
    _since: int = 0

    def __post_init__(self) -> None:
        self.beliefs = Beliefs(self.models)
        self._means = [0.0] * len(self.models)
        self._told = [0] * len(self.models)

    def answer(
        self, task: str, prior: Prior, draw: float
    ) -> Generator[int, Seen, tuple[int, Pending]]:
        """Yields positions of models to call, is sent what each replied, gives whose reply counts.

        Tell what became of it with `learn`. draw in [0, 1) decides whether to look.
        """
        beliefs = tuple(
            self.beliefs.of(task, j, prior.chance[j], prior.cost_usd[j])
            for j in range(len(self.models))
        )
        reference = self._reference(beliefs)
        plan = self._plan(beliefs, reference)
        look, propensity = self._looks(beliefs, reference, plan, draw)
        loss = 0.0
        if look is None:
            loss = (
                beliefs[reference].chance - weigh([_option(j, beliefs[j]) for j in plan]).accepted
            )
        paid: dict[int, Seen] = {}
        returned = reference
        for j in plan if look is None else (reference, look):
            paid[j] = yield j
            unreadable = canonical(paid[j].answer) is None
            self.beliefs.tell_reply(task, j, paid[j].cost_usd, unreadable)
            if look is None:
                returned = j
                if not unreadable:
                    break
        return returned, Pending(
            task, prior, beliefs, paid, returned, reference, look, propensity, draw, loss
        )

    def learn(self, pending: Pending, score: float) -> Done:
        """The score, in [0, 1], of what was returned."""
        task, prior, back = pending.task, pending.prior, pending.returned
        expected = self.beliefs.tell(task, back, prior.chance[back], score)
        self._told[back] += 1
        said = canonical(pending.paid[back].answer)
        for j, seen in pending.paid.items():
            if j != back:
                bare = canonical(seen.answer)
                known = 0.0 if bare is None else inferred(
                    score, bare == said, chance=pending.beliefs[j].chance,
                    returned=pending.beliefs[back].chance, unique=prior.unique,
                )  # fmt: skip
                self.beliefs.tell(task, j, prior.chance[j], known)
                self._told[j] += 1
        shift = self._account(pending, score, expected)
        look = pending.look
        return Done(
            self._step - 1, "plan" if look is None else f"looks at {self.models[look]}",
            tuple(self.models[j] for j in pending.paid), self.models[back],
            self.models[pending.reference], pending.propensity, pending.draw, pending.loss,
            self.price, shift,
        )  # fmt: skip

    def _account(self, pending: Pending, score: float, expected: float) -> bool:
        self._step += 1
        self._since += 1
        self._spent += sum(seen.cost_usd for seen in pending.paid.values())
        if pending.look is not None:
            self._looked += pending.paid[pending.look].cost_usd
        turn = max(1.0 / WINDOW, 1.0 / self._step)
        for j, belief in enumerate(pending.beliefs):
            self._means[j] += turn * (belief.chance - self._means[j])
        worse = 0.0 if pending.returned == pending.reference else expected - score
        self._losses.append(pending.loss + _SURPRISE * worse)
        over = sum(self._losses) / max(100, len(self._losses)) > self.settings.loss
        self.price = (
            min(_HIGHEST, self.price * _DEARER) if over else max(_LOWEST, self.price / _CHEAPER)
        )
        shift = self._drift.tell(score, expected)
        if shift:
            self.beliefs.doubt()
            self._since = 0
            self.price = max(self.price, _START)
        return shift

    def _reference(self, beliefs: Sequence[Belief]) -> int:
        if self.reference is None:
            if any(belief.cost_usd <= 0.0 for belief in beliefs):
                return len(beliefs) - 1
            self.reference = max(range(len(beliefs)), key=lambda j: beliefs[j].cost_usd)
        now = self._means[self.reference]
        better = [
            j
            for j, told in enumerate(self._told)
            if told >= _EVIDENCE
            and self._means[j] > now + _CLEARLY
            # A cheaper one that is better gets the calls without being the measure of loss.
            and beliefs[j].cost_usd > beliefs[self.reference].cost_usd
        ]
        if better:
            self.reference = max(better, key=lambda j: self._means[j])
        return self.reference

    def _plan(self, beliefs: Sequence[Belief], reference: int) -> list[int]:
        own = beliefs[reference]
        options = [_option(reference, own)]
        for j, belief in enumerate(beliefs):
            # Quality above the reference's is not bought at the price of a loss.
            if j != reference and 0.0 < belief.cost_usd <= own.cost_usd:
                options.append(_option(j, belief, _RISK * _wrong_alone(own.chance, belief.chance)))
        objective = Objective(value_usd_picos=self.price * own.cost_usd, most_steps=2)
        found = optimise(options, objective)
        assert found is not None, "the reference can always be called"
        return [int(arm) for arm in found.best.arms]

    def _looks(
        self, beliefs: Sequence[Belief], reference: int, plan: Sequence[int], draw: float
    ) -> tuple[int | None, float]:
        """Which second model to pay for what it teaches, and the chance that it came so."""
        unknown = [j for j, b in enumerate(beliefs) if b.cost_usd <= 0.0 and j != reference]
        if unknown:
            return unknown[0], 1.0
        own = beliefs[reference]
        share = self.settings.looking * (2.0 if self._since < _BURST else 1.0)
        if self._looked > share * self._spent + _ALLOWED * own.cost_usd or plan[0] != reference:
            return None, 1.0
        worth = {
            j: 1.0 - belief.cost_usd / own.cost_usd
            - self.price * (own.chance - belief.at_best(_HOPE))
            for j, belief in enumerate(beliefs)
            if j != reference
        }  # fmt: skip
        best = max(worth, key=lambda j: worth[j], default=None)
        if best is None or worth[best] <= 0.0:
            return None, 1.0
        return (best, _LOOKS) if draw < _LOOKS else (None, 1.0 - _LOOKS)


def _wrong_alone(right: float, chance: float) -> float:
    """The chance that the reference is right and a model of this chance is not."""
    both = right * chance
    both += SAME_FAMILY * sqrt(right * (1.0 - right) * chance * (1.0 - chance))
    return max(0.0, right - min(both, right, chance))


def _option(j: int, belief: Belief, held_back: float = 0.0) -> Option:
    """An arm whose gate is that an answer can be read."""
    wrong = max(1e-9, 1.0 - belief.chance)
    gate = GateQuality(_PASSES, 1.0 - min(0.98, belief.unreadable / wrong))
    return Option(str(j), max(0.0, belief.chance - held_back), belief.cost_usd, gate=gate)
