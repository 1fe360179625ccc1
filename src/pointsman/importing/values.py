"""Single values of a LiteLLM file as ours: references, secrets, seconds, prices."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from pointsman.config.emitting import Verbatim
from pointsman.importing.notes import Notes

MOST_SECONDS = 86_400
_ENVIRON = "os.environ/"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What people write where a key is wanted and none is needed.
_NO_KEY = frozenset(
    [
        "none",
        "null",
        "empty",
        "dummy",
        "fake",
        "fake-key",
        "anything",
        "any",
        "key",
        "na",
        "n/a",
        "not-needed",
        "no-key",
        "sk-no-key-required",
        "sk-xxx",
        "xxx",
        "ollama",
        "lm-studio",
        "placeholder",
        "your-api-key",
    ]
)
_MICRO = Decimal("0.000001")


def variable_of(value: str) -> str | None:
    """The variable that `os.environ/NAME` names, or None."""
    if not value.startswith(_ENVIRON):
        return None
    name = value.removeprefix(_ENVIRON)
    return name if _NAME.fullmatch(name) else None


def reference(name: str) -> Verbatim:
    """`${NAME}`."""
    return Verbatim(f"${{{name}}}")


class Secrets:
    """Keys as references; one that stands in the file is moved to a variable, one for each key."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._names: dict[str, str] = {}  # by the key itself, which goes no further

    def reference(self, value: str, *, path: str, wanted: str) -> Verbatim:
        """`${NAME}`: the variable that the file names, or a new one called like `wanted`."""
        name = variable_of(value)
        if name is not None:
            return reference(name)
        if value not in self._names:
            self._names[value] = self._free(_variable(wanted))
        name = self._names[value]
        self._notes.moved(path, f"a key stands in the file: put it into the variable {name}")
        return reference(name)

    def _free(self, name: str) -> str:
        taken, number, found = set(self._names.values()), 1, name
        while found in taken:
            number += 1
            found = f"{name}_{number}"
        return found


def is_no_key(value: str) -> bool:
    """Whether a key is what people write where none is needed."""
    return value.strip().lower() in _NO_KEY


def _variable(text: str) -> str:
    name = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")[:48]
    return name if _NAME.fullmatch(name) else f"KEY_{name}".rstrip("_")


def seconds(value: Any, *, path: str, notes: Notes) -> float | None:
    """Seconds within our bounds; anything else is noted."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        notes.none(path, "not a number of seconds")
        return None
    if not found > 0:
        notes.none(path, "not a positive number of seconds")
        return None
    if found > MOST_SECONDS:
        notes.approximated(path, f"at most {MOST_SECONDS} s here")
        return float(MOST_SECONDS)
    return found


def whole(value: Any, *, path: str, notes: Notes) -> int | None:
    """A whole number from 1 on; anything else is noted."""
    try:
        found = int(str(value))
    except ValueError:
        found = 0
    if not 1 <= found <= 2**31:
        notes.none(path, "not a whole number from 1 on")
        return None
    return found


def usd_per_mtok(value: Any, *, path: str, notes: Notes) -> Decimal | None:
    """Dollars per million tokens, exact, from dollars per token as they are written."""
    try:
        per_token = Decimal(str(value))
    except InvalidOperation:
        per_token = Decimal("NaN")
    if isinstance(value, bool) or not per_token.is_finite() or not 0 <= per_token <= 1:
        notes.none(path, "not a price of one token")
        return None
    exact = per_token * 1_000_000
    kept = exact.quantize(_MICRO)
    if kept != exact:
        notes.approximated(path, "rounded to a micro-dollar per million tokens")
    return Decimal(format(kept.normalize(), "f"))
