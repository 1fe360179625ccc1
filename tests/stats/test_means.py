"""Means, pairs, clusters, power: by hand, by scipy, and by how often intervals cover."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.stats.estimate import Estimate
from pointsman.stats.means import (
    compare,
    mcnemar,
    mean,
    paired_mean,
    standard_error,
    verdict_of,
)
from pointsman.stats.power import cases_needed, smallest_shift

scipy_stats = pytest.importorskip("scipy.stats")
SUITES = [300, pytest.param(5000, marks=[pytest.mark.deep, pytest.mark.timeout(1800)])]


def test_without_clusters_it_is_students_interval():
    values = [0.1, 0.5, 0.9, 0.4, 0.35]
    said = mean(values)
    low, high = scipy_stats.t.interval(
        0.95, 4, loc=said.value, scale=scipy_stats.sem(values)
    )  # fmt: skip
    assert (said.low, said.high) == pytest.approx((low, high))


def test_the_clustered_error_by_hand():
    values, clusters = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0], "aabbcc"
    centre = 0.5
    sums = [1 - 2 * centre, 2 - 2 * centre, 0 - 2 * centre]
    wanted = math.sqrt(3 / 2 * sum(s * s for s in sums)) / 6
    assert standard_error(values, list(clusters)) == pytest.approx(wanted)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=30))
def test_every_case_its_own_cluster_is_no_cluster(values):
    alone, named = mean(values), mean(values, clusters=list(range(len(values))))
    assert (alone.low, alone.high) == (named.low, named.high)


def test_too_little_says_so():
    assert mean([]).value is None
    assert (mean([1.0]).low, mean([1.0]).high) == (None, None)
    assert mean([1.0, 0.0], clusters=["a", "a"]).low is None
    with pytest.raises(ValueError, match="differ"):
        paired_mean([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="finite"):
        mean([math.nan, 1.0])


@pytest.mark.parametrize("suites", SUITES)
@pytest.mark.parametrize(("n", "icc"), [(50, 0.0), (400, 0.0), (400, 0.3)])
def test_intervals_cover_as_they_say(suites, n, icc):
    dice, covered = random.Random(n), 0
    groups = n if icc == 0 else 40
    for _ in range(suites):
        shared = [dice.gauss(0, math.sqrt(icc)) for _ in range(groups)]
        values = [shared[at % groups] + dice.gauss(0, math.sqrt(1 - icc)) for at in range(n)]
        said = mean(values, clusters=[at % groups for at in range(n)])
        covered += said.low <= 0 <= said.high
    slack = 3 * math.sqrt(0.95 * 0.05 / suites)
    assert 0.935 - slack / 2 <= covered / suites <= 0.965 + slack / 2


def test_mcnemar_is_the_exact_binomial_test():
    for a, b in ((0, 0), (3, 9), (10, 10), (0, 8), (40, 71)):
        wanted = scipy_stats.binomtest(min(a, b), a + b).pvalue if a + b else 1.0
        assert mcnemar(a, b) == pytest.approx(wanted)


def test_power_is_what_a_simulation_shows():
    n = cases_needed(shift=0.2, spread=1.0)
    assert n == 197  # (1.95996 + 0.84162)^2 / 0.04
    dice = random.Random(3)
    shown = 0
    for _ in range(400):
        said = mean([dice.gauss(0.2, 1.0) for _ in range(n)])
        shown += said.low > 0
    assert 0.74 <= shown / 400 <= 0.86
    assert smallest_shift(n, spread=1.0) == pytest.approx(0.2, rel=0.01)
    once = cases_needed(shift=0.1, spread=0.2, within_a=0.4, within_b=0.4)
    often = cases_needed(shift=0.1, spread=0.2, within_a=0.4, within_b=0.4, epochs=8)
    assert often < once / 3


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.2, "better"), (-0.2, -0.01, "worse"), (-0.01, 0.015, "same"), (0.001, 0.01, "same"),
     (-0.1, 0.1, "not enough data"), (None, None, "not enough data")],
)  # fmt: skip
def test_verdicts(low, high, verdict):
    value = None if low is None else (low + high) / 2
    said = Estimate(value=value, low=low, high=high, n=100)
    assert verdict_of(said, margin=0.02, deviations=0.5).verdict == verdict


def test_not_enough_says_how_many_more():
    dice = random.Random(1)
    a = [float(dice.random() < 0.7) for _ in range(100)]
    b = [float(dice.random() < 0.7) for _ in range(100)]
    said = compare(a, b, margin=0.02)
    assert said.verdict == "not enough data"
    assert said.more > 1000


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=40))
def test_the_order_of_versions_turns_the_difference_round(pairs):
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    one, other = paired_mean(a, b), paired_mean(b, a)
    assert one.low == pytest.approx(-other.high, abs=1e-12)
    assert one.value == pytest.approx(-other.value, abs=1e-12)
