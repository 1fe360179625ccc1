"""Numbers with their doubt as short text for people; JSON carries the numbers themselves."""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pointsman.stats.estimate import Estimate

NOTHING = "–"


def percent(estimate: Estimate) -> str:
    """`88.1 % [85.0, 90.7] n=412`, from a share in [0, 1]; a dash where nothing was seen."""
    return f"{share(estimate)} n={estimate.n}"


def share(estimate: Estimate) -> str:
    """`88.1 % [85.0, 90.7]`, beside which n stands somewhere else."""
    if estimate.value is None:
        return NOTHING
    limits = _limits(estimate, lambda x: f"{100 * x:.1f}")
    return f"{100 * estimate.value:.1f} % {limits}"


def points(estimate: Estimate) -> str:
    """`+2.2 pts [+0.4, +4.0]`, from a difference of shares in [-1, 1]."""
    if estimate.value is None:
        return NOTHING
    return f"{_points(estimate.value)} pts {_limits(estimate, _points)}"


class Unit(NamedTuple):
    """What money is counted in throughout a table; its heads name it."""

    name: str
    per_usd: float
    words: str


UNITS = (
    Unit("$", 1.0, "dollars"),
    Unit("m$", 1e3, "thousandths of a dollar"),
    Unit("µ$", 1e6, "millionths of a dollar"),
)
_LEAST = 0.01  # of a unit, below which a smaller one is taken


def unit_of(values_usd: Iterable[float | None]) -> Unit:
    """The largest unit in which the least of these is a hundredth or more; dollars for none."""
    least = min((value for value in values_usd if value is not None and value > 0), default=1.0)
    return next((unit for unit in UNITS if least * unit.per_usd >= _LEAST), UNITS[-1])


def amount(value_usd: float, unit: Unit) -> str:
    """Three significant digits without an exponent: `12.3` of m$ is $0.0123."""
    value = value_usd * unit.per_usd
    size = abs(value)
    if size == 0 or size >= _PLACES[-1][1]:
        return _significant(value)
    return f"{value:.{min(12, 2 - math.floor(math.log10(size)))}f}"


def money(estimate: Estimate, unit: Unit) -> str:
    """`12.3 [11.0, 13.9]` of that unit; a dash for the value where nothing was accepted."""
    value = NOTHING if estimate.value is None else amount(estimate.value, unit)
    return f"{value} {_limits(estimate, lambda x: amount(x, unit))}"


def money_difference(estimate: Estimate, unit: Unit) -> str:
    """`-2.10 [-3.40, -0.800]` of that unit."""
    if estimate.value is None:
        return NOTHING

    def signed(value: float) -> str:
        return f"+{amount(value, unit)}" if value > 0 else amount(value, unit)

    return f"{signed(estimate.value)} {_limits(estimate, signed)}"


def change(estimate: Estimate) -> str:
    """`-11 % [-14, -8]`, from a ratio to a baseline: 0.89 is eleven percent less."""
    if estimate.value is None:
        return NOTHING
    if estimate.low is None and estimate.high is None:
        return f"{_change(estimate.value)} %"
    return f"{_change(estimate.value)} % {_limits(estimate, _change)}"


def milliseconds(estimate: Estimate) -> str:
    """`812 [790, 840]`; no lower limit reads as 0."""
    if estimate.value is None:
        return NOTHING
    low = "0" if estimate.low is None else f"{estimate.low:,.0f}"
    high = "∞" if estimate.high is None else f"{estimate.high:,.0f}"
    return f"{estimate.value:,.0f} [{low}, {high}]"


def usd(value: float) -> str:
    """Dollars to three significant digits: `$1,230`, `$0.0123`, `$1.23e-07`."""
    return f"${_significant(value)}"


def moment(at_us: int) -> str:
    """`2026-11-24 12:04` in UTC, from microseconds since 1970."""
    days, second = divmod(at_us // 1_000_000, 86_400)
    year, month, day = _civil(days)
    return f"{year:04}-{month:02}-{day:02} {second // 3600:02}:{second // 60 % 60:02}"


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of the Gregorian calendar, from days since 1970-01-01.

    Source: Hinnant, chrono-compatible low-level date algorithms, `civil_from_days`.
    """
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153  # months from March
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + 400 * era + (month <= 2), month, day


def _limits(estimate: Estimate, show: Callable[[float], str]) -> str:
    low = "-∞" if estimate.low is None else show(estimate.low)
    high = "∞" if estimate.high is None else show(estimate.high)
    return f"[{low}, {high}]"


def _significant(value: float) -> str:
    if value == 0:
        return "0"
    size = abs(value)
    if size < 0.001:
        return f"{value:.2e}"
    if size >= 99.95:
        return f"{value:,.0f}"
    places = next(digits for digits, least in _PLACES if size >= least)
    return f"{value:.{places}f}"


# the least value that still shows three significant digits with so many places
_PLACES = ((1, 9.995), (2, 0.9995), (3, 0.09995), (4, 0.009995), (5, 0.001))


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _change(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.0f}"
