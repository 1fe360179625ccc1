"""Prove, on outcomes that a router was not fitted on, how far below always-strong it can fall."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pointsman.domain.errors import UsageError
from pointsman.learning.outcomes import Outcomes
from pointsman.learning.router import Estimates, Point, Router, marks, unlike
from pointsman.routing.certificate import Certificate, fresh_watch
from pointsman.stats.estimate import Estimate
from pointsman.stats.proportions import clopper_pearson, paired_difference_of_counts
from pointsman.stats.quantiles import student_t_quantile
from pointsman.stats.shortfall import SPARE, Pairs, shortfall, shortfall_p_value
from pointsman.stats.testing import Proven, fixed_sequence

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]
VALUES = 60  # of an accepted answer that are tried, between the dearest and the cheapest point
LOYALTIES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
# Of delta, for counts that are not normal and points that are picked. Without it the test half of
# 1,000 splits lay over the margin in 10.3 % of them in one of three recorded portfolios.
KEPT = 0.2
STEP = 0.02  # between two rungs, as a share of always-strong's cost


@dataclass(frozen=True, slots=True)
class Ladder:
    """What operating points did on n cases, from the dearest to the cheapest, beside always-strong.

    Nothing here was chosen by an outcome.
    """

    reference: str
    points: tuple[Point, ...]
    lost: NDArray[np.bool_]  # [rungs, n]: accepted from the reference alone
    won: NDArray[np.bool_]  # [rungs, n]: accepted at the point alone
    accepted: NDArray[np.bool_]  # [rungs, n]: at the point
    cost_usd: Floats  # [rungs, n]
    reference_usd: Floats  # [n]

    @property
    def n(self) -> int:
        """Cases."""
        return len(self.reference_usd)

    def pairs(self, rung: int, at: Positions) -> Pairs:
        """Who was right where the point and the reference differ, over some cases."""
        return Pairs(int(self.lost[rung, at].sum()), int(self.won[rung, at].sum()), len(at))

    def cost_share(self, rung: int, at: Positions, *, level: float = 0.95) -> Estimate:
        """Cost at the point over cost of the reference, the same cases in both; linearised."""
        own, other = self.cost_usd[rung, at], self.reference_usd[at]
        n = len(at)
        if n == 0 or not other.sum() > 0:
            return Estimate(value=None, low=None, high=None, n=n, level=level)
        share = float(own.sum() / other.sum())
        if n == 1:
            return Estimate(value=share, low=None, high=None, n=n, level=level)
        error = float(np.std(own - share * other, ddof=1)) / float(other.mean()) / n**0.5
        half = student_t_quantile(0.5 + level / 2.0, n - 1) * error
        return Estimate(
            value=share, low=max(0.0, share - half), high=share + half, n=n, level=level
        )


def ladder(
    router: Router, outcomes: Outcomes, *, alpha: float, reference: str | None = None
) -> Ladder:
    """Operating points of a router on outcomes of all of its models, cheaper by small steps.

    The reference is the model that the router expects to be accepted most often over these
    prompts, unless named. Of all points of about one expected cost the one is taken whose floor is
    likeliest to be proven, by the router's own estimates: few prompts on which it differs from the
    reference, and more of them won than lost.
    Raises: UsageError for a reference that is none of its models, or outcomes with gaps.
    """
    if not bool(outcomes.complete.all()) or outcomes.models != router.models:
        raise UsageError("a certificate needs every model's outcome on every prompt")
    estimates = router.estimate_many(outcomes.prompts, outcomes.tasks)
    strong = int(estimates.accepted.mean(axis=0).argmax()) if len(outcomes) else 0
    if reference is not None:
        if reference not in router.models:
            raise UsageError(f"'{reference}' is no model of the router",
                             why=f"its models: {', '.join(router.models)}")  # fmt: skip
        strong = router.models.index(reference)
    points, choices = _rungs(router, estimates, strong, alpha)
    accepted = outcomes.accepted > 0.5
    rows = np.arange(len(outcomes))
    own = accepted[rows, choices]
    always = accepted[:, strong]
    return Ladder(
        reference=router.models[strong],
        points=points,
        lost=always & ~own,
        won=own & ~always,
        accepted=own,
        cost_usd=outcomes.cost_usd[rows, choices],
        reference_usd=outcomes.cost_usd[:, strong],
    )


def _rungs(
    router: Router, estimates: Estimates, strong: int, alpha: float
) -> tuple[tuple[Point, ...], Positions]:
    """Points and what each chooses, [rungs, n]; the best one of each step in expected cost.

    One failed test ends the climb, so a step whose best is no likelier than a cheaper one is left
    out.
    """
    rows = np.arange(len(estimates.accepted))
    differing = unlike(estimates.accepted, strong)
    whole = estimates.cost_usd[:, strong].sum()
    best: dict[int, tuple[float, Point, Positions]] = {}
    for point in _tried(router, router.models[strong]):
        at = router.choose(estimates, point)
        share = float(estimates.cost_usd[rows, at].sum() / whole)
        if share >= 1.0 - STEP:
            continue  # no cheaper than always-strong
        step = int(share / STEP)
        below = float((estimates.accepted[:, strong] - estimates.accepted[rows, at]).mean())
        # how many standard errors it lies within the margin, but for the root of n
        likely = (alpha - below) / (float(differing[rows, at].mean()) + alpha) ** 0.5
        if step not in best or likely > best[step][0]:
            best[step] = (likely, point, at)
    kept: list[tuple[float, Point, Positions]] = []
    for step in sorted(best):  # a dearer one must be likelier than every cheaper one
        if not kept or best[step][0] > kept[-1][0]:
            kept.append(best[step])
    kept.reverse()
    choices = np.array([at for _, _, at in kept], dtype=np.intp)
    return tuple(point for _, point, _ in kept), choices.reshape(len(kept), len(rows))


def _tried(router: Router, reference: str) -> Iterator[Point]:
    values = [point.value_usd for point in router.points if point.value_usd > 0]
    if not values:
        raise UsageError("the router has no operating points", next="fit it again")
    for value in np.geomspace(max(values), min(values), VALUES):
        for loyalty in LOYALTIES:
            name = f"certified_{value:.3g}_{loyalty:g}"
            yield Point(name, float(value), of="accepted", loyalty=loyalty, reference=reference)


def unseen(router: Router, outcomes: Outcomes) -> Outcomes:
    """The prompts that every model answered and the router was not fitted on."""
    fresh = ~np.isin(marks(outcomes.prompts), router.seen)
    return outcomes.rows(outcomes.complete & fresh)


def halves(n: int, seed: int) -> tuple[Positions, Positions]:
    """Positions of the calibration and of the test half: random, disjoint, both sorted.

    With an odd n the calibration half has one less.
    """
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def level_needed(delta: float, *, n: int, ahead: int) -> float:
    """The p-value that proves the floor for the rate, and for what is seen over later cases.

    Over so many later cases the accepted rate scatters as well: by the central limit theorem the
    evidence must reach sqrt(1 + n / ahead) times as far, and a part of delta is kept for what that
    leaves out. ahead = 0 gives delta itself.
    """
    if not ahead:
        return delta
    normal = NormalDist()
    reach = normal.inv_cdf(delta * (1.0 - KEPT)) * (1.0 + n / ahead) ** 0.5
    return min(delta, normal.cdf(reach))


def cases_needed(alpha: float, level: float) -> int:
    """Cases that prove a floor if none of them is lost: with fewer nothing can be proven."""
    spare = _spare(level)

    def proven(n: int) -> bool:
        return shortfall_p_value(Pairs(0, 0, n), margin=alpha, spare=spare) <= level

    high = 1
    while not proven(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proven(middle) else (middle, high)
    return high


Test = Callable[[Pairs], float]  # the p-value of "the shortfall is over the margin"


def climb(
    rungs: Ladder, at: Positions, *, alpha: float, level: float, test: Test | None = None
) -> Proven:
    """Proves one rung after the other on some cases; `count` rungs hold, all of them together.

    Args: test in place of the exact one, for comparisons.
    """
    proving = test or exact_test(alpha, level)
    return fixed_sequence(
        (proving(rungs.pairs(rung, at)) for rung in range(len(rungs.points))), delta=level
    )


def exact_test(alpha: float, level: float) -> Test:
    """`shortfall_p_value` for a margin of alpha, precise enough for a level."""
    return partial(shortfall_p_value, margin=alpha, spare=_spare(level))


def _spare(level: float) -> float:
    """What a test may give away to its search: a fiftieth of the level."""
    return min(SPARE, level / 50.0)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the test half shows of a statement that was proven on the other half.

    `held`: the accepted rate there is at most alpha below. That is a sample too, so `refuted`
    tells whether its own one-sided interval, at 1 - delta, excludes that the statement is true.
    """

    shortfall: Estimate
    cost_share: Estimate
    held: bool
    refuted: bool


