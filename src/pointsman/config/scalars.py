"""Unquoted text under the YAML 1.2 core schema, and the words that YAML 1.1 read otherwise."""

import re
from decimal import Decimal

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE"))
_FALSE = frozenset(("false", "False", "FALSE"))
_INT = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,4})?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_SWITCH = re.compile(r"yes|no|on|off", re.IGNORECASE)
_SURPRISES = (
    (re.compile(r"[-+]?0[0-9]+"), "octal to some readers"),
    (re.compile(r"[-+]?[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?"), "base 60 to some readers"),
    (re.compile(r"[-+]?[0-9][0-9,]*_[0-9_,.]*"), "a number with `_` to some readers"),
    (re.compile(r"[-+]?0b[01_]+"), "a binary number to some readers"),
    (_SPECIAL, "not a finite number"),
)


def core(text: str) -> bool | int | float | str | None:
    """What an unquoted scalar is: null, a boolean, a number, or else text."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return int(text, 8 if text[:2] == "0o" else 16 if text[:2] == "0x" else 10)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def decimal(text: str) -> Decimal | None:
    """The exact decimal number an unquoted scalar is, or None."""
    return Decimal(text) if _FLOAT.fullmatch(text) and len(text) < 60 else None


def is_switch(text: str) -> bool:
    """`yes`, `no`, `on`, `off`: text here, a boolean to a reader of YAML 1.1."""
    return _SWITCH.fullmatch(text) is not None


def surprise(text: str) -> str | None:
    """Why an unquoted scalar may not stand as it is, or None. Quotes make it text."""
    if is_switch(text):
        return "a boolean to some readers"
    for pattern, why in _SURPRISES:
        if pattern.fullmatch(text):
            return why
    return None
