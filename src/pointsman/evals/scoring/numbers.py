"""Answers as numbers: the one that is expected, within a tolerance."""

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from msgspec import Meta

from pointsman.evals.case import ScorerSpec
from pointsman.evals.scoring.scorer import Looking, Options, Said, Scorer, Seen, wanted
from pointsman.verifiers.answer import MAX_NUMBER_CHARS, Found, Unjudged

MAX_READ_CHARS = 64 * 1024
# `-1,234.50`, `.5`, `1e-3`, `12 %`: groups of three behind commas, or plain digits.
_NUMBER = re.compile(
    r"(?<![\w.])[-+\u2212]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,400})?"
    r"(?:(?<=[0-9])\.[0-9]{0,400}|(?<![0-9])\.[0-9]{1,400})?(?:(?<=[0-9.])[eE][-+]?[0-9]{1,3})?"
)


class NumericOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer is the expected number, within whichever tolerance is wider."""

    absolute: Annotated[float, Meta(ge=0)] = 0.0
    relative: Annotated[float, Meta(ge=0)] = 0.0
    find: Literal["whole", "first", "last"] = "whole"


def numeric(spec: ScorerSpec, options: NumericOptions) -> Scorer:
    """1 where the number in the answer lies within the tolerance of the expected one.

    Numbers are compared as decimals: `0.1` and `0.10` are one number, and no binary rounding
    decides. `find: last` takes the last number of a text that reasons before it answers.
    """
    absolute, relative = Decimal(str(options.absolute)), Decimal(str(options.relative))

    def look(said: Said, expected: Any) -> Seen:
        right = number_in(_text_of(wanted(expected)), "whole")
        if right is None:
            raise Unjudged("what is expected is no number")
        given = number_in(said.text, options.find)
        if given is None:
            raise Found("no number" if options.find != "whole" else "not one plain number")
        off = abs(given - right)
        fine = off <= max(absolute, relative * abs(right))
        return Seen(float(fine), "" if fine else f"off by {off.normalize():g}")

    return Looking(spec, look)


def number_in(text: str, find: Literal["whole", "first", "last"]) -> Decimal | None:
    """The number that a text is, or its first or last; None: there is none.

    A sign of money or per cent around a whole number is no part of it.
    """
    if find == "whole":
        text = text.strip().strip("$€£%*").strip()
        match = _NUMBER.fullmatch(text) if text else None
        return _decimal(match.group()) if match else None
    text = text[:MAX_READ_CHARS] if find == "first" else text[-MAX_READ_CHARS:]
    found = [each.group() for each in _NUMBER.finditer(text) if each.group()]
    numbers = [value for each in found if (value := _decimal(each)) is not None]
    if not numbers:
        return None
    return numbers[0] if find == "first" else numbers[-1]


def _decimal(text: str) -> Decimal | None:
    if len(text) > MAX_NUMBER_CHARS:
        return None
    try:
        value = Decimal(text.replace(",", "").replace("\u2212", "-").rstrip("."))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _text_of(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unjudged("what is expected is no number")
    return value if isinstance(value, str) else repr(value)
