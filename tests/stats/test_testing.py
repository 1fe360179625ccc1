"""P-values for means and fixed sequences: their error by simulation and enumeration."""

import math
import random

import pytest

from pointsman.stats.binomial import binomial_mass
from pointsman.stats.testing import Proven, fixed_sequence, hoeffding_bentkus, learn_then_test


def test_the_proof_goes_as_far_as_the_first_failure() -> None:
    drawn = []

    def p_values():
        for p in (0.01, 0.04, 0.2, 0.001):
            drawn.append(p)
            yield p

    assert fixed_sequence(p_values(), delta=0.05) == Proven(2, (0.01, 0.04, 0.2))
    assert drawn == [0.01, 0.04, 0.2]  # nothing is computed that cannot count
    assert fixed_sequence([], delta=0.05) == Proven(0, ())
    assert fixed_sequence([math.nan], delta=0.05).count == 0


@pytest.mark.parametrize(("n", "bound"), [(20, 0.1), (60, 0.3), (200, 0.05)])
@pytest.mark.parametrize("delta", [0.05, 0.1])
def test_a_loss_at_the_bound_is_called_smaller_in_at_most_delta(
    n: int, bound: float, delta: float
) -> None:
    chance = sum(
        binomial_mass(k, n, bound)
        for k in range(n + 1)
        if hoeffding_bentkus(k / n, n, bound=bound) <= delta
    )
    assert chance <= delta


def test_losses_that_are_no_coins_keep_the_error() -> None:
    source, wrong = random.Random(5), 0
    for _ in range(1_000):
        mean = sum(source.betavariate(0.5, 4.5) for _ in range(80)) / 80  # its mean is 0.1
        wrong += hoeffding_bentkus(mean, 80, bound=0.1) <= 0.1
    assert wrong <= 100


def test_more_cases_and_smaller_losses_prove_more() -> None:
    assert hoeffding_bentkus(0.05, 400, bound=0.1) < hoeffding_bentkus(0.05, 100, bound=0.1)
    assert hoeffding_bentkus(0.02, 100, bound=0.1) < hoeffding_bentkus(0.05, 100, bound=0.1)
    assert hoeffding_bentkus(0.1, 100, bound=0.1) == 1.0
    assert hoeffding_bentkus(0.0, 0, bound=0.1) == 1.0


def test_points_are_taken_in_order_while_they_are_safe() -> None:
    assert learn_then_test([0.01, 0.02, 0.09, 0.01], 500, bound=0.1, delta=0.1).count == 2


def test_the_whole_sequence_errs_in_at_most_delta() -> None:
    """Losses of ten points on the same cases, the fifth and later ones over the bound."""
    source, wrong = random.Random(8), 0
    rates = [0.02, 0.04, 0.06, 0.08, 0.105, 0.12, 0.14, 0.16, 0.18, 0.2]
    for _ in range(600):
        draws = [source.random() for _ in range(150)]
        means = [sum(u < rate for u in draws) / 150 for rate in rates]
        wrong += learn_then_test(means, 150, bound=0.1, delta=0.1).count > 4
    assert wrong <= 60


@pytest.mark.parametrize(("mean", "n", "bound"), [(0.1, 5, 0.0), (1.2, 5, 0.1), (0.1, -1, 0.1)])
def test_what_cannot_be_is_refused(mean: float, n: int, bound: float) -> None:
    with pytest.raises(ValueError, match=r"bound must lie|cannot be"):
        hoeffding_bentkus(mean, n, bound=bound)


def test_a_delta_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="delta must lie"):
        fixed_sequence([0.1], delta=1.0)
