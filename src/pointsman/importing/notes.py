"""What became of each setting that could not simply be carried over."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

# approximated: there is something like it here · none: there is nothing like it · moved: it is
# there, under another name or in another place that the reader must know of
Fate = Literal["approximated", "none", "moved"]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One setting, by its path in the file that was read."""

    path: str
    fate: Fate
    said: str


class Notes:
    """Notes in the order in which they were made, each once; no note quotes a value."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Note] = {}

    def add(self, path: str, fate: Fate, said: str) -> None:
        self._kept.setdefault((path, said), Note(path=path, fate=fate, said=said))

    def none(self, path: str, said: str) -> None:
        """There is nothing like it here."""
        self.add(path, "none", said)

    def approximated(self, path: str, said: str) -> None:
        """There is something like it here, and this is the difference."""
        self.add(path, "approximated", said)

    def moved(self, path: str, said: str) -> None:
        """It is there, and something must be known or done."""
        self.add(path, "moved", said)

    def __iter__(self) -> Iterator[Note]:
        return iter(self._kept.values())


class Reader:
    """A mapping of a foreign file, whose keys are taken one by one; what is left is unknown."""

    def __init__(self, value: Any, path: str, notes: Notes) -> None:
        self.path = path
        self._notes = notes
        self._left: dict[str, Any] = {}
        if isinstance(value, dict):
            self._left = {str(key): each for key, each in value.items()}
        elif value is not None:
            notes.none(path, "not a mapping, so nothing of it could be read")

    def take(self, key: str) -> Any:
        """The value of a key, which is then known; None where it is not there."""
        return self._left.pop(key, None)

    def at(self, key: str) -> str:
        """The path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def text(self, key: str) -> str | None:
        """The text of a key; anything else is noted and left out."""
        value = self.take(key)
        if value is None or isinstance(value, str):
            return value or None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        self._notes.none(self.at(key), "not a text")
        return None

    def leave(self, table: dict[str, tuple[Fate, str]]) -> None:
        """Note every key that is left: by the table where it is known, else as unknown."""
        for key in list(self._left):
            value = self._left.pop(key)
            if value is None or value == {} or value == []:
                continue
            fate, said = table.get(key, ("none", "not known here"))
            self._notes.add(self.at(key), fate, said)
