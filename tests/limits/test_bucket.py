"""Laws of the bucket: never more than a minute's worth and what was added; clocks may step back."""

from hypothesis import given
from hypothesis import strategies as st

from pointsman.limits.bucket import MINUTE_US, available, filled, full, took, wait_us

RATES = st.integers(1, 2**31)
STEPS = st.lists(st.tuples(st.integers(0, 200_000_000), st.integers(1, 1000)), max_size=40)


@given(RATES, STEPS)
def test_what_is_taken_is_at_most_a_minutes_worth_and_what_the_time_added(rate, steps):
    now, taken, bucket = 0, 0, full(rate, 0)
    for passed, count in steps:
        now += passed
        bucket = filled(bucket, rate, now)
        if available(bucket) >= count:
            bucket, taken = took(bucket, count), taken + count
        assert available(bucket) <= rate
        assert taken * MINUTE_US <= rate * (MINUTE_US + now)


@given(RATES, st.integers(1, 2**31), st.integers(0, 10**12))
def test_after_the_wait_it_is_there_and_a_moment_before_it_is_not(rate, count, now):
    count = min(count, rate)
    empty = took(full(rate, now), rate)
    wait = wait_us(empty, rate, count)
    assert available(filled(empty, rate, now + wait)) >= count
    assert available(filled(empty, rate, now + wait - 1)) < count


@given(RATES, st.integers(0, MINUTE_US), st.integers(0, MINUTE_US))
def test_a_clock_that_steps_back_a_little_adds_nothing_twice(rate, back, forth):
    start = 10**12
    bucket = took(full(rate, start), rate)
    there = filled(bucket, rate, start + forth)
    again = filled(filled(there, rate, start + forth - back), rate, start + forth)
    assert again == there


def test_a_clock_that_was_a_year_ahead_does_not_dry_a_bucket_for_a_year():
    year = 365 * 86_400_000_000
    ahead = took(full(60, year), 60)
    right = filled(ahead, 60, 0)
    assert available(filled(right, 60, MINUTE_US)) == 60


def test_what_turned_out_to_be_more_is_owed():
    bucket = took(full(60, 0), 120)
    assert available(bucket) == 0
    assert available(filled(bucket, 60, MINUTE_US)) == 0
    assert available(filled(bucket, 60, 2 * MINUTE_US)) == 60


def test_a_lowered_rate_holds_at_once():
    assert available(filled(full(1000, 0), 10, 0)) == 10
