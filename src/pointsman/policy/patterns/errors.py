"""How a pattern fails: when it is read, or when it would need too many states."""

_WIDTH = 72  # characters of the pattern that an error shows around its position


class PatternError(Exception):
    """The text is not a pattern we take; `position` counts characters from 0."""

    def __init__(self, message: str, position: int, pattern: str) -> None:
        super().__init__(message, position, pattern)
        self.message = message
        self.position = position
        self.pattern = pattern

    def __str__(self) -> str:
        cut = max(0, self.position - _WIDTH // 2)
        shown = self.pattern[cut : cut + _WIDTH].replace("\n", " ").replace("\t", " ")
        return f"{self.message}\n  {shown}\n  {' ' * (self.position - cut)}^"
