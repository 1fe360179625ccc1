"""A set of threads that remembers which set follows each character; found once by class.

It is a dictionary itself: a character that is known costs one look-up and no call.
"""

from typing import TypeVar

MAX_KNOWN = 256  # characters a set remembers the next set of
S = TypeVar("S")


class Known(dict[str, S]):
    """What follows, by character. Equal sets are one object, so that identity is equality."""

    __slots__ = ("_classes",)
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self._classes: dict[int, S] = {}

    def __eq__(self, other: object) -> bool:
        return self is other

    def __missing__(self, character: str) -> S:
        kept = self._classes
        at = self._class_of(character)
        found = kept.get(at)
        if found is None:
            found = kept[at] = self._after(character)
        if len(self) < MAX_KNOWN:
            self[character] = found
        return found

    def forget(self) -> None:
        """Let go of what follows; it is found anew."""
        self.clear()
        self._classes.clear()

    def _class_of(self, character: str) -> int:
        """Characters of one class have the same next set."""
        raise NotImplementedError

    def _after(self, character: str) -> S:
        """The next set, computed."""
        raise NotImplementedError
