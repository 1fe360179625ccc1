"""Days and months in UTC are those of the calendar, whatever the time."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pointsman.limits.periods import day_of, month_of

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9998, 12, 31)).map(
    lambda each: each.replace(tzinfo=UTC)
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(when: datetime) -> int:
    return (when - EPOCH) // timedelta(microseconds=1)


@given(TIMES)
def test_a_day_is_the_calendars(when):
    day = day_of(us(when))
    midnight = when.replace(hour=0, minute=0, second=0, microsecond=0)
    assert day == (
        midnight.strftime("%Y-%m-%d").zfill(10),
        us(midnight),
        us(midnight) + 86_400_000_000,
    )


@given(TIMES)
def test_a_month_is_the_calendars(when):
    month = month_of(us(when))
    first = when.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (first + timedelta(days=32)).replace(day=1)
    assert month == (f"{when.year:04d}-{when.month:02d}", us(first), us(after))


def test_the_last_microsecond_of_a_year_is_in_it_and_the_next_is_not():
    last = us(datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    assert (day_of(last).name, month_of(last).name) == ("2025-12-31", "2025-12")
    assert (day_of(last + 1).name, month_of(last + 1).name) == ("2026-01-01", "2026-01")


def test_a_leap_day_is_a_day_of_february():
    assert day_of(us(datetime(2028, 2, 29, 12, tzinfo=UTC))).name == "2028-02-29"
    assert month_of(us(datetime(2028, 2, 29, 12, tzinfo=UTC))).name == "2028-02"
