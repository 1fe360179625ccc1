"""Ratios by three ways agree where they should, and two arms' ratio covers."""

import math
import random

import pytest

from pointsman.stats.bootstrap import cluster_bootstrap
from pointsman.stats.delta import delta_ratio, ratio_of_arms
from pointsman.stats.ratios import RatioMoments, cost_per_accepted


def requests(n, seed, *, sigma=1.0, rate=0.8):
    dice = random.Random(seed)
    return (
        [dice.lognormvariate(0, sigma) for _ in range(n)],
        [dice.random() < rate for _ in range(n)],
    )


def per_accepted(cases):
    accepted = sum(yes for _, yes in cases)
    return sum(cost for cost, _ in cases) / accepted if accepted else None


def test_fieller_delta_and_bootstrap_agree_at_many_cases():
    costs, accepted = requests(6000, 1, sigma=0.5)
    fieller = cost_per_accepted(costs, accepted)
    delta = delta_ratio(costs, [float(yes) for yes in accepted])
    for one, other in ((fieller.low, delta.low), (fieller.high, delta.high)):
        assert one == pytest.approx(other, rel=0.01)
    few = list(zip(costs, accepted, strict=True))[:600]
    resampled = cluster_bootstrap(few, per_accepted, draw=random.Random(2).random, draws=400)
    alone = cost_per_accepted([c for c, _ in few], [y for _, y in few])
    assert resampled.high - resampled.low == pytest.approx(alone.high - alone.low, rel=0.2)


def test_the_bootstrap_covers_clustered_ratios():
    dice, covered = random.Random(5), 0
    for _ in range(60):
        cases, names = [], []
        for name in range(40):
            shift = dice.gauss(0, 0.4)
            for _ in range(3):
                cases.append((math.exp(shift + dice.gauss(0, 0.4) - 0.16), dice.random() < 0.7))
                names.append(name)
        said = cluster_bootstrap(
            cases, per_accepted, clusters=names, draw=dice.random, draws=200
        )  # fmt: skip
        covered += said.low <= 1 / 0.7 <= said.high
        assert said.n == 40
    assert covered >= 51


def test_the_bootstrap_says_when_there_is_too_little():
    cases = [(1.0, True)] * 9
    said = cluster_bootstrap(cases, per_accepted, draw=random.Random(1).random)
    assert (said.value, said.low, said.high) == (1.0, None, None)
    rare = [(1.0, at == 0) for at in range(20)]
    said = cluster_bootstrap(rare, per_accepted, draw=random.Random(1).random, draws=300)
    assert said.high is None
    with pytest.raises(ValueError, match="draws"):
        cluster_bootstrap(cases, per_accepted, draw=random.Random(1).random, draws=10)


def test_two_arms_of_unlike_cases():
    covered = 0
    for seed in range(200):
        a = RatioMoments.of(*requests(200, seed, sigma=0.8, rate=0.9))
        b = RatioMoments.of(*requests(300, seed + 10_000, sigma=0.8, rate=0.6))
        said = ratio_of_arms(a, b)
        covered += said.low <= 1.5 <= said.high
    assert 0.91 <= covered / 200 <= 0.985
    assert ratio_of_arms(a, RatioMoments()).value is None
    one = RatioMoments.of([1.0], [True])
    assert ratio_of_arms(one, one).low is None


def test_nothing_below_the_line_is_no_ratio():
    assert delta_ratio([1.0, 2.0], [0.0, 0.0]).value is None
    assert delta_ratio([1.0], [1.0]).low is None
    with pytest.raises(ValueError, match="differ"):
        delta_ratio([1.0], [])
