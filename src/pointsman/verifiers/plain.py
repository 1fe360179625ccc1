"""Checks of an answer as text: a pattern, a plain number, an expression."""

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from typing import Any

import re2

from pointsman.domain.errors import ConfigurationError
from pointsman.expressions import EvaluationError, ExpressionError, compile_expression
from pointsman.verifiers.answer import MAX_NUMBER_CHARS, Answer, Found, Unjudged
from pointsman.verifiers.options import options

Look = Callable[[Answer], None]

_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.([0-9]+))?")
_QUIET = re2.Options()
_QUIET.log_errors = False  # the reason goes into the error, not to stderr
_VARIABLES: Mapping[str, Collection[str] | None] = {"answer": (), "json": None, "number": ()}


def compile_regex(spec: Any) -> Look:
    """The whole answer, white space around it aside, matches the pattern.

    The engine is RE2: time is linear in the answer, so no pattern can hang a request.
    Raises: ConfigurationError where the pattern is not one that RE2 takes.
    """
    if not isinstance(spec, str):
        raise ConfigurationError("the spec is the pattern, as text")
    pattern = compile_pattern(spec)

    def look(answer: Answer) -> None:
        if pattern.fullmatch(answer.text) is None:
            raise Found("the answer does not match the pattern")

    return look


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Any:
    """An RE2 pattern. Raises: ConfigurationError with RE2's reason."""
    try:
        return re2.compile(pattern, _QUIET)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise ConfigurationError(
            f"the pattern {pattern!r} is not one we take",
            why=reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason),
            next="RE2 has no look-around and no back-references; say the whole shape instead",
        ) from None


def compile_number(spec: Any) -> Look:
    """The answer is one plain decimal number and nothing else: `-12.50`, not `1,000` or `1e3`.

    Options: min and max (inclusive); decimals: exactly so many digits after the point;
    integer: true for no point at all.
    """
    said = options(spec, ("min", "max", "decimals", "integer"))
    low, high = _bound(said.get("min"), "min"), _bound(said.get("max"), "max")
    decimals, integer = said.get("decimals"), said.get("integer", False)
    if not isinstance(integer, bool):
        raise ConfigurationError("'integer' is true or false")
    if decimals is not None and (type(decimals) is not int or decimals < 0):
        raise ConfigurationError("'decimals' is a whole number, 0 or more")
    if low is not None and high is not None and low > high:
        raise ConfigurationError("'min' is greater than 'max'")

    def look(answer: Answer) -> None:
        value, digits = _number(answer)
        if integer and digits is not None:
            raise Found("the number is not an integer")
        if decimals is not None and (digits or 0) != decimals:
            raise Found(f"the number does not have {decimals} digits after the point")
        if low is not None and value < low:
            raise Found(f"the number is less than {low}")
        if high is not None and value > high:
            raise Found(f"the number is greater than {high}")

    return look


def compile_expression_check(spec: Any) -> Look:
    """The expression is true of `answer` (text), `json` and `number` (null where it is neither).

    An expression that has no value for this answer could not look: unjudged.
    """
    if not isinstance(spec, str):
        raise ConfigurationError("the spec is the expression, as text")
    try:
        expression = compile_expression(spec, variables=_VARIABLES)
    except ExpressionError as error:
        raise ConfigurationError("the expression cannot be read", why=str(error)) from None
    wants_json = any(name.split(".")[0] == "json" for name in expression.references)

    def look(answer: Answer) -> None:
        env: dict[str, Any] = {"answer": answer.text, "json": None, "number": None}
        with suppress(Found, Unjudged):
            env["number"] = float(_number(answer)[0])
        if wants_json:
            with suppress(Found):  # Unjudged goes up: JSON out of bounds is not "no JSON"
                env["json"] = _as_doubles(answer.json())
        try:
            holds = expression.test(env)
        except EvaluationError as error:
            raise Unjudged(f"the expression has no value here: {error}") from None
        if not holds:
            raise Found("the expression is false")

    return look


def _as_doubles(value: Any) -> Any:
    """JSON with every number a double, as CEL has it, so that fields can be added and compared."""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list):
        return [_as_doubles(item) for item in value]
    if isinstance(value, dict):
        return {name: _as_doubles(item) for name, item in value.items()}
    return value


def _number(answer: Answer) -> tuple[Decimal, int | None]:
    """The number and its digits after the point, None without a point. Raises: Found, Unjudged."""
    text = answer.text
    match = _PLAIN_NUMBER.fullmatch(text)
    if match is None:
        raise Found("the answer is not a plain number")
    if len(text) > MAX_NUMBER_CHARS:
        raise Unjudged(f"a number longer than {MAX_NUMBER_CHARS} characters")
    return Decimal(text), len(match[1]) if match[1] is not None else None


def _bound(value: Any, name: str) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ConfigurationError(f"'{name}' is a number")
    bound = Decimal(str(value))
    if not bound.is_finite():
        raise ConfigurationError(f"'{name}' is a finite number")
    return bound
