"""The functions and methods of the language, by name, with what they do."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import re2

from pointsman.expressions.errors import EvaluationError
from pointsman.expressions.values import Frame, type_name

# Arguments by name; a method's target counts. What they do is in IMPLEMENTATIONS.
FUNCTIONS: Mapping[str, int] = {"size": 1, "int": 1, "double": 1, "string": 1, "matches": 2}
METHODS: Mapping[str, int] = {
    "size": 1,
    "contains": 2,
    "startsWith": 2,
    "endsWith": 2,
    "matches": 2,
}

_INT = re.compile(r"[+-]?[0-9]{1,40}")
_DOUBLE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


def compile_pattern(pattern: str) -> Any:
    """A compiled RE2 pattern. Raises: ValueError saying what is wrong with it."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except (re2.error, UnicodeError) as error:
        reason = error.args[0] if error.args else "not a pattern"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(text) from None


def size(frame: Frame, value: Any) -> int:
    """Characters of a string, elements of a list, entries of a map."""
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    raise EvaluationError(f"no size of {type_name(value)}")


def to_int(frame: Frame, value: Any) -> int:
    """An int from a double (truncated), or from decimal text."""
    if type(value) is int:
        return value
    if type(value) is float:
        if not -(2.0**63) <= value < 2.0**63:
            raise EvaluationError("a double beyond 64 bits")
        return int(value)
    if type(value) is str and _INT.fullmatch(value):
        number = int(value)
        if _INT_MIN <= number <= _INT_MAX:
            return number
        raise EvaluationError("an int beyond 64 bits")
    raise EvaluationError(f"no int from this {type_name(value)}")


def to_double(frame: Frame, value: Any) -> float:
    """A double from an int, or from decimal text."""
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise EvaluationError("an int beyond every double") from None
    if type(value) is str:
        frame.charge_text(value)
        if _DOUBLE.fullmatch(value):
            return float(value)
    raise EvaluationError(f"no double from this {type_name(value)}")


def to_string(frame: Frame, value: Any) -> str:
    """Text of a number, bool or string; a whole double is written without `.0`."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        if not _INT_MIN <= value <= _INT_MAX:
            raise EvaluationError("an int beyond 64 bits")
        return str(value)
    if type(value) is float:
        return repr(value).removesuffix(".0")
    raise EvaluationError(f"no string from {type_name(value)}")


def contains_text(frame: Frame, text: Any, part: Any) -> bool:
    """Whether the part occurs in the text."""
    _need_texts("contains", frame, text, part)
    return part in text


def starts_with(frame: Frame, text: Any, part: Any) -> bool:
    """Whether the text starts with the part."""
    _need_texts("startsWith", frame, text, part)
    return bool(text.startswith(part))


def ends_with(frame: Frame, text: Any, part: Any) -> bool:
    """Whether the text ends with the part."""
    _need_texts("endsWith", frame, text, part)
    return bool(text.endswith(part))


def matches(frame: Frame, text: Any, pattern: Any) -> bool:
    """Whether the RE2 pattern is found anywhere in the text."""
    _need_texts("matches", frame, text, pattern)
    frame.charge(1 + len(pattern))
    try:
        compiled = compile_pattern(pattern)
    except ValueError as error:
        raise EvaluationError(f"not a pattern: {error}") from None
    return search(compiled, text)


def search(compiled: Any, text: str) -> bool:
    """Whether a compiled pattern is found in the text."""
    try:
        return compiled.search(text) is not None
    except UnicodeError:
        raise EvaluationError("text that is not Unicode") from None


def _need_texts(name: str, frame: Frame, text: Any, part: Any) -> None:
    if type(text) is not str or type(part) is not str:
        raise EvaluationError(f"no {name}() for {type_name(text)} and {type_name(part)}")
    frame.charge_text(text, part)


IMPLEMENTATIONS: Mapping[str, Callable[..., Any]] = {
    "size": size,
    "int": to_int,
    "double": to_double,
    "string": to_string,
    "contains": contains_text,
    "startsWith": starts_with,
    "endsWith": ends_with,
    "matches": matches,
}
