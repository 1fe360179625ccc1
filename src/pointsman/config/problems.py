"""Where things stand in a file, and everything that is wrong with it, reported at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pointsman.domain.errors import ConfigurationError, Problem

MAX_SHOWN = 40  # problems in one error


@dataclass(frozen=True, slots=True)
class Source:
    """One file (or text): its name in errors, and the folder its own references start from."""

    name: str
    folder: Path | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a source; line and column count from 1."""

    source: Source
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


class Problems:
    """What is wrong; reported file by file, in the order of the lines.

    `looked_at` holds what was read meanwhile: files, and folders that a pattern was looked up in.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.looked_at: set[Path] = set()
        self._found: list[tuple[Mark, str]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, mark: Mark, what: str) -> None:
        """Keep one problem. `what` quotes no value that could be a secret."""
        self._found.append((mark, what))

    def add_unknown(self, mark: Mark, what: str, word: str, known: Iterable[str]) -> None:
        """Keep a problem about a word that is none of the known ones, with the nearest."""
        match = get_close_matches(word[:64], list(known), n=1, cutoff=0.6)
        self.add(mark, what + (f" (did you mean {match[0]!r}?)" if match else ""))

    def raise_if_any(self) -> None:
        """Raise ConfigurationError with every problem, one per line, each with file and line."""
        if not self._found:
            return
        files = list(dict.fromkeys(mark.source.name for mark, _ in self._found))
        found = sorted(
            dict.fromkeys(self._found),
            key=lambda each: (files.index(each[0].source.name), each[0].line, each[0].column),
        )
        lines = [f"{mark}: {what}" for mark, what in found]
        placed = tuple(Problem(m.source.name, m.line, m.column, what) for m, what in found)
        count = len(lines)
        if count > MAX_SHOWN:
            lines[MAX_SHOWN:] = [f"and {count - MAX_SHOWN} more"]
        subject = "1 problem" if count == 1 else f"{count} problems"
        error = ConfigurationError(
            f"{self.source.name} does not say what it must: {subject}",
            why="\n        ".join(lines),
            next=f"correct {'this line' if count == 1 else 'these lines'} and load it again",
        )
        error.problems = placed
        raise error
