"""What other choices would have got, judged by traffic in which one arm answered each request."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.domain.errors import UsageError
from pointsman.learning.outcomes import Outcomes
from pointsman.learning.router import Estimates
from pointsman.stats.estimate import Estimate
from pointsman.stats.offpolicy import Drawn, OffPolicy, doubly_robust, ips, snips
from pointsman.stats.quantiles import student_t_quantile

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]
_SURE = 1.0 - 1e-9  # a propensity over which nothing else could have been drawn
_UNSUPPORTED = 0.005  # share of cases without support that is still looked over


@dataclass(frozen=True, slots=True)
class Traffic:
    """n requests: who was asked, with which chance, and what came of it; arms by position."""

    models: tuple[str, ...]
    arm: Positions
    propensity: Floats  # in (0, 1]
    accepted: Floats  # 0 or 1
    cost_usd: Floats

    def __len__(self) -> int:
        return len(self.arm)


@dataclass(frozen=True, slots=True)
class Value:
    """What a way of choosing would have got: accepted answers, and dollars a call, each thrice.

    `matched` cases were answered by the arm that it would have asked. `unsupported` is the share of
    cases in which it would have asked an arm that had no chance; over a few of these there is no
    number, as over too few effective cases.
    """

    policy: str
    accepted: tuple[OffPolicy, ...]
    cost_usd: tuple[OffPolicy, ...]
    matched: int
    mean_weight: float  # near 1 where the logged chances are right
    unsupported: float
    lacking: str | None


def traffic_of(outcomes: Outcomes, chance: Floats) -> tuple[Traffic, Positions]:
    """The requests with one answer, its propensity, outcome and cost; and their positions.

    Args: chance [n, m] as `read_propensities` gives it.
    Raises: UsageError where there is none, or several arms answered one request.
    """
    seen = ~(np.isnan(outcomes.accepted) | np.isnan(outcomes.cost_usd) | np.isnan(chance))
    counts = seen.sum(axis=1)
    if (counts > 1).any():
        raise UsageError(
            "several arms answered the same prompt",
            why="what would have come of other choices is then known: nothing need be estimated",
            next="pointsman route score",
        )
    at = np.flatnonzero(counts == 1)
    if not len(at):
        raise UsageError("there is no request with an outcome, a cost and a propensity",
                         next="`pointsman route export` writes them")  # fmt: skip
    arm = seen[at].argmax(axis=1)
    return Traffic(
        models=outcomes.models,
        arm=arm,
        propensity=chance[at, arm],
        accepted=outcomes.accepted[at, arm],
        cost_usd=outcomes.cost_usd[at, arm],
    ), at


def as_it_was(traffic: Traffic, *, level: float = 0.95) -> tuple[Estimate, Estimate]:
    """Accepted rate and dollars a call of the choices that were made, with Student's t."""
    return _mean(traffic.accepted, level), _mean(traffic.cost_usd, level)


def value(
    policy: str,
    choice: Positions,
    traffic: Traffic,
    estimates: Estimates | None = None,
    *,
    level: float = 0.95,
) -> Value:
    """What the choices would have got, by inverse propensities, normalised ones, and doubly robust.

    Args: choice [n], the arm for each case; estimates [n, m] of a router that did not learn from
        these cases; without them the doubly robust figure is left out.
    """
    same = choice == traffic.arm
    weights = np.where(same, 1.0 / traffic.propensity, 0.0)
    unsupported = float((~same & (traffic.propensity >= _SURE)).mean())
    lacking = None
    if unsupported > _UNSUPPORTED:
        lacking = (
            f"in {100 * unsupported:.1f} % of the cases it would ask an arm that could not be "
            "drawn: a share that explores is what tells of it"
        )
    expected = estimates.accepted if estimates is not None else None
    costs = estimates.cost_usd if estimates is not None else None
    accepted = _thrice(traffic.accepted, choice, traffic, expected, level)
    dollars = _thrice(traffic.cost_usd, choice, traffic, costs, level)
    return Value(
        policy=policy,
        accepted=accepted if lacking is None else (),
        cost_usd=dollars if lacking is None else (),
        matched=int(same.sum()),
        mean_weight=float(weights.mean()),
        unsupported=unsupported,
        lacking=lacking or accepted[0].lacking,
    )


def _thrice(
    rewards: Floats, choice: Positions, traffic: Traffic, expected: Floats | None, level: float
) -> tuple[OffPolicy, ...]:
    rows = np.arange(len(traffic))
    nothing = np.zeros(len(traffic))
    predicted = nothing if expected is None else expected[rows, traffic.arm]
    promised = nothing if expected is None else expected[rows, choice]
    cases: Sequence[Drawn] = [
        Drawn(float(r), float(p), float(t), float(q), float(v))
        for r, p, t, q, v in zip(
            rewards, traffic.propensity, choice == traffic.arm, predicted, promised, strict=True
        )
    ]
    found = (ips(cases, level=level), snips(cases, level=level))
    return found if expected is None else (*found, doubly_robust(cases, level=level))


def _mean(values: Floats, level: float) -> Estimate:
    n, mean = len(values), float(values.mean())
    if n < 2:
        return Estimate(value=mean, low=None, high=None, n=n, level=level)
    half = student_t_quantile(0.5 + level / 2.0, n - 1) * float(values.std(ddof=1)) / n**0.5
    return Estimate(value=mean, low=mean - half, high=mean + half, n=n, level=level)
