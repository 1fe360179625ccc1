"""What may be looked at any time: how often it is ever wrong, and how soon it decides."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.stats.sequences import (
    Moments,
    always_valid,
    asymptotic_sequence,
    benjamini_hochberg,
    boundary,
    e_benjamini_hochberg,
    holm,
    sample_ratio,
)

RUNS = [(120, 3000), pytest.param((2000, 10_000), marks=[pytest.mark.deep,
                                                        pytest.mark.timeout(1800)])]  # fmt: skip


def first_decision(dice, a, b, most, bounds):
    """As `always_valid` decides, step by step, with sums alone."""
    x = y = 0
    for n in range(1, most + 1):
        x += dice.random() < a
        y += dice.random() < b
        if n < 50:
            continue
        first = (x - x * x / n + 0.25) / (n + 1)
        second = (y - y * y / n + 0.25) / (n + 1)
        if abs(y - x) / n > math.sqrt((first + second) / n) * bounds[n]:
            return n
    return None


@pytest.mark.parametrize("run", RUNS)
def test_however_often_one_looks_nothing_is_found_where_nothing_is(run):
    runs, most = run
    bounds = [0.0, 0.0, *(boundary(n, 0.95) for n in range(2, most + 1))]
    dice = random.Random(11)
    wrong = sum(first_decision(dice, 0.7, 0.7, most, bounds) is not None for _ in range(runs))
    assert wrong / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


def test_a_true_effect_is_found_in_no_more_than_1_6_of_the_fixed_sample():
    bounds = [0.0, 0.0, *(boundary(n, 0.95) for n in range(2, 8001))]
    dice = random.Random(12)
    found = [first_decision(dice, 0.7, 0.75, 8000, bounds) or 8000 for _ in range(60)]
    assert sum(found) / len(found) <= 1.6 * 1248


def test_the_loop_above_is_always_valid_itself():
    a, b, dice = Moments(), Moments(), random.Random(13)
    x = y = 0
    for n in range(1, 400):
        one, other = dice.random() < 0.4, dice.random() < 0.8
        a, b, x, y = a.plus(one), b.plus(other), x + one, y + other
        said = always_valid(a, b)
        if n >= 50:
            first = (x - x * x / n + 0.25) / (n + 1)
            second = (y - y * y / n + 0.25) / (n + 1)
            half = math.sqrt((first + second) / n) * boundary(n, 0.95)
            assert said.difference.high - said.difference.value == pytest.approx(half)
            assert (said.verdict == "undecided") == (abs(y - x) / n <= half)
        else:
            assert said.verdict == "undecided"
    assert said.verdict == "b is better"


def test_a_sequence_covers_at_every_look():
    dice, wrong = random.Random(14), 0
    for _ in range(150):
        seen = Moments()
        for n in range(1, 1500):
            seen = seen.plus(dice.random())
            if n >= 50:
                said = asymptotic_sequence(seen)
                if not said.low <= 0.5 <= said.high:
                    wrong += 1
                    break
    assert wrong / 150 <= 0.09
    assert asymptotic_sequence(Moments()).value is None


def test_shares_that_are_as_meant_and_those_that_are_not():
    dice, called = random.Random(15), 0
    for _ in range(300):
        counts = {"a": 0, "b": 0}
        for n in range(1, 600):
            counts["a" if dice.random() < 0.5 else "b"] += 1
            if n % 20 == 0 and sample_ratio(counts, {"a": 1, "b": 1}, alpha=0.05).mismatch:
                called += 1
                break
    assert called / 300 <= 0.05
    assert sample_ratio({"a": 560, "b": 440}, {"a": 1, "b": 1}, alpha=0.01).mismatch
    assert not sample_ratio({"a": 905, "b": 95}, {"a": 9, "b": 1}).mismatch
    with pytest.raises(ValueError, match="expected share"):
        sample_ratio({"c": 1}, {"a": 1})


P = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(P)
def test_what_falls_by_holm_falls_by_benjamini_and_hochberg(p_values):
    strict, loose = holm(p_values), benjamini_hochberg(p_values)
    assert all(not a or b for a, b in zip(strict, loose, strict=True))
    assert all(p <= 0.05 for p, fallen in zip(p_values, loose, strict=True) if fallen)


@given(P)
def test_e_values_of_p_values_find_no_more(p_values):
    found = e_benjamini_hochberg([1 / max(p, 1e-9) for p in p_values])
    loose = benjamini_hochberg(p_values)
    assert all(not a or b for a, b in zip(found, loose, strict=True))


def test_known_answers():
    assert benjamini_hochberg([0.01, 0.02, 0.03, 0.9]) == [True, True, True, False]
    assert holm([0.01, 0.04, 0.03]) == [True, False, False]
    assert e_benjamini_hochberg([100.0, 1.0, 30.0]) == [True, False, True]
