"""Score choices against recorded outcomes: what was accepted, what it cost, with intervals.

Definitions, for n prompts of which every model's outcome is known:
 best single   the model with the highest mean score on these prompts (ties: the cheaper one)
 gap closed    (score - best single) / (oracle - best single); the oracle takes the cheapest of
               the models with the highest score on each prompt
 AIQ           mean height, between the cost of the cheapest and of the dearest single model, of
               the non-decreasing convex hull of (cost, score): RouterBench, arXiv 2403.12031
 PGR           (score - weak) / (best single - weak), weak being the cheapest model
 APGR          mean PGR over the share of strong calls, by trapezoids; with more than two models
               over the share of the way from the cheapest to the best single's cost
 CPT(x)        least such share at which PGR reaches x: RouteLLM, arXiv 2406.18665
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman.domain.errors import UsageError
from pointsman.learning.outcomes import Outcomes
from pointsman.stats.estimate import Estimate
from pointsman.stats.paired_ratios import paired_ratio_difference
from pointsman.stats.proportions import wilson
from pointsman.stats.quantiles import student_t_quantile
from pointsman.stats.ratios import cost_per_accepted

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Choice:
    """One policy on n prompts: what came out of each and what all its calls cost."""

    name: str
    score: Floats  # [n]
    accepted: Floats  # [n]
    cost_usd: Floats  # [n]
    models: tuple[str, ...]  # whose answer was delivered, [n]
    calls: float = 1.0  # per prompt

    @property
    def point(self) -> tuple[float, float]:
        """Mean cost and mean score."""
        return float(self.cost_usd.mean()), float(self.score.mean())


def taken(name: str, outcomes: Outcomes, at: Rows) -> Choice:
    """The policy that takes the model at position `at[i]` for prompt i."""
    rows = np.arange(len(outcomes))
    return Choice(
        name=name,
        score=outcomes.score[rows, at],
        accepted=outcomes.accepted[rows, at],
        cost_usd=outcomes.cost_usd[rows, at],
        models=tuple(outcomes.models[j] for j in at),
    )


def best_single(outcomes: Outcomes) -> int:
    """Position of the model with the highest mean score; ties go to the cheaper one."""
    score, cost = outcomes.score.mean(axis=0), outcomes.cost_usd.mean(axis=0)
    return int(np.lexsort((cost, -score))[0])


def cheapest(outcomes: Outcomes) -> int:
    """Position of the model with the least mean cost."""
    return int(outcomes.cost_usd.mean(axis=0).argmin())


def oracle(outcomes: Outcomes) -> Rows:
    """The cheapest of the models with the highest score, by prompt."""
    return np.lexsort((outcomes.cost_usd, -outcomes.score), axis=1)[:, 0]


def hull(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The non-decreasing upper convex hull of (cost, score), from the cheapest point on."""
    kept: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda p: (p[0], -p[1])):
        if kept and score <= kept[-1][1]:
            continue
        while len(kept) >= 2 and _turns_up(kept[-2], kept[-1], (cost, score)):
            kept.pop()
        kept.append((cost, score))
    return kept


def _turns_up(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[1] - a[1]) * (c[0] - a[0]) <= (c[1] - a[1]) * (b[0] - a[0])


def score_at(cost: float, curve: Sequence[tuple[float, float]]) -> float | None:
    """Height of a hull at a cost; None below its cheapest point."""
    if cost < curve[0][0]:
        return None
    return float(np.interp(cost, [p[0] for p in curve], [p[1] for p in curve]))


def cost_at(score: float, curve: Sequence[tuple[float, float]]) -> float | None:
    """Least cost at which a hull reaches a score; None where it does not."""
    if score > curve[-1][1]:
        return None
    if score <= curve[0][1]:
        return curve[0][0]
    return float(np.interp(score, [p[1] for p in curve], [p[0] for p in curve]))


def aiq(points: Sequence[tuple[float, float]], low: float, high: float) -> float | None:
    """Mean height of the hull between two costs; None for an empty range or no point in it."""
    curve = hull(points)
    if not high > low or curve[0][0] > high:
        return None
    start = max(low, curve[0][0])
    costs = sorted({start, high, *(c for c, _ in curve if start < c < high)})
    heights = [score_at(c, curve) or 0.0 for c in costs]
    return float(np.trapezoid(heights, costs)) / (high - low)


