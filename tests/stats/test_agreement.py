"""Agreement of raters: published examples, a library's numbers, what chance alone gives."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.stats.agreement import cohen_kappa, krippendorff_alpha

# Krippendorff (2011), four observers and twelve units; 0 stands for no rating.
_OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
)
_UNITS = [[each for each in unit if each] for unit in zip(*_OBSERVERS, strict=True)]


@pytest.mark.parametrize(
    ("metric", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_is_that_of_the_published_example(metric, alpha):
    found = krippendorff_alpha(_UNITS, metric=metric)
    assert found.value == pytest.approx(alpha, abs=6e-4)
    assert found.n == 11


def test_kappa_and_its_error_are_those_of_the_published_table():
    # 88 of both yes, 14 and 10 apart, 88 of both no: by hand, after Fleiss, Cohen and Everitt
    a = [1] * 88 + [1] * 14 + [0] * 10 + [0] * 88
    b = [1] * 88 + [0] * 14 + [1] * 10 + [0] * 88
    found = cohen_kappa(a, b)
    assert found.value == pytest.approx(0.76, abs=1e-4)
    assert (found.high - found.low) / 2 / 1.959964 == pytest.approx(0.04592, abs=2e-4)


def test_kappa_agrees_with_statsmodels_where_it_is_installed():
    agreement = pytest.importorskip("statsmodels.stats.inter_rater")
    table = [[40, 7, 2], [5, 21, 6], [1, 9, 30]]
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i][j])]
    found = cohen_kappa(*zip(*pairs, strict=True))
    other = agreement.cohens_kappa(table)
    assert found.value == pytest.approx(other.kappa, abs=1e-12)
    assert found.low == pytest.approx(other.kappa_low, abs=1e-9)


def test_raters_who_always_say_one_word_tell_nothing():
    assert cohen_kappa([1] * 30, [1] * 30).value is None
    assert krippendorff_alpha([[1, 1]] * 30).value is None


def test_few_cases_bound_nothing():
    assert cohen_kappa([0, 1, 1], [0, 1, 0]).low is None
    assert krippendorff_alpha([[0, 1], [1, 1], [0, 0]]).low is None


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_agreement_is_at_most_one_and_does_not_ask_who_is_first(pairs):
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    there, back = cohen_kappa(a, b), cohen_kappa(b, a)
    assert (there.value is None) == (back.value is None)
    if there.value is not None:
        assert there.value == pytest.approx(back.value, abs=1e-9)
        assert there.value <= 1 + 1e-12
    alpha = krippendorff_alpha([list(pair) for pair in pairs])
    assert alpha.value is None or alpha.value <= 1 + 1e-9


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    chance, inside_kappa, inside_alpha, runs = random.Random(5), 0, 0, 150
    # truth: each rater errs with .1 on a coin: kappa = alpha = 4 * .1 * .9 off the coin's chance
    truth = 2 * (0.9**2 + 0.1**2) - 1
    for _ in range(runs):
        coins = [chance.random() < 0.5 for _ in range(100)]
        a = [int(coin ^ (chance.random() < 0.1)) for coin in coins]
        b = [int(coin ^ (chance.random() < 0.1)) for coin in coins]
        kappa = cohen_kappa(a, b)
        alpha = krippendorff_alpha([list(pair) for pair in zip(a, b, strict=True)])
        inside_kappa += kappa.low <= truth <= kappa.high
        inside_alpha += alpha.low <= truth <= alpha.high
    assert 0.9 <= inside_kappa / runs <= 0.985
    assert 0.9 <= inside_alpha / runs <= 0.985