def seen_on(rungs: Ladder, rung: int | None, at: Positions, *, alpha: float, delta: float) -> Seen:
    """Holds a rung, or always-strong where it is None, against cases that took no part in it."""
    if rung is None or not len(at):
        nothing = Estimate(value=0.0, low=None, high=None, n=len(at), level=1.0 - delta)
        whole = Estimate(value=1.0, low=1.0, high=1.0, n=len(at))
        return Seen(nothing, whole, held=True, refuted=False)
    pairs = rungs.pairs(rung, at)
    both = pairs.n - pairs.lost - pairs.won
    sided = paired_difference_of_counts(
        both=both, only_a=pairs.won, only_b=pairs.lost, neither=0,
        level=max(0.01, 1.0 - 2.0 * delta),
    )  # fmt: skip
    low = sided.low if sided.low is not None else -1.0
    return Seen(
        shortfall=Estimate(value=pairs.shortfall, low=low, high=None, n=pairs.n, level=1.0 - delta),
        cost_share=rungs.cost_share(rung, at),
        held=bool(pairs.lost - pairs.won <= alpha * pairs.n),
        refuted=low > alpha,
    )


@dataclass(frozen=True, slots=True)
class Certified:
    """What `certify` found: a certificate, or why there is none."""

    certificate: Certificate | None
    lacking: str | None
    reference: str
    tested: Proven
    calibration_n: int
    seen: Seen


