"""The exact test of a margin between paired rates: size by enumeration, power, edges."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.stats.binomial import BinomialWalk, binomial_cdf, binomial_mass
from pointsman.stats.shortfall import Pairs, shortfall, shortfall_p_value


def trinomial(lost: int, won: int, n: int, losing: float, winning: float) -> float:
    rest = n - lost - won
    ways = math.comb(n, lost) * math.comb(n - lost, won)
    return ways * losing**lost * winning**won * (1.0 - losing - winning) ** rest


@pytest.mark.parametrize(("n", "margin"), [(12, 0.1), (20, 0.05), (20, 0.3)])
@pytest.mark.parametrize("delta", [0.05, 0.2])
def test_a_false_floor_is_proven_in_at_most_delta_of_all_samples(
    n: int, margin: float, delta: float
) -> None:
    proven = [
        (lost, won)
        for lost in range(n + 1)
        for won in range(n + 1 - lost)
        if shortfall_p_value(Pairs(lost, won, n), margin=margin) <= delta
    ]
    for step in range(30):  # the shortfall is the margin exactly: the worst that is still false
        winning = (1.0 - margin) / 2.0 * step / 30
        chance = sum(trinomial(lost, won, n, winning + margin, winning) for lost, won in proven)
        assert chance <= delta


def test_it_is_nearly_as_strong_as_the_normal_approximation() -> None:
    """24.1 fewer losses than the margin allows, in a spread of 14.7: 0.0506 if it were normal."""
    p_value = shortfall_p_value(Pairs(110, 100, 1_787), margin=0.02)
    assert 0.030 < p_value < 0.045  # the score statistic gives 0.0389


def test_where_the_two_never_differ_the_chance_of_that_is_the_proof() -> None:
    p_value = shortfall_p_value(Pairs(0, 0, 219), margin=0.02)
    assert 0.98**219 < p_value < 0.98**219 + 0.004
    assert shortfall_p_value(Pairs(0, 0, 20), margin=0.02) > 0.5


def test_no_case_and_a_shortfall_over_the_margin_prove_nothing() -> None:
    assert shortfall_p_value(Pairs(0, 0, 0), margin=0.02) == 1.0
    assert shortfall_p_value(Pairs(30, 10, 1_000), margin=0.02) == 1.0


@pytest.mark.parametrize("pairs", [Pairs(-1, 0, 5), Pairs(0, -1, 5), Pairs(3, 3, 5)])
def test_impossible_counts_are_refused(pairs: Pairs) -> None:
    with pytest.raises(ValueError, match="cannot be among"):
        shortfall_p_value(pairs, margin=0.1)


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1])
def test_a_margin_outside_its_range_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin must lie"):
        shortfall_p_value(Pairs(0, 0, 5), margin=margin)


@given(
    lost=st.integers(0, 30), won=st.integers(0, 30), rest=st.integers(1, 100),
    margin=st.floats(0.01, 0.4),
)  # fmt: skip
def test_one_more_loss_never_strengthens_the_proof(
    lost: int, won: int, rest: int, margin: float
) -> None:
    n = lost + won + rest + 1
    fewer = shortfall_p_value(Pairs(lost, won + 1, n), margin=margin)
    assert fewer <= shortfall_p_value(Pairs(lost + 1, won, n), margin=margin)
    assert 0.0 < fewer <= 1.0


def test_the_limit_is_where_the_test_turns() -> None:
    limit = shortfall(Pairs(14, 10, 400), level=0.9)
    assert limit.value == pytest.approx(0.01)
    assert limit.low is None
    assert limit.high is not None
    assert shortfall_p_value(Pairs(14, 10, 400), margin=limit.high) <= 0.1
    assert shortfall_p_value(Pairs(14, 10, 400), margin=limit.high - 2e-4) > 0.1
    assert shortfall(Pairs(0, 0, 0)).high is None


@given(
    start=st.tuples(st.integers(0, 40), st.integers(0, 20)),
    steps=st.lists(st.integers(-1, 1), max_size=30),
    chance=st.floats(0.05, 0.95),
)
def test_a_walk_along_binomials_arrives_where_a_leap_does(
    start: tuple[int, int], steps: list[int], chance: float
) -> None:
    k, m = start[0], start[0] + start[1]
    walk = BinomialWalk(k, m, chance)
    for step in steps:
        m, k = m + 1, max(0, k + step)
        walk.move(k, m)
        assert walk.below == pytest.approx(binomial_cdf(k, m, chance), abs=1e-12)


def test_masses_add_up_to_the_cumulative_chance() -> None:
    for chance in (0.0, 0.3, 1.0):
        masses = [binomial_mass(k, 12, chance) for k in range(13)]
        for k in range(13):
            assert math.fsum(masses[: k + 1]) == pytest.approx(binomial_cdf(k, 12, chance))
    assert binomial_cdf(-1, 12, 0.5) == 0.0


def test_it_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy comes with the learn extra")
    for k, n, chance in [(3, 10, 0.2), (180, 400, 0.48), (0, 50, 0.01)]:
        assert binomial_cdf(k, n, chance) == pytest.approx(stats.binom.cdf(k, n, chance), rel=1e-9)
        assert binomial_mass(k, n, chance) == pytest.approx(stats.binom.pmf(k, n, chance), rel=1e-9)
