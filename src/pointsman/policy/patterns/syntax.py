"""The tree of a pattern, and how a tree is written as a pattern again."""

from dataclasses import dataclass
from typing import Literal

from pointsman.policy.patterns.charsets import Ranges

AssertionKind = Literal["begin_text", "end_text", "begin_line", "end_line", "word", "not_word"]


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of a set. The empty set matches nothing."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Concat:
    """One after the other; no items match the empty text."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Alternate:
    """Any one of the items."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """An item `low` to `high` times; None is without end."""

    item: "Node"
    low: int
    high: int | None
    lazy: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A capturing group; number 0 is made by us and marks what a rule protects."""

    item: "Node"
    number: int


@dataclass(frozen=True, slots=True)
class Assertion:
    """A place between characters."""

    kind: AssertionKind


Node = Chars | Concat | Alternate | Repeat | Group | Assertion

EMPTY = Concat(())
_ASSERTIONS: dict[AssertionKind, str] = {
    "begin_text": r"\A", "end_text": r"\z", "begin_line": "(?m:^)", "end_line": "(?m:$)",
    "word": r"\b", "not_word": r"\B",
}  # fmt: skip


def written(node: Node) -> str:
    """The tree as a pattern for RE2, without capturing groups."""
    match node:
        case Chars(ranges):
            if not ranges:
                return r"[^\x{0}-\x{10FFFF}]"
            return "[" + "".join(_range(low, high) for low, high in ranges) + "]"
        case Concat(items):
            return "".join(map(written, items)) if items else "(?:)"
        case Alternate(items):
            return "(?:" + "|".join(map(written, items)) + ")"
        case Repeat(item, low, high, _):
            count = f"{{{low},{'' if high is None else high}}}"
            return f"(?:{written(item)}){count}"
        case Group(item, _):
            return f"(?:{written(item)})"
        case Assertion(kind):
            return _ASSERTIONS[kind]


def _range(low: int, high: int) -> str:
    return f"\\x{{{low:X}}}" + (f"-\\x{{{high:X}}}" if high > low else "")


def nullable(node: Node) -> bool:
    """Whether the empty text matches it wherever it stands. An assertion does not count as such."""
    match node:
        case Chars() | Assertion():
            return False
        case Concat(items):
            return all(map(nullable, items))
        case Alternate(items):
            return any(map(nullable, items))
        case Repeat(item, low, _, _):
            return low == 0 or nullable(item)
        case Group(item, _):
            return nullable(item)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below one."""
    match node:
        case Concat(items) | Alternate(items):
            return items
        case Repeat(item=item) | Group(item=item):
            return (item,)
        case _:
            return ()
