"""What a match, or what stays undecided for long, begins with: for finding where it does."""

from pointsman.policy.patterns import charsets
from pointsman.policy.patterns.protecting import marks
from pointsman.policy.patterns.syntax import (
    Alternate,
    Chars,
    Concat,
    Group,
    Node,
    Repeat,
    children,
)

UNLIKELY_BITS = 6.0  # one character of its own
TURNS = 64  # of a part without end, after which somebody is taken to be waiting in it


def beginning(tree: Node, limit: int) -> Node | None:
    """A pattern that matches where the tree does, and from the start of each span that is
    undecided for more than `limit` characters.

    Args: tree has its protected part marked.
    Returns: None where no such pattern is known; then every text must be read whole.
    """
    most = _longest_inside(tree)
    if most is None or most > limit:
        return None
    waiting = _waiting(tree, inside=False)
    return Alternate((tree, *waiting)) if waiting else tree


def loosened(tree: Node) -> Node:
    """A pattern that matches wherever the tree does, without counting what any text is full of.

    Repeats with a bound, before anything unlikely was seen, lose it: a deterministic automaton
    would count there all the time, in as many states.
    """
    return _loosened(tree, 0.0)[0]


def _loosened(tree: Node, told: float) -> tuple[Node, float]:
    match tree:
        case Chars(ranges):
            return tree, told + charsets.told(ranges)
        case Group(item, number):
            inner, told = _loosened(item, told)
            return Group(inner, number), told
        case Concat(items):
            parts: list[Node] = []
            for item in items:
                part = item
                if told < UNLIKELY_BITS:
                    part, told = _loosened(item, told)
                parts.append(part)
            return Concat(tuple(parts)), told
        case Alternate(items):
            both = [_loosened(item, told) for item in items]
            return Alternate(tuple(part for part, _ in both)), min(bits for _, bits in both)
        case Repeat(item, low, high, _):
            endless = None if high is not None and high > max(low, 1) else high
            return Repeat(item, low, endless), told + low * _loosened(item, 0.0)[1]
        case _:
            return tree, told


def _waiting(tree: Node, *, inside: bool) -> list[Node]:
    """For each part without end, in the protected part or after it: everything up to there."""
    if not _endless(tree):
        return []
    match tree:
        case Group(item, number):
            return [Group(one, number) for one in _waiting(item, inside=True)]
        case Concat(items):
            found: list[Node] = []
            for at, item in enumerate(items):
                if inside or marks(item):
                    found += [
                        Concat((*items[:at], one))
                        for one in _waiting(item, inside=inside or not marks(item))
                    ]
                inside = inside or marks(item)
            return found
        case Alternate(items):
            return [one for item in items for one in _waiting(item, inside=inside)]
        case Repeat(item, low, None, _) if inside:
            return [Repeat(item, max(low, TURNS), max(low, TURNS))]
        case Repeat(item, _, high, _):
            before = Repeat(item, 0, None if high is None else max(high - 1, 0))
            return [Concat((before, one)) for one in _waiting(item, inside=inside)]
        case _:
            return []


def _endless(tree: Node) -> bool:
    if isinstance(tree, Repeat) and tree.high is None:
        return True
    return any(map(_endless, children(tree)))


def _longest_inside(tree: Node) -> int | None:
    """The most characters from a protected part's start on, with `TURNS` of what has no end."""
    match tree:
        case Concat(items):
            first = next((at for at, item in enumerate(items) if marks(item)), len(items))
            return _sum(
                [_longest_inside(item) if marks(item) else _longest(item) for item in items[first:]]
            )
        case Alternate(items):
            return _most([_longest_inside(item) for item in items])
        case Repeat(item=item) if marks(item):
            return _longest_inside(item)
        case _:
            return _longest(tree) if marks(tree) else 0


def _longest(tree: Node) -> int | None:
    match tree:
        case Concat(items):
            return _sum([_longest(item) for item in items])
        case Alternate(items):
            return _most([_longest(item) for item in items])
        case Repeat(item, low, high, _):
            if high is None and _endless(item):
                return None
            inner = _longest(item)
            return None if inner is None else inner * (max(low, TURNS) if high is None else high)
        case Group(item, _):
            return _longest(item)
        case Chars():
            return 1
        case _:
            return 0


def _sum(lengths: list[int | None]) -> int | None:
    known = [length for length in lengths if length is not None]
    return sum(known) if len(known) == len(lengths) else None


def _most(lengths: list[int | None]) -> int | None:
    known = [length for length in lengths if length is not None]
    return max(known, default=0) if len(known) == len(lengths) else None
