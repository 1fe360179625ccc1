"""Evidence that two rates differ is exact at every look, and comes in time."""

import random

import pytest

from pointsman.stats.two_streams import TwoStreams


def watched(rate_a, rate_b, looks, dice):
    state = TwoStreams()
    for n in range(1, looks + 1):
        state = state.after(in_a=dice.random() < rate_a, in_b=dice.random() < rate_b)
        if state.p_value <= 0.05:
            return n
    return None


def test_equal_rates_are_seldom_told_apart_however_often_one_looks():
    dice = random.Random(1)
    assert sum(watched(0.7, 0.7, 400, dice) is not None for _ in range(200)) / 200 <= 0.07


def test_unlike_rates_are_told_apart():
    dice = random.Random(2)
    found = sorted(watched(0.6, 0.8, 2000, dice) or 2000 for _ in range(60))
    assert found[30] < 250  # a test of fixed size has 82 pairs at 80 % power


def test_outcomes_wait_for_their_partner_in_order():
    alone = TwoStreams()
    for outcome in (True, False, True):
        alone = alone.after(in_a=outcome)
    assert (alone.pairs, len(alone.waiting_a), alone.e_value) == (0, 3, 1.0)
    for outcome in (False, False, True):
        alone = alone.after(in_b=outcome)
    together = TwoStreams()
    for a, b in ((True, False), (False, False), (True, True)):
        together = together.after(in_a=a, in_b=b)
    assert alone.log_e == pytest.approx(together.log_e)
    assert (alone.successes_a, alone.successes_b) == (2, 1)


def test_no_two_outcomes_shake_the_first_bet():
    assert TwoStreams().after(in_a=True, in_b=False).e_value == pytest.approx(1.0)
