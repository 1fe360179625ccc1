"""Days and months in UTC, from microseconds since 1970: a budget's periods and their ends."""

from typing import Literal, NamedTuple

Kind = Literal["day", "month"]

DAY_US = 86_400_000_000


class Period(NamedTuple):
    """`[start_us, end_us)`, named as people name it: `2026-11-24`, `2026-11`."""

    name: str
    start_us: int
    end_us: int


def day_of(now_us: int) -> Period:
    """The day in UTC."""
    day = now_us // DAY_US
    year, month, date = _civil(day)
    return Period(f"{year:04d}-{month:02d}-{date:02d}", day * DAY_US, (day + 1) * DAY_US)


def month_of(now_us: int) -> Period:
    """The calendar month in UTC."""
    year, month, _ = _civil(now_us // DAY_US)
    after = (year + 1, 1) if month == 12 else (year, month + 1)
    return Period(f"{year:04d}-{month:02d}", _days(year, month) * DAY_US, _days(*after) * DAY_US)


def period_of(kind: Kind, now_us: int) -> Period:
    """The period of a kind that a time lies in."""
    return day_of(now_us) if kind == "day" else month_of(now_us)


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days since 1970 in the Gregorian calendar.

    Source: Howard Hinnant, chrono-compatible low-level date algorithms (civil_from_days).
    """
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153  # months from March
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


def _days(year: int, month: int) -> int:
    """Days since 1970 of the first of a month (days_from_civil)."""
    shifted_year = year - (month <= 2)
    era, of_era = divmod(shifted_year, 400)
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
