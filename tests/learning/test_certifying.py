"""Proofs on a half, looked at on the other: error, power, and what thin evidence does."""

import numpy as np
import pytest

from pointsman.domain.errors import UsageError
from pointsman.learning.certifying import (
    cases_needed,
    certify,
    cheapest,
    climb,
    halves,
    ladder,
    level_needed,
    seen_on,
    unseen,
)
from pointsman.learning.outcomes import Outcomes
from pointsman.learning.router import Estimates, Point, Router, marks

MODELS = ("small", "large")


class KnowsHardness(Router):
    """Believes of a prompt what its text says of it, whatever it is worth."""

    def estimate_many(self, prompts, tasks) -> Estimates:
        small = np.array([float(p.split()[0]) for p in prompts])
        accepted = np.stack([small, np.full(len(small), 0.9)], axis=1)
        cost = np.tile([1e-5, 1e-4], (len(small), 1))
        return Estimates(accepted, accepted, cost, cost, 0 * cost, np.full(len(small), 9.0))


def a_router(*, digest: str = "a" * 64, fitted_on: tuple[str, ...] = ()) -> Router:
    points = [Point("dear", 1.0), Point("cheap", 1e-5)]
    return KnowsHardness(MODELS, None, points, digest=digest, seen=marks(fitted_on))


def a_world(n: int, *, seed: int = 0, luck: float = 0.0, first: int = 0) -> Outcomes:
    """Large is right in 9 of 10; small as often as the text says, `luck` less."""
    source = np.random.default_rng(seed)
    small = source.uniform(0.3, 0.9, n).round(3)
    right = np.stack([source.random(n) < small - luck, source.random(n) < 0.9], axis=1)
    empty = np.full((n, 2), None, dtype=object)
    tokens = np.full((n, 2), 10.0)
    return Outcomes(
        prompt_ids=tuple(f"p{first + i}" for i in range(n)),
        prompts=tuple(f"{chance:.3f} of {first + i}" for i, chance in enumerate(small)),
        tasks=("",) * n, models=MODELS, split=("test",) * n, score=right.astype(float),
        accepted=right.astype(float), cost_usd=np.tile([1e-5, 1e-4], (n, 1)),
        input_tokens=tokens, output_tokens=tokens, answers=empty, responses=empty,
    )  # fmt: skip


def certified(outcomes: Outcomes, *, seed: int = 0, alpha: float = 0.05, **options):
    return certify(a_router(), outcomes, alpha=alpha, delta=0.1, seed=seed, made_at_us=5, **options)


def test_a_certificate_says_what_was_proven_on_what() -> None:
    outcomes = a_world(3_000)
    found = certified(outcomes)
    made = found.certificate
    assert made is not None
    assert found.lacking is None
    assert made.reference == "large"
    assert made.n == 1_500
    assert made.p_value <= made.level < made.delta
    assert made.shortfall.value == pytest.approx((made.lost - made.won) / made.n)
    assert made.shortfall.high is not None
    assert made.shortfall.high <= 0.05
    assert made.cost_share.value is not None
    assert made.cost_share.value < 0.95
    assert made.ahead == 1_500
    assert made.router == "a" * 64
    assert found.seen.held
    assert certified(outcomes) == found
    assert certified(outcomes, seed=1) != found
    assert "at most 0.05 below always large" in made.statement


def test_the_point_that_was_certified_is_one_the_router_can_take() -> None:
    outcomes = a_world(3_000)
    made = certified(outcomes).certificate
    assert made is not None
    router = a_router()
    point = Point(
        made.point, made.value_usd, of="accepted", loyalty=made.loyalty, reference="large"
    )
    chosen = router.choose(router.estimate_many(outcomes.prompts, outcomes.tasks), point)
    assert 0 < (chosen == 0).mean() < 1


def test_thin_evidence_goes_to_the_strong_model_and_says_so() -> None:
    found = certified(a_world(60))
    assert found.certificate is None
    assert found.lacking is not None
    assert "not enough data: 30 calibration cases" in found.lacking
    assert found.seen.held
    assert found.seen.cost_share.value == 1.0
    # just as few cases as it says prove what is never lost, and one fewer do not
    least = cases_needed(0.05, 0.1)
    assert (
        f"under {cases_needed(0.05, level_needed(0.1, n=30, ahead=30))} a margin" in found.lacking
    )
    assert 0.95**least < 0.1 < 0.95 ** (least - 3)


