"""Days without a clock are the calendar's."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.days import day_of, number_of


@given(st.dates(date(1970, 1, 1), date(9000, 1, 1)), st.integers(0, 86_399_999_999))
def test_days_are_those_of_the_calendar(day, us):
    since = datetime(day.year, day.month, day.day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    assert day_of(since // timedelta(microseconds=1) + us) == day.isoformat()
    assert number_of(day.isoformat()) == since.days
