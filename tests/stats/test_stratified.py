"""Two arms within strata: coverage by simulation, and what is left out."""

import random

import pytest

from pointsman.stats.ratios import RatioMoments
from pointsman.stats.stratified import Stratum, stratified


def an_arm(chance: random.Random, n: int, rate: float, dear: float) -> RatioMoments:
    costs = [chance.lognormvariate(dear, 0.6) for _ in range(n)]
    return RatioMoments.of(costs, [chance.random() < rate for _ in range(n)])


def test_95_percent_intervals_cover_95_percent() -> None:
    """Strata of unlike sizes, rates and costs; the arms mix them unlike."""
    chance, runs = random.Random(8), 1_000
    sizes = ((60, 20, 0.9, 0.0), (15, 80, 0.5, 1.0), (30, 30, 0.7, 0.5), (6, 9, 0.3, 0.2))
    shift, dearer = -0.08, 0.3
    weights = [a * b / (a + b) for a, b, _, _ in sizes]
    rates = [sum(w * (r + d) for w, (_, _, r, _) in zip(weights, sizes, strict=True)) / sum(weights)
             for d in (0.0, shift)]  # fmt: skip
    ratio = 2.718281828459045**dearer * rates[0] / rates[1]
    covered = [0, 0]
    for _ in range(runs):
        found = stratified(
            [
                Stratum(
                    a=an_arm(chance, a, rate, dear),
                    b=an_arm(chance, b, rate + shift, dear + dearer),
                )
                for a, b, rate, dear in sizes
            ]
        )  # fmt: skip
        for at, (estimate, truth) in enumerate(
            ((found.difference, shift), (found.cost_ratio, ratio))
        ):
            assert estimate.low is not None
            assert estimate.high is not None
            covered[at] += estimate.low <= truth <= estimate.high
    # 95 % of 1,000 runs, and three standard errors
    assert all(0.929 <= each / runs <= 0.971 for each in covered), covered


def test_strata_of_one_arm_are_left_out_and_counted() -> None:
    chance = random.Random(2)
    both = Stratum(a=an_arm(chance, 40, 0.8, 0), b=an_arm(chance, 50, 0.8, 0))
    lone = Stratum(a=an_arm(chance, 30, 0.1, 0), b=RatioMoments())
    found = stratified([both, lone])
    assert (found.strata, found.n_a, found.n_b, found.alone_a, found.alone_b) == (1, 40, 50, 30, 0)
    assert found.difference == stratified([both]).difference


def test_nothing_in_common_is_no_number() -> None:
    found = stratified([])
    assert found.difference.value is None
    assert found.cost_ratio.value is None
    assert found.rate_a is None


def test_one_stratum_is_the_plain_difference() -> None:
    chance = random.Random(5)
    a, b = an_arm(chance, 100, 0.7, 0), an_arm(chance, 60, 0.6, 0)
    found = stratified([Stratum(a=a, b=b)])
    assert found.difference.value == pytest.approx(b.accepted / b.n - a.accepted / a.n)
    assert found.cost_ratio.value == pytest.approx((b.cost / b.accepted) / (a.cost / a.accepted))
