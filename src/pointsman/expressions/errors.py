"""How an expression fails: when it is read, or when it meets a value."""

from collections.abc import Iterable
from difflib import get_close_matches

_WIDTH = 72  # characters of the text that an error shows around its position


class ExpressionError(Exception):
    """The text is not an expression we take; `position` counts characters from 0."""

    def __init__(self, message: str, position: int, text: str) -> None:
        super().__init__(message, position, text)
        self.message = message
        self.position = position
        self.text = text

    def __str__(self) -> str:
        line_start = self.text.rfind("\n", 0, self.position) + 1
        line = self.text[line_start:].split("\n", 1)[0]
        column = self.position - line_start
        cut = max(0, column - _WIDTH // 2)
        shown = line[cut : cut + _WIDTH].replace("\t", " ")
        return f"{self.message}\n  {shown}\n  {' ' * (column - cut)}^"


class EvaluationError(Exception):
    """The expression has no value for what it was given; names fields and types, never values."""


class CostExceeded(EvaluationError):
    """The bound on work was reached; no `||` forgives it."""


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the closest known name, or nothing."""
    match = get_close_matches(word[:64], list(known), n=1, cutoff=0.6)
    return f" (did you mean {match[0]!r}?)" if match else ""
