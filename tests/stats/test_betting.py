"""Anytime-valid: coverage at every look, false alarms as stated, alarms in time; fixed seeds."""

import random
import statistics

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.stats.betting import Alarm, BettingSequence, Evidence

FLOOR = {"null": 0.02, "low": -1.0, "high": 1.0}  # paired differences and a margin of two points


def differences(source: random.Random, mean: float, unlike: float, n: int) -> list[float]:
    losing = (unlike + mean) / 2.0
    return [
        1.0 if u < losing else -1.0 if u < unlike else 0.0
        for u in (source.random() for _ in range(n))
    ]


def ever_outside(values: list[float], mean: float, **options: float) -> bool:
    sequence = BettingSequence(**options)  # type: ignore[arg-type]
    for value in values:
        sequence.add(value)
        estimate = sequence.estimate
        assert estimate.low is not None
        assert estimate.high is not None
        if not estimate.low <= mean <= estimate.high:
            return True
    return False


def test_the_mean_is_in_every_interval_of_a_sequence_as_often_as_stated() -> None:
    source = random.Random(11)
    missed = sum(
        ever_outside([float(source.random() < 0.3) for _ in range(400)], 0.3, level=0.8, grid=200)
        for _ in range(120)
    )
    assert missed <= 0.2 * 120


def test_paired_differences_have_a_sequence_of_their_own_range() -> None:
    source = random.Random(12)
    sequence = BettingSequence(low=-1.0, high=1.0, level=0.9)
    for value in differences(source, 0.03, 0.1, 2_000):
        sequence.add(value)
    estimate = sequence.estimate
    assert estimate.n == 2_000
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low <= 0.03 <= estimate.high
    # four times the standard error either way is 0.057: few unlike cases make a narrow interval
    assert estimate.high - estimate.low < 0.057


def test_no_value_yet_says_nothing() -> None:
    estimate = BettingSequence(low=-1.0, high=1.0).estimate
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == (None, -1.0, 1.0, 0)


def test_a_floor_that_holds_is_refuted_in_at_most_delta_of_streams() -> None:
    source, refuted = random.Random(13), 0
    for _ in range(150):
        evidence = Evidence(**FLOOR)
        for value in differences(source, 0.02, 0.15, 600):  # the worst floor that still holds
            evidence = evidence.after(value)
        refuted += evidence.peak >= 10.0
    assert refuted <= 15


def test_a_broken_floor_is_refuted_while_one_watches() -> None:
    source, looks = random.Random(14), []
    for _ in range(40):
        evidence = Evidence(**FLOOR)
        for value in differences(source, 0.12, 0.3, 3_000):
            evidence = evidence.after(value)
            if evidence.value >= 10.0:
                looks.append(evidence.n)
                break
    assert len(looks) == 40
    assert statistics.median(looks) < 300


def test_alarms_are_false_no_more_often_than_stated() -> None:
    """The mean run to 200 is at least 200 values while the floor holds."""
    source, runs = random.Random(15), []
    for _ in range(120):
        alarm = Alarm(**FLOOR)
        while alarm.value < 200.0 and alarm.n < 2_000:
            alarm = alarm.after(differences(source, 0.02, 0.3, 1)[0])
        runs.append(alarm.n)
    assert statistics.mean(runs) >= 200


def test_a_late_fall_is_found_soon_after_it() -> None:
    """An accepted rate that falls from .84 to .50 after 1,000 answers, alarm at 10,000."""
    source, delays = random.Random(16), []
    for _ in range(30):
        alarm = Alarm(null=0.16, low=0.0, high=1.0)
        for i in range(1_400):
            alarm = alarm.after(float(source.random() < (0.16 if i < 1_000 else 0.5)))
            if i >= 1_000 and alarm.value >= 10_000:
                delays.append(i - 1_000)
                break
    assert len(delays) == 30
    assert statistics.median(delays) <= 35


@given(st.lists(st.floats(-1.0, 1.0), max_size=60))
def test_what_was_seen_survives_being_stored(values: list[float]) -> None:
    for state in (Evidence(**FLOOR), Alarm(**FLOOR)):
        for value in values:
            state = state.after(value)
            assert state.value >= 0.0
            assert state.peak >= state.value
        again = msgspec.json.decode(msgspec.json.encode(state), type=type(state))
        assert again == state


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        Evidence(**FLOOR).after(1.5)
    with pytest.raises(ValueError, match="outside"):
        BettingSequence().add(-0.1)
    with pytest.raises(ValueError, match="cannot be tested"):
        Evidence(null=1.0, low=0.0, high=1.0).after(0.5)
    with pytest.raises(ValueError, match="no range"):
        BettingSequence(low=1.0, high=1.0)
