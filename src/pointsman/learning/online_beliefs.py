"""What is believed of each model on each task, one outcome at a time; no decision is taken here.

A logistic model with a belief (mean and variance) per effect: of everything, of the model, of the
task, of the model on the task, on top of what a router expects of the prompt. Each outcome moves
the effects it is about, the more the less is known of them (an extended Kalman filter with a
diagonal covariance: Fahrmeir 1992, JASA 87, 501-509); variance added at every step forgets.
"""

from dataclasses import dataclass, field
from math import exp, log, pi, sqrt
from typing import Final

from pointsman.routing.optimising import SAME_FAMILY

_START: Final = (0.5, 0.2, 0.8, 0.3)  # prior variances: all, model, task, model on task
_DRIFT: Final = (1e-3, 1e-3, 4e-3, 2e-3)  # added whenever an effect is told something
_COST_TURN: Final = 0.1  # weight of a new cost in a running mean, once ten were seen
_RIGHT: Final = 0.95  # a score from here on leaves no room for a different answer to be right


@dataclass(slots=True)
class _Effect:
    mean: float = 0.0
    variance: float = 1.0


@dataclass(slots=True)
class _Running:
    """A mean that forgets; the first ones count alike."""

    value: float = 0.0
    n: int = 0

    def tell(self, value: float) -> None:
        self.n += 1
        self.value += max(_COST_TURN, 1.0 / self.n) * (value - self.value)


@dataclass(frozen=True, slots=True)
class Belief:
    """Of one model on one prompt: the chance that it is right and how sure that is."""

    chance: float
    variance: float  # of the log odds
    cost_usd: float
    unreadable: float  # chance that no answer can be read

    def at_best(self, deviations: float) -> float:
        """The chance so many standard deviations up."""
        return _chance(_odds(self.chance) + deviations * sqrt(self.variance))


@dataclass(slots=True)
class Beliefs:
    """All effects; m models, tasks as they come."""

    models: tuple[str, ...]
    everything: _Effect = field(default_factory=lambda: _Effect(0.0, _START[0]))
    of_model: list[_Effect] = field(default_factory=list)
    of_task: dict[str, _Effect] = field(default_factory=dict)
    of_both: dict[tuple[str, int], _Effect] = field(default_factory=dict)
    costs: dict[tuple[str, int], _Running] = field(default_factory=dict)
    readable: dict[tuple[str, int], _Running] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.of_model = [_Effect(0.0, _START[1]) for _ in self.models]

    def of(self, task: str, model: int, prior: float, prior_cost: float | None) -> Belief:
        """The belief in a model on a prompt, of which a router expects `prior`, in (0, 1)."""
        effects = self._effects(task, model)
        mean = _odds(prior) + sum(effect.mean for effect in effects)
        variance = sum(effect.variance for effect in effects)
        return Belief(
            chance=_chance(mean / sqrt(1.0 + pi * variance / 8.0)),
            variance=effects[1].variance + effects[3].variance,
            cost_usd=self._cost(task, model, prior_cost),
            unreadable=self._unreadable(task, model),
        )

    def tell(self, task: str, model: int, prior: float, score: float) -> float:
        """An outcome; gives what was expected of it."""
        effects = self._effects(task, model)
        mean = _odds(prior) + sum(effect.mean for effect in effects)
        for effect, drift, start in zip(effects, _DRIFT, _START, strict=True):
            effect.variance = min(start, effect.variance + drift)
        total = sum(effect.variance for effect in effects)
        chance = _chance(mean)
        expected = _chance(mean / sqrt(1.0 + pi * total / 8.0))
        spread = max(chance * (1.0 - chance), 0.02)
        for effect in effects:
            gain = effect.variance / (1.0 + spread * total)
            effect.mean += gain * (score - chance)
            effect.variance -= gain * effect.variance * spread
        return expected

    def tell_reply(self, task: str, model: int, cost_usd: float, unreadable: bool) -> None:
        """What a paid reply showed, whatever became of it."""
        for key in ((task, model), ("", model)):
            self.costs.setdefault(key, _Running()).tell(cost_usd)
            self.readable.setdefault(key, _Running()).tell(float(unreadable))

    def doubt(self) -> None:
        """After a shift: what was learned stays the best guess, but is not held to."""
        self.everything.variance = _START[0]
        for effect in self.of_model:
            effect.variance = _START[1]
        for effect in self.of_task.values():
            effect.variance = _START[2]
        for effect in self.of_both.values():
            effect.variance = max(effect.variance, 0.7 * _START[3])

    def _effects(self, task: str, model: int) -> tuple[_Effect, _Effect, _Effect, _Effect]:
        return (
            self.everything,
            self.of_model[model],
            self.of_task.setdefault(task, _Effect(0.0, _START[2])),
            self.of_both.setdefault((task, model), _Effect(0.0, _START[3])),
        )

    def _cost(self, task: str, model: int, prior: float | None) -> float:
        overall = self.costs.get(("", model))
        base = prior if prior is not None else overall.value if overall else 0.0
        seen = self.costs.get((task, model))
        if seen is None:
            return base
        share = seen.n / (seen.n + 2.0)
        return share * seen.value + (1.0 - share) * base

    def _unreadable(self, task: str, model: int) -> float:
        overall = self.readable.get(("", model))
        base = (overall.value * overall.n + 0.2) / (overall.n + 2.0) if overall else 0.1
        seen = self.readable.get((task, model))
        return base if seen is None else (seen.value * seen.n + 3.0 * base) / (seen.n + 3.0)


def inferred(score: float, same: bool, *, chance: float, returned: float, unique: float) -> float:
    """The score to expect of a reply that was paid but not returned, from the one returned.

    Equal answers have equal scores. A different one is told what is believed of it now that the
    returned one is known: to leave it out would count only the cases in which the two agree.

    Args: chance and returned are the beliefs in the two models before; unique is the share of
        this task's right answers that say the same (1: there is one right answer).
    """
    if same:
        return score
    other = min(0.98, max(0.02, returned))
    slope = SAME_FAMILY * sqrt(chance * (1.0 - chance) / (other * (1.0 - other)))
    moved = min(0.99, max(0.0, chance + slope * (score - other)))
    if score < _RIGHT:
        return moved
    differing = moved * (1.0 - unique)  # right, and said in another way
    return differing / (differing + 1.0 - moved)


@dataclass(slots=True)
class Drift:
    """A two-sided cumulative sum of standardised residuals (Page 1954, Biometrika 41, 100-115).

    Without a shift it alarms about once in 3,000 outcomes; a fall of a fifth is seen in about 60.
    """

    slack: float = 0.2
    bound: float = 12.0
    up: float = 0.0
    down: float = 0.0

    def tell(self, score: float, expected: float) -> bool:
        """Whether this outcome completes the evidence of a shift; then it starts anew."""
        z = (score - expected) / sqrt(expected * (1.0 - expected) + 0.02)
        self.up = max(0.0, self.up + z - self.slack)
        self.down = max(0.0, self.down - z - self.slack)
        if max(self.up, self.down) < self.bound:
            return False
        self.up = self.down = 0.0
        return True


def _odds(share: float) -> float:
    inside = min(0.98, max(0.02, share))
    return log(inside / (1.0 - inside))


def _chance(odds: float) -> float:
    return 1.0 / (1.0 + exp(-min(30.0, max(-30.0, odds))))
