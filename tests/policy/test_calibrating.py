"""Thresholds from honest traffic: the promise holds as often as it says."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.detectors.calibrating import moved, threshold_for

SCORES = st.lists(st.floats(0, 1, allow_nan=False), min_size=1, max_size=400)


def test_the_true_rate_is_below_what_was_asked_about_as_often_as_promised():
    chance = random.Random(5)
    kept = 0
    for _ in range(400):
        found = threshold_for([chance.random() for _ in range(800)], rate=0.02, level=0.9)
        assert found.enough
        kept += 1.0 - found.value <= 0.02
    assert 0.87 <= kept / 400 <= 0.97  # 0.9 is promised; order statistics move in steps


@given(SCORES, st.floats(0.005, 0.5))
def test_a_promise_is_never_made_of_more_than_may_pass(scores, rate):
    found = threshold_for(scores, rate=rate)
    passing = sum(s >= found.value for s in scores)
    assert found.passing.value == passing / len(scores)
    if found.enough:
        assert passing / len(scores) <= rate


def test_too_little_traffic_promises_nothing_and_says_how_much_would():
    assert not threshold_for([0.1] * 298, rate=0.01).enough
    assert threshold_for([0.1] * 299, rate=0.01).enough
    assert threshold_for([0.1], rate=0.01).needed == 299


def test_traffic_that_moved_is_seen_and_chance_is_not():
    assert moved([0.9] * 30 + [0.1] * 470, 0.5, rate=0.01)
    assert not moved([0.9] * 6 + [0.1] * 494, 0.5, rate=0.01)


@pytest.mark.parametrize(("scores", "rate"), [([], 0.1), ([1.5], 0.1), ([0.5], 0.0), ([0.5], 1.0)])
def test_what_makes_no_sense_is_refused(scores, rate):
    with pytest.raises(ValueError, match=r"scores|rate"):
        threshold_for(scores, rate=rate)
