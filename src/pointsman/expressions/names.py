"""Which variables and fields an expression reads, and whether they exist."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pointsman.expressions.errors import ExpressionError, nearest
from pointsman.expressions.syntax import (
    Binary,
    Call,
    Index,
    ListOf,
    Literal,
    Logic,
    Macro,
    MapOf,
    Name,
    Node,
    Select,
    Ternary,
    Unary,
)

Known = Mapping[str, Collection[str] | None]


def references(tree: Node, known: Known, text: str) -> frozenset[str]:
    """The dotted paths an expression reads, each as deep as it is written: `logprob.min`.

    Args: known maps each variable to its fields; None allows any, a mapping goes deeper.
    Raises: ExpressionError for a variable or field that does not exist, with the nearest match.
    """
    return frozenset(".".join(path) for path in _paths(tree, frozenset(), known, text))


def _paths(node: Node, bound: frozenset[str], known: Known, text: str) -> Iterator[list[str]]:
    chain = _chain(node)
    if chain is not None and chain[0].word not in bound:
        _check(chain, known, text)
        yield [link.word for link in chain]
        return
    for child, names in _children(node):
        yield from _paths(child, bound | names, known, text)


class _Link:
    """One word of a dotted path and where it stands."""

    __slots__ = ("position", "word")

    def __init__(self, word: str, position: int) -> None:
        self.word = word
        self.position = position


def _chain(node: Node) -> list[_Link] | None:
    """`a.b["c"]` as its words; None when the node is not such a path."""
    words: list[_Link] = []
    while not isinstance(node, Name):
        if isinstance(node, Select):
            words.append(_Link(node.field, node.position))
        elif (
            isinstance(node, Index)
            and isinstance(node.key, Literal)
            and isinstance(node.key.value, str)
        ):
            words.append(_Link(node.key.value, node.key.position))
        else:
            return None
        node = node.operand
    words.append(_Link(node.name, node.position))
    return words[::-1]


def _check(chain: list[_Link], known: Known, text: str) -> None:
    allowed: Any = known
    path = ""
    for link in chain:
        if allowed is None:
            return
        if link.word not in allowed:
            what = f"unknown name {link.word!r}" if not path else f"{path} has no {link.word!r}"
            raise ExpressionError(what + nearest(link.word, allowed), link.position, text)
        path = f"{path}.{link.word}" if path else link.word
        allowed = allowed[link.word] if isinstance(allowed, Mapping) else None


def _children(node: Node) -> Iterator[tuple[Node, frozenset[str]]]:
    """The parts of a node, each with the names a macro binds in it."""
    none: frozenset[str] = frozenset()
    match node:
        case Select(operand=operand) | Unary(operand=operand):
            yield operand, none
        case Index(operand=operand, key=key):
            yield operand, none
            yield key, none
        case ListOf(items=parts) | Logic(operands=parts) | Call(arguments=parts):
            yield from ((part, none) for part in parts)
        case MapOf(entries=entries):
            yield from ((part, none) for entry in entries for part in entry)
        case Binary(left=left, right=right):
            yield left, none
            yield right, none
        case Ternary(condition=condition, then=then, otherwise=otherwise):
            yield from ((part, none) for part in (condition, then, otherwise))
        case Macro(target=target, variable=variable, body=body, condition=condition):
            yield target, none
            yield body, frozenset((variable,))
            if condition is not None:
                yield condition, frozenset((variable,))
        case Literal() | Name():
            return
