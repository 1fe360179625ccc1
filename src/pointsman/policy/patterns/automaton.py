"""A protected pattern as a nondeterministic automaton over characters, with phases.

A *place* is a number: where a thread stands after its last character. A *phase* says where that is:
`BEFORE` the protected part, `INSIDE` it, or how many characters (0 and up) after its last end.
"""

from functools import cached_property
from typing import Final, NamedTuple

from pointsman.policy.patterns import charsets
from pointsman.policy.patterns.charsets import Ranges
from pointsman.policy.patterns.syntax import (
    Alternate,
    Assertion,
    AssertionKind,
    Chars,
    Concat,
    Group,
    Node,
    Repeat,
)

MAX_STATES = 20_000  # of one rule, repeats written out

BEFORE: Final = -2
INSIDE: Final = -1
OPENED: Final = -3  # inside, with nothing consumed yet
MAX_AFTER: Final = 64  # context after a span longer than this counts as this: a span only grows

# What stands on one side of a place between characters.
EDGE, NEWLINE, WORD, OTHER = range(4)
UNKNOWN: Final = -1  # no assertion holds
EITHER: Final = -2  # every assertion holds
ACCEPT: Final = 0

Kind = int


class TooManyStates(ValueError):
    """The pattern's repeats, written out, pass `MAX_STATES`."""


class Step(NamedTuple):
    """A character set that may be consumed next, and where that leads."""

    ranges: Ranges
    place: int
    phase: int  # of the consumed character's thread before it counts the character


class Follow(NamedTuple):
    """What may come after a place, between two known neighbours."""

    steps: tuple[Step, ...]
    after: int | None  # accepted here, this many characters after the span's end
    bare: bool  # accepted here without a span


class Automaton:
    """Thompson's construction; node 0 accepts. Followed for given neighbours of a place."""

    def __init__(self, tree: Node) -> None:
        self._chars: dict[int, tuple[Ranges, int]] = {}
        self._splits: dict[int, tuple[int, ...]] = {}
        self._tests: dict[int, tuple[AssertionKind, int]] = {}
        self._opens: dict[int, int] = {}
        self._closes: dict[int, int] = {}
        self._size = 1
        self._follow: dict[tuple[int, int, Kind, Kind], Follow] = {}
        self.start = self._build(tree, ACCEPT)

    @property
    def size(self) -> int:
        return self._size

    @cached_property
    def asserts(self) -> bool:
        """Whether what stands around a place matters anywhere."""
        return bool(self._tests)

    @cached_property
    def bounds(self) -> tuple[int, ...]:
        """Code points at which some set of the pattern starts or has just ended."""
        edges = {0}
        for ranges, _ in set(self._chars.values()):
            for low, high in ranges:
                edges |= {low, high + 1}
        return tuple(sorted(edges))

    def follow(self, place: int, phase: int, before: Kind, after: Kind) -> Follow:
        """What a thread at a place may do when these neighbours stand around it."""
        key = (place, phase, before, after)
        known = self._follow.get(key)
        if known is None:
            known = self._follow[key] = self._followed(place, phase, before, after)
        return known

    def accepted(self, place: int, phase: int) -> int | None:
        """Whether it accepts whatever comes next; characters since the span's end, or None."""
        return self.follow(place, phase, UNKNOWN, UNKNOWN).after

    def possible(self, place: int, phase: int) -> Follow:
        """What a thread at a place may do with some neighbours or other."""
        return self.follow(place, phase, EITHER, EITHER)

    def _followed(self, place: int, phase: int, before: Kind, after: Kind) -> Follow:
        steps: list[Step] = []
        accepted: int | None = None
        bare = False
        waiting, seen = [(place, phase)], {(place, phase)}
        while waiting:
            node, now = waiting.pop()
            if node == ACCEPT:
                if now >= 0:
                    accepted = now if accepted is None else min(accepted, now)
                bare = bare or now < 0
                continue
            if node in self._chars:
                ranges, onward = self._chars[node]
                steps.append(Step(ranges, onward, now))
                continue
            if node in self._tests:
                kind, onward = self._tests[node]
                following = [(onward, now)] if _holds(kind, before, after) else []
            elif node in self._opens:
                following = [(self._opens[node], _opened(now))]
            elif node in self._closes:
                following = [(self._closes[node], _closed(now))]
            else:
                following = [(onward, now) for onward in self._splits[node]]
            for item in following:
                if item not in seen:
                    seen.add(item)
                    waiting.append(item)
        return Follow(tuple(steps), accepted, bare)

    # Construction, from the end backwards: each part knows what follows it.

    def _new(self) -> int:
        if self._size >= MAX_STATES:
            raise TooManyStates(f"needs more than {MAX_STATES} states with its repeats written out")
        self._size += 1
        return self._size - 1

    def _build(self, node: Node, onward: int) -> int:
        match node:
            case Chars(ranges):
                made = self._new()
                self._chars[made] = (ranges, onward)
                return made
            case Concat(items):
                for item in reversed(items):
                    onward = self._build(item, onward)
                return onward
            case Alternate(items):
                branches = tuple(self._build(item, onward) for item in items)
                return self._split(branches)
            case Repeat(item, low, high, _):
                return self._repeat(item, low, high, onward)
            case Group(item, _):
                close = self._new()
                self._closes[close] = onward
                inner = self._build(item, close)
                opened = self._new()
                self._opens[opened] = inner
                return opened
            case Assertion(kind):
                made = self._new()
                self._tests[made] = (kind, onward)
                return made

    def _split(self, branches: tuple[int, ...]) -> int:
        made = self._new()
        self._splits[made] = branches
        return made

    def _repeat(self, item: Node, low: int, high: int | None, onward: int) -> int:
        if high is None:
            loop = self._new()
            self._splits[loop] = (onward,)  # for a while: the body leads back here
            body = self._build(item, loop)
            self._splits[loop] = (body, onward)
            entry, low = (body, low - 1) if low else (loop, 0)
        else:
            entry = onward
            for _ in range(high - low):
                entry = self._split((self._build(item, entry), onward))
        for _ in range(low):
            entry = self._build(item, entry)
        return entry


def _opened(phase: int) -> int:
    return OPENED if phase == BEFORE else INSIDE if phase >= 0 else phase


def _closed(phase: int) -> int:
    """An empty part protects nothing: then it is as if it had not been there."""
    return BEFORE if phase == OPENED else 0


def consumed(phase: int) -> int:
    """The phase of a thread once it has consumed one more character."""
    if phase == OPENED:
        return INSIDE
    return min(phase + 1, MAX_AFTER) if phase >= 0 else phase


def kind_of(character: str) -> Kind:
    """What a character is to an assertion beside it."""
    if character == "\n":
        return NEWLINE
    return WORD if charsets.contains(charsets.PERL["w"], ord(character)) else OTHER


def _holds(kind: AssertionKind, before: Kind, after: Kind) -> bool:
    if before < 0:
        return before == EITHER
    match kind:
        case "begin_text":
            return before == EDGE
        case "end_text":
            return after == EDGE
        case "begin_line":
            return before in (EDGE, NEWLINE)
        case "end_line":
            return after in (EDGE, NEWLINE)
        case "word":
            return (before == WORD) != (after == WORD)
        case "not_word":
            return (before == WORD) == (after == WORD)
