"""Which part of a pattern is protected, and the pattern without the context nothing depends on.

A protected part becomes a `Group` of number 0; every other capturing group is dissolved.
"""

from typing import NamedTuple

from pointsman.policy.patterns.syntax import (
    EMPTY,
    Alternate,
    Assertion,
    Chars,
    Concat,
    Group,
    Node,
    Repeat,
    children,
    nullable,
)


class Protected(NamedTuple):
    """A tree with its protected parts marked, and what was noticed on the way."""

    tree: Node
    notes: tuple[str, ...]
    shortest: bool  # an endless lazy repeat decides where a span ends: at its first end


def protect(tree: Node, group: int | None) -> Protected:
    """Mark what a rule protects.

    Args: group is a group's number; 0 is the whole match; None is the outermost groups, or the
    whole match where there are none. Of several groups on one way through the pattern, everything
    from the first's start to the last's end. A branch without the group is protected whole, and
    so is a pattern whose group repeats or may be left out.
    Raises: ValueError where the pattern has no group of this number.
    """
    numbers = set(_numbers(tree))
    if group and group not in numbers:
        raise ValueError(f"the pattern has no group {group}; it has {len(numbers)}")
    notes: list[str] = []
    if group == 0 or not numbers:
        marked: Node = Group(_dissolve(tree), 0)
    else:
        branches = tree.items if isinstance(tree, Alternate) else (tree,)
        parts = tuple(_branch(branch, group, notes) for branch in branches)
        marked = Alternate(parts) if len(parts) > 1 else parts[0]
    trimmed = _without_tail(_without_head(marked))
    return Protected(trimmed, tuple(notes), _lazy_inside(trimmed))


def _branch(tree: Node, group: int | None, notes: list[str]) -> Node:
    numbers = set(_numbers(tree))
    wanted = {group} if group else numbers
    if not numbers & wanted:
        return Group(_dissolve(tree), 0)
    if _repeats(tree, {group} if group else {min(numbers)}):
        notes.append("its group repeats: the whole match is protected")
        return Group(_dissolve(tree), 0)
    marked = _marked(tree, group)
    if not _covers(marked):
        notes.append("its group may be left out: the whole match is protected")
        return Group(_dissolve(tree), 0)
    return marked


def _numbers(tree: Node) -> list[int]:
    below = [number for child in children(tree) for number in _numbers(child)]
    return [tree.number, *below] if isinstance(tree, Group) else below


def _repeats(tree: Node, numbers: set[int]) -> bool:
    if isinstance(tree, Repeat) and tree.high != 1 and numbers & set(_numbers(tree)):
        return True
    return any(_repeats(child, numbers) for child in children(tree))


def _marked(tree: Node, group: int | None) -> Node:
    match tree:
        case Group(item, number) if group is None or number == group:
            return Group(_dissolve(item), 0)
        case Group(item, _):
            return _marked(item, group)
        case Concat(items):
            return Concat(tuple(_marked(item, group) for item in items))
        case Alternate(items):
            return Alternate(tuple(_marked(item, group) for item in items))
        case Repeat(item, low, high, lazy) if high == 1:
            return Repeat(_marked(item, group), low, high, lazy)
        case Repeat(item, low, high, lazy):
            return Repeat(_dissolve(item), low, high, lazy)
        case Chars() | Assertion():
            return tree


def _dissolve(tree: Node) -> Node:
    match tree:
        case Group(item, _):
            return _dissolve(item)
        case Concat(items):
            return Concat(tuple(map(_dissolve, items)))
        case Alternate(items):
            return Alternate(tuple(map(_dissolve, items)))
        case Repeat(item, low, high, lazy):
            return Repeat(_dissolve(item), low, high, lazy)
        case Chars() | Assertion():
            return tree


def marks(tree: Node) -> bool:
    """Whether a protected part lies in the tree."""
    return isinstance(tree, Group) or any(map(marks, children(tree)))


def _covers(tree: Node) -> bool:
    """Whether every way through it passes a protected part."""
    match tree:
        case Group():
            return True
        case Concat(items):
            return any(map(_covers, items))
        case Alternate(items):
            return all(map(_covers, items))
        case Repeat(item, low, _, _):
            return low > 0 and _covers(item)
        case _:
            return False


def _without_head(tree: Node) -> Node:
    """Without leading context that may be empty: a match is found wherever it starts."""
    match tree:
        case Concat(items):
            left = list(items)
            while left and nullable(left[0]) and not marks(left[0]):
                left.pop(0)
            if not left:
                return EMPTY
            return Concat((_without_head(left[0]), *left[1:]))
        case Alternate(items):
            return Alternate(tuple(map(_without_head, items)))
        case _:
            return tree


def _without_tail(tree: Node) -> Node:
    match tree:
        case Concat(items):
            left = list(items)
            while left and nullable(left[-1]) and not marks(left[-1]):
                left.pop()
            if not left:
                return EMPTY
            return Concat((*left[:-1], _without_tail(left[-1])))
        case Alternate(items):
            return Alternate(tuple(map(_without_tail, items)))
        case _:
            return tree


def _lazy_inside(tree: Node) -> bool:
    """Whether an endless lazy repeat stands in the protected part or after it."""
    match tree:
        case Group():
            return _lazy(tree)
        case Concat(items):
            first = next((at for at, item in enumerate(items) if marks(item)), len(items))
            return any(_lazy_inside(item) if marks(item) else _lazy(item) for item in items[first:])
        case _:
            return any(map(_lazy_inside, children(tree)))


def _lazy(tree: Node) -> bool:
    if isinstance(tree, Repeat) and tree.lazy and tree.high is None:
        return True
    return any(map(_lazy, children(tree)))
