"""What must be done where a rule fires, by name. What nobody here knows how to do blocks."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pointsman.domain.records import Capture

# Name -> what its value must be, for people.
KNOWN: Mapping[str, str] = {
    "append": "text that follows the answer, such as a disclaimer",
    "capture": "digests or redacted: the most that is kept of bodies",
    "notify": "a word for the log line that tells of it",
}
_CAPTURES: Mapping[str, int] = {"bodies": 0, "redacted": 1, "digests": 2}


def unknown(obligations: Mapping[str, Any]) -> tuple[str, ...]:
    """Names that are not known, or whose value cannot be followed."""
    return tuple(name for name, value in obligations.items() if not _sound(name, value))


def _sound(name: str, value: Any) -> bool:
    if name == "capture":
        return value in _CAPTURES
    return name in KNOWN and isinstance(value, str) and bool(value)


def joined(each: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The union of obligations: by name, every different value in the order they came."""
    made: dict[str, dict[str, None]] = {}
    for obligations in each:
        for name, value in obligations.items():
            made.setdefault(name, {})[str(value)] = None
    return {name: tuple(values) for name, values in made.items()}


def narrowest(own: Capture, wanted: Collection[str]) -> Capture:
    """The capture that keeps least."""
    if not wanted:
        return own
    kept: Capture = max(
        ("bodies", "redacted", "digests"),
        key=lambda word: _CAPTURES[word] if word == own or word in set(wanted) else -1,
    )
    return kept