def certify(
    router: Router,
    outcomes: Outcomes,
    *,
    alpha: float,
    delta: float,
    seed: int,
    made_at_us: int,
    ahead: int | None = None,
    reference: str | None = None,
    task: str | None = None,
) -> Certified:
    """The cheapest operating point whose floor is proven on a random half, held on the other.

    Args: outcomes of the router's models on prompts it was not fitted on; ahead None takes the
    size of the test half, 0 promises nothing but the rate itself.
    Raises: UsageError for an alpha or delta outside (0, 1), or fewer than two prompts.
    """
    for name, value in (("alpha", alpha), ("delta", delta)):
        if not 0.0 < value < 1.0:
            raise UsageError(f"--{name} {value:g} is out of range", why="it lies between 0 and 1")
    if len(outcomes) < 2:
        raise UsageError(f"{len(outcomes)} prompts make no two halves")
    rungs = ladder(router, outcomes, alpha=alpha, reference=reference)
    calibration, test = halves(rungs.n, seed)
    n = len(calibration)
    promised = len(test) if ahead is None else ahead
    level = level_needed(delta, n=n, ahead=promised)
    proof = climb(rungs, calibration, alpha=alpha, level=level)
    rung = cheapest(rungs, calibration, proof)
    seen = seen_on(rungs, rung, test, alpha=alpha, delta=delta)
    if rung is None:
        lacking = _lacking(rungs, calibration, proof, alpha=alpha, level=level)
        return Certified(None, lacking, rungs.reference, proof, n, seen)
    pairs = rungs.pairs(rung, calibration)
    accepted = clopper_pearson(int(rungs.accepted[rung, calibration].sum()), n, level=1.0 - delta)
    point = rungs.points[rung]
    made = Certificate(
        task=task,
        reference=rungs.reference,
        point=point.name,
        value_usd=point.value_usd,
        loyalty=point.loyalty,
        alpha=alpha,
        delta=delta,
        level=level,
        ahead=promised,
        n=n,
        lost=pairs.lost,
        won=pairs.won,
        p_value=proof.p_values[rung],
        points_tested=len(proof.p_values),
        shortfall=shortfall(pairs, level=1.0 - delta),
        accepted=accepted,
        cost_share=rungs.cost_share(rung, calibration),
        router=router.digest,
        outcomes=digest(outcomes),
        split_seed=seed,
        made_at_us=made_at_us,
        watch=fresh_watch(alpha=alpha, accepted=accepted),
    )
    return Certified(made, None, rungs.reference, proof, n, seen)


def cheapest(rungs: Ladder, at: Positions, proof: Proven) -> int | None:
    """Of the rungs that were proven the one that cost least on some cases.

    None, always-strong, where none was proven or none cost less than that: then nothing is lost.
    """
    if not proof.count:
        return None
    costs = rungs.cost_usd[: proof.count][:, at].sum(axis=1)
    rung = int(costs.argmin())
    return rung if costs[rung] < rungs.reference_usd[at].sum() else None


def _lacking(rungs: Ladder, at: Positions, proof: Proven, *, alpha: float, level: float) -> str:
    if proof.count or not rungs.points:
        return "no operating point is cheaper than the strong model itself"
    least = cases_needed(alpha, level)
    if len(at) < least:
        return (
            f"not enough data: {len(at)} calibration cases, and under {least} a margin of "
            f"{alpha:g} cannot be proven even if none is lost"
        )
    pairs = rungs.pairs(0, at)
    return (
        f"not proven: of {pairs.n} calibration cases the point nearest to the strong model lost "
        f"{pairs.lost} and won {pairs.won}, p = {proof.p_values[0]:.3g} where {level:.3g} is needed"
    )


def digest(outcomes: Outcomes) -> str:
    """SHA-256, in hex, of what a proof reads of outcomes: prompts, models, accepted, cost."""
    running = hashlib.sha256("\x00".join((*outcomes.models, *outcomes.prompt_ids)).encode())
    running.update(np.ascontiguousarray(outcomes.accepted).tobytes())
    running.update(np.ascontiguousarray(outcomes.cost_usd).tobytes())
    return running.hexdigest()
