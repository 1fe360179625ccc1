"""Alarms: how rarely they are false, how soon they come, and where they say it began."""

import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.stats.detectors import DriftDetector, alarms_of, change_point

RUNS = [40, pytest.param(300, marks=[pytest.mark.deep, pytest.mark.timeout(1800)])]


def stream(dice, *parts):
    for rate, count in parts:
        yield from (float(dice.random() < rate) for _ in range(count))


@pytest.mark.parametrize("runs", RUNS)
def test_false_alarms_are_as_rare_as_was_said(runs):
    dice = random.Random(1)
    false = sum(
        bool(alarms_of(stream(dice, (0.84, 2500)), arl=40_000, reference=500)) for _ in range(runs)
    )
    assert false / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize(
    ("after", "median", "late"), [(0.50, 30, 55), (0.68, 110, 230)]
)  # fmt: skip
@pytest.mark.parametrize("runs", RUNS)
def test_a_fall_is_noticed_soon(after, median, late, runs):
    dice, delays = random.Random(2), []
    while len(delays) < runs:
        found = alarms_of(stream(dice, (0.84, 1500), (after, 1500)), arl=40_000, reference=500)
        if found and found[0].at < 1500:
            continue  # a false alarm, counted above
        delays.append(found[0].at - 1500 if found else 1500)
        if found:
            assert found[0].before > found[0].after
    slack = 1 + 1.5 / math.sqrt(runs)
    assert statistics.median(delays) <= median * slack
    assert sorted(delays)[int(0.9 * len(delays))] <= late * slack


def test_it_says_when_it_began():
    dice, misses = random.Random(3), []
    for _ in range(20):
        found = alarms_of(stream(dice, (0.85, 1200), (0.4, 400)), arl=40_000, reference=500)
        misses.append(abs(found[-1].started - 1200))
    assert statistics.median(misses) <= 15


def test_a_rise_is_noticed_too_and_what_came_after_is_learned_anew():
    dice = random.Random(4)
    found = alarms_of(stream(dice, (0.3, 800), (0.8, 800), (0.3, 800)), arl=5_000)
    assert [alarm.before < alarm.after for alarm in found][:2] == [True, False]
    assert 800 <= found[0].at <= 900
    assert 1600 <= found[1].at <= 1700


def test_scores_between_no_and_yes_need_no_other_detector():
    dice = random.Random(5)
    values = [dice.betavariate(8, 2) for _ in range(800)]
    values += [dice.betavariate(4, 4) for _ in range(200)]
    found = alarms_of(values, arl=20_000)
    assert 800 <= found[0].at <= 860


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1.0, 0.25]), max_size=400), st.integers(20, 60))
def test_a_stream_in_pieces_is_the_same_stream(values, reference):
    one = DriftDetector(arl=50, reference=reference)
    found = [alarm for value in values if (alarm := one.add(value)) is not None]
    assert found == alarms_of(values, arl=50, reference=reference)
    for alarm in found:
        assert 0 <= alarm.started <= alarm.at < len(values)
    assert (one.state.n, one.state.alarms) == (len(values), len(found))
    assert one.state.evidence >= 0


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_stream_that_never_varied_may_begin_to(value):
    values = [value] * 600 + [1.0 - value] * 30
    assert 600 <= alarms_of(values, arl=10_000)[0].at <= 625
    assert alarms_of([value] * 3000, arl=10_000) == []


def test_what_is_no_stream_is_refused():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        DriftDetector(arl=100).add(1.5)
    for wrong in ({"arl": 5}, {"arl": 100, "reference": 3}):
        with pytest.raises(ValueError, match=r"must be|learned from"):
            DriftDetector(**wrong)


def test_where_a_mean_changed():
    assert change_point([1.0] * 30 + [0.0] * 20) == (30, 1.0, 0.0)
    assert change_point([0.5]) == (0, 0.5, 0.5)
    assert change_point([]) == (0, 0.0, 0.0)
