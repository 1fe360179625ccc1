"""Few clusters: exact tests and intervals that cover, where the plain error does not."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.stats.clusters import (
    clustered_error,
    few_clusters_error,
    sign_flip_p_value,
    totals_of,
)
from pointsman.stats.means import compare, mean

SIZES = st.lists(st.tuples(st.integers(1, 9), st.floats(-5, 5)), min_size=2, max_size=20)


@given(st.integers(1, 6), st.lists(st.floats(-5, 5), min_size=2, max_size=20))
def test_clusters_of_one_size_have_the_plain_error(size, sums):
    totals = [(size, total) for total in sums]
    plain, allowed = clustered_error(totals), few_clusters_error(totals)
    assert allowed.error == pytest.approx(plain.error, abs=1e-12)
    assert allowed.freedom == pytest.approx(plain.freedom)


@given(SIZES)
def test_unlike_sizes_cost_degrees_of_freedom(totals):
    assert few_clusters_error(totals).freedom <= len(totals) - 1 + 1e-6


def test_one_cluster_bounds_nothing():
    assert clustered_error([(5, 1.0)]) is few_clusters_error([(5, 1.0)]) is None
    with pytest.raises(ValueError, match="differ"):
        totals_of([1.0], ["a", "b"])


def test_signs_by_hand():
    # of the eight ways to turn three signs, two are as far from zero as all alike
    assert sign_flip_p_value([(1, 1.0), (2, 2.0), (1, 3.0)]) == 2 / 8
    assert sign_flip_p_value([(1, 0.0)] * 3) == 1.0
    assert sign_flip_p_value([]) is sign_flip_p_value([(1, 1.0)] * 17) is None


def test_the_exact_test_keeps_its_level():
    dice = random.Random(2)
    wrong = 0
    for _ in range(600):
        totals = [(size, dice.gauss(0, size)) for size in (1, 1, 2, 2, 3, 5, 8, 13)]
        wrong += sign_flip_p_value(totals) <= 0.05
    assert wrong / 600 <= 0.07


def test_ten_unlike_clusters_are_covered_as_stated():
    """The plain error covers 89 % here."""
    dice, covered = random.Random(4), 0
    sizes = [2, 2, 2, 3, 3, 4, 6, 10, 16, 25]
    for _ in range(800):
        values, names = [], []
        for name, size in enumerate(sizes):
            shift = dice.gauss(0, 0.7)
            values += [shift + dice.gauss(0, 0.7) for _ in range(size)]
            names += [name] * size
        said = mean(values, clusters=names)
        covered += said.low <= 0 <= said.high
    assert 0.925 <= covered / 800 <= 0.985


def test_three_cases_without_a_difference_are_not_the_same():
    said = compare([1.0, 1.0, 0.0], [1.0, 1.0, 0.0], margin=0.02)
    assert said.verdict == "not enough data"
    assert said.more >= 1
    many = compare([1.0] * 400, [1.0] * 400, margin=0.02)
    assert many.verdict == "same"
