"""Normalise: a messy amount or date -> `EUR 1234.50` or `2026-02-03`."""

from __future__ import annotations

import calendar
import random

from pointsman.embedded.cases.draft import Draft

PATTERN = r"(EUR|USD|GBP) \d{1,6}\.\d{2}|\d{4}-\d{2}-\d{2}"

_MONTHS = tuple(calendar.month_name)[1:]
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}
_SPOKEN = {"EUR": "euros", "USD": "dollars", "GBP": "pounds"}
_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def draft(rng: random.Random, hard: bool) -> Draft:
    """An amount or a date, half and half."""
    if rng.random() < 0.5:
        body, reference = (_hard_amount if hard else _easy_amount)(rng)
        return Draft(body, reference, f"The amount is {reference}.", hard)
    body, reference = (_hard_date if hard else _easy_date)(rng)
    return Draft(body, reference, f"The date is {reference}.", hard)


def _easy_amount(rng: random.Random) -> tuple[str, str]:
    currency, cents = rng.choice(tuple(_SIGNS)), rng.randint(100, 999_999)
    plain = f"{cents / 100:.2f}"
    body = rng.choice((
        f"{currency} {plain}",
        f"{plain} {currency}",
        f"{plain} {currency.lower()}",
        f"{_SIGNS[currency]}{plain}",
        f"{cents / 100:,.2f} {currency}",
    ))  # fmt: skip
    return body, f"{currency} {plain}"


def _hard_amount(rng: random.Random) -> tuple[str, str]:
    currency = rng.choice(tuple(_SIGNS))
    kind = rng.choice(("comma", "thousands", "spoken", "spoken", "cents"))
    if kind == "comma":
        cents = rng.randint(100_000, 99_999_999)
        swapped = f"{cents / 100:,.2f}".translate(str.maketrans(",.", ".,"))
        sign = rng.choice((_SIGNS[currency], " " + currency.lower()))
        return swapped + sign, f"{currency} {cents / 100:.2f}"
    if kind == "thousands":
        tenths = rng.randint(11, 9_999)
        body = f"{rng.choice((currency + ' ', _SIGNS[currency]))}{tenths / 10:g}k"
        return body, f"{currency} {tenths * 100}.00"
    if kind == "cents":
        whole, part = rng.randint(1, 999), rng.randint(1, 99)
        return f"{whole} {_SPOKEN[currency]} and {part} cents", f"{currency} {whole}.{part:02d}"
    whole = rng.choice((rng.randint(2, 999), rng.randint(1000, 99_999)))
    return f"{_in_words(whole)} {_SPOKEN[currency]}", f"{currency} {whole}.00"


def _easy_date(rng: random.Random) -> tuple[str, str]:
    year, month, day = _day(rng)
    name = _MONTHS[month - 1]
    body = rng.choice((
        f"{day} {name} {year}",
        f"{name} {day}, {year}",
        f"{year}/{month:02d}/{day:02d}",
        f"{day:02d}.{month:02d}.{year}",
    ))  # fmt: skip
    return body, f"{year}-{month:02d}-{day:02d}"


def _hard_date(rng: random.Random) -> tuple[str, str]:
    year, month, day = _day(rng)
    name, short = _MONTHS[month - 1], f"{year % 100:02d}"
    kind = rng.choice(("short", "american", "ordinal", "spoken", "last"))
    if kind == "last":
        last = calendar.monthrange(year, month)[1]
        return f"last day of {name} {year}", f"{year}-{month:02d}-{last:02d}"
    body = {
        "short": f"{day}.{month}.{short}",
        "american": f"US {month}/{day}/{short}",
        "ordinal": f"the {_ordinal(day)} of {name[:3]} '{short}",
        "spoken": f"{name} the {_spoken_ordinal(day)}, {year}",
    }[kind]
    return body, f"{year}-{month:02d}-{day:02d}"


def _day(rng: random.Random) -> tuple[int, int, int]:
    year, month = rng.randint(2001, 2039), rng.randint(1, 12)
    return year, month, rng.randint(1, calendar.monthrange(year, month)[1])


def _ordinal(day: int) -> str:
    ending = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _spoken_ordinal(day: int) -> str:
    irregular = {1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth"}
    irregular |= {12: "twelfth", 20: "twentieth", 30: "thirtieth"}
    if day in irregular:
        return irregular[day]
    if day > 20:
        return f"{_TENS[day // 10 - 2]}-{_spoken_ordinal(day % 10)}"
    return f"{_ONES[day]}th"


def _in_words(number: int) -> str:
    if number >= 1000:
        rest = f" {_in_words(number % 1000)}" if number % 1000 else ""
        return f"{_in_words(number // 1000)} thousand{rest}"
    if number >= 100:
        rest = f" and {_in_words(number % 100)}" if number % 100 else ""
        return f"{_ONES[number // 100]} hundred{rest}"
    if number >= 20:
        rest = f"-{_ONES[number % 10]}" if number % 10 else ""
        return f"{_TENS[number // 10 - 2]}{rest}"
    return _ONES[number]
