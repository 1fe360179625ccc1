"""Days as policies write them, YYYY-MM-DD in UTC: they compare as text. No clock is read here."""

from functools import lru_cache

_DAY_US = 86_400_000_000


def day_of(at_us: int) -> str:
    """The day of a time in microseconds since 1970, UTC."""
    return _day(at_us // _DAY_US)


@lru_cache(maxsize=64)  # asked of each request, and it changes once a day
def _day(number: int) -> str:
    """Source: Hinnant (2013), "chrono-compatible low-level date algorithms", `civil_from_days`."""
    shifted = number + 719_468
    era, of_era = divmod(shifted, 146_097)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    return f"{era * 400 + year + (month <= 2):04d}-{month:02d}-{day:02d}"


def number_of(day: str) -> int:
    """Days since 1970-01-01. Source: the same, `days_from_civil`."""
    year, month, date = map(int, day.split("-"))
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + date - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
