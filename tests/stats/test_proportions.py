"""Intervals for rates against published examples, laws and simulation."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.stats.estimate import Estimate
from pointsman.stats.proportions import (
    clopper_pearson,
    newcombe_difference,
    paired_difference,
    paired_difference_of_counts,
    wilson,
)


def limits(estimate: Estimate) -> tuple[float | None, float | None]:
    assert estimate.low is not None
    assert estimate.high is not None
    return round(estimate.low, 4), round(estimate.high, 4)


# Newcombe (1998), Stat. Med. 17, 857-872, table I
PUBLISHED = [
    (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
    (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
    (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
    (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
]


@pytest.mark.parametrize(("successes", "n", "score", "exact"), PUBLISHED)
def test_one_rate_agrees_with_published_limits(
    successes: int, n: int, score: tuple[float, float], exact: tuple[float, float]
) -> None:
    assert limits(wilson(successes, n)) == score
    assert limits(clopper_pearson(successes, n)) == exact


@pytest.mark.parametrize(  # Newcombe (1998), Stat. Med. 17, 873-890, table II, method 10
    ("a", "b", "expected"),
    [
        ((48, 80), (56, 70), (0.0524, 0.3339)),
        ((3, 10), (9, 10), (0.1705, 0.8090)),
        ((0, 10), (10, 10), (0.6075, 1.0)),
    ],
)
def test_an_unpaired_difference_agrees_with_published_limits(
    a: tuple[int, int], b: tuple[int, int], expected: tuple[float, float]
) -> None:
    assert limits(newcombe_difference(*a, *b)) == expected


def test_a_paired_difference_agrees_with_published_limits() -> None:
    # Newcombe (1998), Stat. Med. 17, 2635-2650, table II, method 10
    estimate = paired_difference_of_counts(both=36, only_a=2, only_b=12, neither=0)
    assert estimate.value == pytest.approx(0.2)
    assert limits(estimate) == (0.0569, 0.3404)


def test_outcomes_in_pairs_are_counted_as_their_table() -> None:
    a = [True, True, False, False, True]
    b = [True, False, True, False, True]
    counted = paired_difference_of_counts(both=2, only_a=1, only_b=1, neither=1)
    assert paired_difference(a, b) == counted


def test_no_case_gives_no_rate_and_no_news() -> None:
    for estimate in (wilson(0, 0), clopper_pearson(0, 0)):
        assert estimate == Estimate(value=None, low=0.0, high=1.0, n=0)
    for estimate in (newcombe_difference(0, 0, 3, 4), paired_difference([], [])):
        assert estimate.value is None
        assert (estimate.low, estimate.high) == (-1.0, 1.0)


@pytest.mark.parametrize(("successes", "n"), [(-1, 4), (5, 4), (0, -1)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes must lie"):
        wilson(successes, n)


def test_pairs_of_unlike_length_and_impossible_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in number"):
        paired_difference([True], [])
    with pytest.raises(ValueError, match="level must lie"):
        wilson(1, 2, level=1.0)


counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_limits_lie_in_zero_to_one_around_the_rate(case: tuple[int, int]) -> None:
    for estimate in (wilson(*case), clopper_pearson(*case)):
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.value is not None
        assert 0.0 <= estimate.low <= estimate.value <= estimate.high <= 1.0


@given(counts)
def test_successes_and_failures_mirror_each_other(case: tuple[int, int]) -> None:
    successes, n = case
    for interval in (wilson, clopper_pearson):
        seen, mirrored = interval(successes, n), interval(n - successes, n)
        assert seen.low == pytest.approx(1.0 - mirrored.high, abs=1e-9)  # type: ignore[operator]


@given(counts)
def test_more_successes_raise_both_limits(case: tuple[int, int]) -> None:
    successes, n = case
    if successes < n:
        less, more = wilson(successes, n), wilson(successes + 1, n)
        assert less.low < more.low  # type: ignore[operator]
        assert less.high <= more.high  # type: ignore[operator]


@given(st.tuples(*[st.integers(0, 200)] * 4))
def test_swapping_the_arms_mirrors_the_paired_difference(table: tuple[int, ...]) -> None:
    both, only_a, only_b, neither = table
    seen = paired_difference_of_counts(both=both, only_a=only_a, only_b=only_b, neither=neither)
    swapped = paired_difference_of_counts(both=both, only_a=only_b, only_b=only_a, neither=neither)
    assert seen.low == pytest.approx(-swapped.high, abs=1e-12)  # type: ignore[operator]
    assert -1.0 <= seen.low <= seen.high <= 1.0  # type: ignore[operator]


def test_the_paired_interval_covers_what_it_says() -> None:
    draw = random.Random(7).random
    runs, covered = 3000, 0
    for _ in range(runs):  # P(both) .55, P(only b) .15, P(only a) .05: a true difference of .1
        drawn = [draw() for _ in range(120)]
        estimate = paired_difference_of_counts(
            both=sum(x < 0.55 for x in drawn),
            only_b=sum(0.55 <= x < 0.70 for x in drawn),
            only_a=sum(0.70 <= x < 0.75 for x in drawn),
            neither=sum(x >= 0.75 for x in drawn),
        )
        covered += estimate.low <= 0.1 <= estimate.high  # type: ignore[operator]
    assert 0.935 < covered / runs < 0.975