def strong_share(
    points: Sequence[tuple[float, float]], weak: float, strong: float
) -> Mapping[str, float | None]:
    """APGR and CPT from (share, score) points; the ends (0, weak) and (1, strong) are added."""
    if not strong > weak:
        return {"apgr": None, "cpt50": None, "cpt80": None}
    inside = sorted((s, (q - weak) / (strong - weak)) for s, q in points if 0.0 < s < 1.0)
    path = [(0.0, 0.0), *inside, (1.0, 1.0)]
    shares, recovered = [p[0] for p in path], [p[1] for p in path]

    def least(level: float) -> float:
        for (s0, g0), (s1, g1) in pairwise(path):
            if g1 >= level:
                return s1 if g1 == g0 else s0 + (s1 - s0) * max(0.0, (level - g0) / (g1 - g0))
        return 1.0

    return {
        "apgr": float(np.trapezoid(recovered, shares)),
        "cpt50": least(0.5),
        "cpt80": least(0.8),
    }


def mean_interval(values: Floats, *, level: float = 0.95) -> Estimate:
    """A mean with Student's t interval; no bounds under two values."""
    n = len(values)
    value = float(values.mean())
    if n < 2:
        return Estimate(value=value, low=None, high=None, n=n, level=level)
    reach = student_t_quantile(0.5 + level / 2, n - 1) * float(values.std(ddof=1)) / n**0.5
    return Estimate(value=value, low=value - reach, high=value + reach, n=n, level=level)


def described(choice: Choice, single: Choice, ideal: Choice) -> dict[str, Any]:
    """One policy's figures, and against the best single model on the same prompts."""
    n = len(choice.score)
    cost, score = choice.point
    yes = [bool(x > 0.5) for x in choice.accepted]
    paired = paired_ratio_difference(
        single.cost_usd.tolist(), [x > 0.5 for x in single.accepted],
        choice.cost_usd.tolist(), yes,
    ).ratio  # fmt: skip
    every = [True] * n
    costs = paired_ratio_difference(
        single.cost_usd.tolist(), every, choice.cost_usd.tolist(), every
    ).ratio
    gap = ideal.point[1] - single.point[1]
    return {
        "point": choice.name,
        "n": n,
        "score": mean_interval(choice.score).as_dict(),
        "accepted": wilson(sum(yes), n).as_dict(),
        "cost_usd": cost,
        "cost_per_accepted_usd": cost_per_accepted(choice.cost_usd.tolist(), yes).as_dict(),
        "calls": choice.calls,
        "score_of_best_single": score / single.point[1] if single.point[1] > 0 else None,
        "score_less_best_single": mean_interval(choice.score - single.score).as_dict(),
        "cost_of_best_single": costs.as_dict(),
        "cost_per_accepted_of_best_single": paired.as_dict(),
        "gap_closed": (score - single.point[1]) / gap if gap > 0 else None,
        "shares": _shares(choice.models),
    }


def _shares(models: Sequence[str]) -> dict[str, float]:
    return {model: models.count(model) / len(models) for model in sorted(set(models))}


def scored(
    outcomes: Outcomes, rows: Mapping[str, Mapping[str, tuple[str, Sequence[str]]]]
) -> list[Choice]:
    """The policies of a choices file: point -> prompt_id -> (model, every paid call).

    Raises: UsageError where a point leaves out a prompt that another one has.
    """
    column = {model: j for j, model in enumerate(outcomes.models)}
    found = []
    for point, chosen in rows.items():
        missing = [key for key in outcomes.prompt_ids if key not in chosen]
        if missing:
            raise UsageError(
                f"point '{point}' has no choice for {len(missing)} prompts that others have",
                why=f"the first is {missing[0]}",
            )
        at = np.array([column[chosen[key][0]] for key in outcomes.prompt_ids], dtype=np.intp)
        one = taken(point, outcomes, at)
        calls = [chosen[key][1] for key in outcomes.prompt_ids]
        paid = np.array([
            sum(float(outcomes.cost_usd[i, column[name]]) for name in names)
            for i, names in enumerate(calls)
        ])  # fmt: skip
        count = sum(map(len, calls)) / max(1, len(calls))
        found.append(Choice(point, one.score, one.accepted, paid, one.models, count))
    return found