def test_a_router_that_is_wrong_about_the_small_model_proves_little_or_nothing() -> None:
    honest, fooled = certified(a_world(2_000)), certified(a_world(2_000, luck=0.5))
    assert honest.certificate is not None
    share = 1.0 if fooled.certificate is None else fooled.certificate.cost_share.value
    assert share is not None
    assert honest.certificate.cost_share.value is not None
    assert share > honest.certificate.cost_share.value + 0.03


def test_over_many_splits_and_samples_the_floor_breaks_in_at_most_delta() -> None:
    """The truth is known here: what each prompt says of the small model's chance."""
    router, alpha, delta = a_router(), 0.05, 0.2
    chance = np.linspace(0.3, 0.9, 601)
    estimates = router.estimate_many([f"{c} of it" for c in chance], [""] * 601)
    broken = seen_broken = certificates = 0
    for seed in range(50):
        rungs = ladder(router, a_world(500, seed=seed), alpha=alpha)
        calibration, test = halves(rungs.n, seed)
        level = level_needed(delta, n=len(calibration), ahead=len(test))
        proof = climb(rungs, calibration, alpha=alpha, level=level)
        rung = cheapest(rungs, calibration, proof)
        if rung is None:
            continue
        certificates += 1
        small = router.choose(estimates, rungs.points[rung]) == 0
        broken += (small * (0.9 - chance)).mean() > alpha
        seen_broken += not seen_on(rungs, rung, test, alpha=alpha, delta=delta).held
    assert certificates >= 40
    assert broken <= delta * 50
    assert 0 < seen_broken <= delta * 50  # not one would mean that power was left lying


def test_rungs_go_from_next_to_the_strong_model_down_by_small_steps() -> None:
    outcomes = a_world(2_000)
    rungs = ladder(a_router(), outcomes, alpha=0.05)
    shares = rungs.cost_usd.sum(axis=1) / rungs.reference_usd.sum()
    assert (np.diff(shares) < 0).all()
    assert 0.85 < shares[0] < 1.0
    assert shares[-1] < 0.2
    assert not (rungs.lost & rungs.won).any()


def test_nothing_that_costs_more_than_the_strong_model_is_certified() -> None:
    """Against the small model, which is the cheapest, there is nothing to save."""
    found = certified(a_world(2_000), reference="small")
    assert found.certificate is None
    assert found.lacking == "no operating point is cheaper than the strong model itself"
    assert found.seen.held


def test_prompts_of_the_fit_take_no_part() -> None:
    outcomes = a_world(400)
    router = a_router(fitted_on=tuple(p.replace(" ", "  ") for p in outcomes.prompts[:150]))
    fresh = unseen(router, outcomes)
    assert fresh.prompt_ids == outcomes.prompt_ids[150:]
    gap = outcomes.cost_usd.copy()
    gap[200, 1] = np.nan
    with_gap = Outcomes(**{**{f: getattr(outcomes, f) for f in outcomes.__slots__},
                           "cost_usd": gap})  # fmt: skip
    assert len(unseen(router, with_gap)) == 249


def test_halves_are_disjoint_whole_and_fixed_by_their_seed() -> None:
    for n in (2, 7, 100):
        one, other = halves(n, 3)
        assert sorted([*one, *other]) == list(range(n))
        assert len(one) == n // 2
        assert (halves(n, 3)[0] == one).all()
    assert (halves(100, 3)[0] != halves(100, 4)[0]).any()


def test_seeing_it_ahead_asks_for_more_evidence_than_the_rate_alone() -> None:
    assert level_needed(0.1, n=500, ahead=0) == 0.1
    assert level_needed(0.1, n=500, ahead=500) == pytest.approx(0.0235, abs=1e-4)
    assert level_needed(0.1, n=500, ahead=50_000) == pytest.approx(0.0790, abs=1e-3)


def test_a_named_reference_is_compared_with() -> None:
    found = certified(a_world(3_000), reference="large").certificate
    assert found is not None
    assert found.reference == "large"
    with pytest.raises(UsageError, match="no model of the router"):
        certified(a_world(400), reference="huge")


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.02])
def test_an_impossible_margin_is_refused(alpha: float) -> None:
    with pytest.raises(UsageError, match="out of range"):
        certified(a_world(40), alpha=alpha)


def test_one_prompt_makes_no_halves() -> None:
    with pytest.raises(UsageError, match="no two halves"):
        certified(a_world(1))
