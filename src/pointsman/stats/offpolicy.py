"""What another way of choosing would have got, from choices that were drawn with known chances."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from pointsman.stats.estimate import Estimate, check_level
from pointsman.stats.quantiles import student_t_quantile

LEAST_EFFECTIVE = 50  # cases; under it the interval's normal approximation is not to be trusted

OffPolicyMethod = Literal["ips", "snips", "dr"]

_DRAWN = "each choice was drawn with the propensity that was logged"
_SUPPORT = "whatever the target would choose had a positive propensity"
_ALIKE = "cases are independent and what is to come is like them"
_MEANS = "the mean is near normal at this effective sample size"


class Drawn(NamedTuple):
    """One logged case.

    `reward`: what came of it. `propensity`: the chance with which its arm was drawn, in (0, 1].
    `target`: the chance with which the policy in question would take that same arm. For `dr` alone:
    `predicted`, a model's reward for the arm that was drawn, and `promised`, its expected reward
    under the policy in question; the model must not have learned from this case.
    """

    reward: float
    propensity: float
    target: float
    predicted: float = 0.0
    promised: float = 0.0


class OffPolicy(NamedTuple):
    """The value of the policy in question, and what the number stands on."""

    method: OffPolicyMethod
    estimate: Estimate  # value None: not enough data
    effective_n: float  # as many evenly weighted cases tell as much
    largest_weight: float
    assumptions: tuple[str, ...]
    lacking: str | None  # why there is no number

    @property
    def enough(self) -> bool:
        """Whether there is a number."""
        return self.lacking is None


def ips(cases: Sequence[Drawn], *, level: float = 0.95) -> OffPolicy:
    """Inverse propensity scoring: unbiased, and wide where propensities are small.

    Returns: the mean reward under the policy in question, in the reward's unit, with Student's t.
    Refused, with the reason, under an effective sample size of 50.
    Raises: ValueError for a propensity outside (0, 1] or a target outside [0, 1].
    Source: Horvitz and Thompson (1952), JASA 47, 663-685.
    """
    return _estimated("ips", cases, level, lambda weights: _plain(cases, weights))


def snips(cases: Sequence[Drawn], *, level: float = 0.95) -> OffPolicy:
    """Self-normalised: the weighted mean; a bias that goes with 1/n buys a smaller spread.

    Returns and raises as `ips`; the interval is of the linearised ratio.
    Source: Swaminathan and Joachims (2015), NeurIPS 28; Hájek's estimator.
    """
    return _estimated("snips", cases, level, lambda weights: _normalised(cases, weights))


def doubly_robust(cases: Sequence[Drawn], *, level: float = 0.95) -> OffPolicy:
    """A model's promise, corrected by the weighted errors it made: unbiased whatever the model.

    Returns and raises as `ips`. Source: Dudik, Langford and Li (2011), ICML.
    """
    return _estimated("dr", cases, level, lambda weights: _corrected(cases, weights))


def _plain(cases: Sequence[Drawn], weights: Sequence[float]) -> tuple[float, list[float]]:
    terms = [w * case.reward for w, case in zip(weights, cases, strict=True)]
    return math.fsum(terms) / len(terms), terms


def _normalised(cases: Sequence[Drawn], weights: Sequence[float]) -> tuple[float, list[float]]:
    mean_weight = math.fsum(weights) / len(weights)
    value = _plain(cases, weights)[0] / mean_weight
    terms = [
        value + w / mean_weight * (case.reward - value)
        for w, case in zip(weights, cases, strict=True)
    ]
    return value, terms


def _corrected(cases: Sequence[Drawn], weights: Sequence[float]) -> tuple[float, list[float]]:
    terms = [
        case.promised + w * (case.reward - case.predicted)
        for w, case in zip(weights, cases, strict=True)
    ]
    return math.fsum(terms) / len(terms), terms


def _estimated(
    method: OffPolicyMethod,
    cases: Sequence[Drawn],
    level: float,
    valued: Callable[[Sequence[float]], tuple[float, list[float]]],
) -> OffPolicy:
    """Args: valued gives the value, and a term per case whose mean it is and spread it has."""
    check_level(level)
    weights = [_weight(case) for case in cases]
    squares = math.fsum(w * w for w in weights)
    effective = math.fsum(weights) ** 2 / squares if squares else 0.0
    lacking = None
    estimate = Estimate(value=None, low=None, high=None, n=len(cases), level=level)
    if effective < LEAST_EFFECTIVE:
        lacking = (
            f"not enough data: {len(cases)} cases weigh as much as {effective:.1f} even ones, "
            f"under {LEAST_EFFECTIVE}"
        )
    else:
        value, terms = valued(weights)
        n = len(terms)
        spread = math.sqrt(math.fsum((term - value) ** 2 for term in terms) / (n - 1) / n)
        half = student_t_quantile(0.5 + level / 2.0, effective - 1.0) * spread
        estimate = Estimate(value=value, low=value - half, high=value + half, n=n, level=level)
    return OffPolicy(
        method=method,
        estimate=estimate,
        effective_n=effective,
        largest_weight=max(weights, default=0.0),
        assumptions=(_DRAWN, _SUPPORT, _ALIKE, _MEANS),
        lacking=lacking,
    )


def _weight(case: Drawn) -> float:
    if not 0.0 < case.propensity <= 1.0:
        raise ValueError(f"a propensity lies in (0, 1], not at {case.propensity}")
    if not 0.0 <= case.target <= 1.0:
        raise ValueError(f"a target chance lies in [0, 1], not at {case.target}")
    return case.target / case.propensity
