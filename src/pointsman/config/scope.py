"""What every resolver shares: the nodes to point at, the problems, the names, other files."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pointsman.config.nodes import MapNode, Scalar
from pointsman.config.problems import Mark, Problems, Source
from pointsman.config.reading import decode, read_bounded
from pointsman.expressions import Expression, ExpressionError, compile_expression

Place: TypeAlias = tuple[str | int, ...]  # keys and indices from the top of the file


@dataclass(frozen=True)
class Scope:
    """One configuration while it is resolved."""

    root: MapNode
    problems: Problems

    def problem(self, place: Place, what: str) -> None:
        """Keep a problem with the value at a place."""
        self.problems.add(self.root.mark_of(*place), f"{shown(place)}: {what}")

    @property
    def folder(self) -> Path | None:
        """That of the file itself, where paths in it start; None for a text without one."""
        return self.problems.source.folder

    def names(self, section: str) -> tuple[str, ...]:
        """Every name a section declares, sound or not, so that one error stays one error."""
        return self.root.names(section)

    def reference(
        self, place: Place, what: str, word: str, known: Collection[str], *, of: str = ""
    ) -> bool:
        """Whether a word is one of the known; a problem with the nearest match where it is not."""
        if word in known:
            return True
        quoted = f" {word[:64]!r}" if self._may_quote(place) else ""
        mark = self.root.mark_of(*place)
        self.problems.add_unknown(mark, f"{shown(place)}: no {what}{quoted}{of}", word, known)
        return False

    def expression(
        self, place: Place, text: str, variables: Mapping[str, Collection[str] | None]
    ) -> Expression | None:
        """The compiled expression at a place, its error kept at the very character."""
        try:
            return compile_expression(text, variables=variables)
        except ExpressionError as error:
            node = self.root.at(*place)
            exact = node.text_mark if isinstance(node, Scalar) else None
            mark = self.root.mark_of(*place)
            if exact is not None and "\n" not in text:
                mark = Mark(exact.source, exact.line, exact.column + error.position)
            self.problems.add(mark, f"{shown(place)}: {error.message}")
            return None

    def text_of_file(self, place: Place, name: str) -> str | None:
        """The text of a file named in the configuration, relative to the file that names it."""
        mark = self.root.mark_of(*place)
        if mark.source.folder is None:
            self.problem(place, "this text has no folder to look in")
            return None
        path = mark.source.folder / name
        self.problems.looked_at.add(path)
        try:
            if not path.is_file():
                self.problem(place, "no such file")
                return None
            data = read_bounded(path)
        except (OSError, ValueError) as error:
            self.problem(place, getattr(error, "strerror", None) or "cannot be read")
            return None
        inside = Problems(mark.source)
        text = decode(data, Source(name, Path(path).parent), inside)
        if text is None:
            self.problem(place, "the file is not UTF-8 text of at most 4 MB")
        return text

    def placeholder(self, place: Place) -> str | None:
        """`${NAME}` where that is all the file says at a place."""
        node = self.root.at(*place)
        return node.placeholder if isinstance(node, Scalar) else None

    def _may_quote(self, place: Place) -> bool:
        node = self.root.at(*place)
        return not (isinstance(node, Scalar) and node.from_variables)


def shown(place: Place) -> str:
    """A place as errors name it: `routes.thrifty.steps[1]`."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
