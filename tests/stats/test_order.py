"""Quantiles of what was seen, with binomial ranks."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.stats.estimate import Estimate
from pointsman.stats.order import quantile


def test_the_median_of_a_hundred_has_the_tabled_ranks() -> None:
    # Binomial(100, 1/2): ranks 40 and 61, Conover, Practical Nonparametric Statistics, 3.2
    assert quantile(range(1, 101), 0.5) == Estimate(value=50, low=40, high=61, n=100)


def test_a_tail_that_was_hardly_seen_has_no_upper_limit() -> None:
    estimate = quantile(range(1, 21), 0.95)
    assert (estimate.value, estimate.high) == (19, None)


def test_nothing_seen_gives_nothing() -> None:
    assert quantile([], 0.5) == Estimate(value=None, low=None, high=None, n=0)


@pytest.mark.parametrize("q", [0.0, 1.0, -1.0])
def test_a_quantile_outside_its_range_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="q must lie"):
        quantile([1.0], q)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_value_and_limits_are_values_that_were_seen(values: list[float], q: float) -> None:
    estimate = quantile(values, q)
    assert estimate.value in values
    assert estimate.low is None or estimate.low <= estimate.value
    assert estimate.high is None or estimate.value <= estimate.high


def test_the_interval_of_p95_covers_what_it_says() -> None:
    source, runs, covered = random.Random(3), 1500, 0
    for _ in range(runs):
        estimate = quantile([source.random() for _ in range(150)], 0.95)
        above = 1.0 if estimate.high is None else estimate.high
        covered += estimate.low <= 0.95 <= above  # type: ignore[operator]
    assert 0.94 < covered / runs < 0.99  # ranks are whole: it covers at least what it says
