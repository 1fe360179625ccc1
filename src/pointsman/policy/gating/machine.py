"""One rule's automaton, made deterministic as text asks for it: sets of threads of one start.

Two kinds of sets: `Before` a span has begun, and `Inside` one, whose start its holder remembers.
Each is a dictionary from the next character to the next set, filled when a character is first seen;
the number of sets is bounded, and reaching the bound forgets them all.
"""

from bisect import bisect_right
from collections.abc import Iterable
from functools import cached_property

from pointsman.policy.gating.known import Known
from pointsman.policy.patterns import charsets
from pointsman.policy.patterns.automaton import (
    BEFORE,
    EDGE,
    INSIDE,
    OTHER,
    UNKNOWN,
    Automaton,
    Kind,
    consumed,
    kind_of,
)

MAX_SETS = 20_000  # of all rules of a rule set, at a kilobyte or so
_KIND_BOUNDS = (0x0A, 0x0B, 0x30, 0x3A, 0x41, 0x5B, 0x5F, 0x60, 0x61, 0x7B)

Items = frozenset[tuple[int, int]]  # places and phases
Move = tuple[tuple[tuple[int, int], ...], int | None]  # onward; an end that became known with it


class Inside(Known["Inside"]):
    """Threads that entered a protected part at one position. Equal sets are one object."""

    __slots__ = ("alive", "end", "kind", "machine", "rule", "threads")

    def __init__(self, machine: "Machine", items: Items, kind: Kind, end: int | None) -> None:
        super().__init__()
        self.machine = machine
        self.rule = machine.rule
        self.threads = items
        self.kind = kind
        self.alive = bool(items)
        self.end = end  # a span ends this many characters back from here; None: no span is known

    def _class_of(self, character: str) -> int:
        return self.machine.class_of(character)

    def _after(self, character: str) -> "Inside":
        return self.machine.inside_after(self, character)

    def last(self) -> int | None:
        """As `end`, where the text ends here."""
        automaton = self.machine.automaton
        ends = [automaton.follow(*item, self.kind, EDGE).after for item in self.threads]
        known = [end for end in (*ends, self.end) if end is not None]
        return min(known) if known else None


class Before(Known["Before"]):
    """Threads in the context that comes before a protected part. Equal sets are one object."""

    __slots__ = ("alive", "bare", "kind", "machine", "opened", "rule", "threads")

    def __init__(self, machine: "Machine", items: Items, kind: Kind, opened: Inside | None) -> None:
        super().__init__()
        self.machine = machine
        self.threads = items
        self.kind = kind
        self.alive = bool(items)
        self.opened = opened  # what entered a protected part with the last character
        self.rule = machine.rule
        possible = machine.automaton.follow
        self.bare = any(possible(*item, UNKNOWN, UNKNOWN).bare for item in items)

    def _class_of(self, character: str) -> int:
        return self.machine.class_of(character)

    def _after(self, character: str) -> "Before":
        return self.machine.before_after(self, character)


class Shelf:
    """Counts the sets of machines that share it, and has them forget all when there are many."""

    def __init__(self) -> None:
        self.machines: list[Machine] = []
        self.count = 0

    def take(self) -> None:
        """Make room for one more set."""
        if self.count >= MAX_SETS:
            for machine in self.machines:
                machine.forget()
            self.count = 0
        self.count += 1


class Machine:
    """The sets of one rule; `rule` is its number in the rule set."""

    def __init__(self, rule: int, automaton: Automaton, shelf: Shelf | None = None) -> None:
        self.rule = rule
        self.automaton = automaton
        self._shelf = shelf or Shelf()
        self._shelf.machines.append(self)
        self._inside: dict[tuple[Items, Kind, int | None], Inside] = {}
        self._before: dict[tuple[Items, Kind, Inside | None], Before] = {}

    @cached_property
    def _bounds(self) -> tuple[int, ...]:
        return tuple(sorted({*self.automaton.bounds, *_KIND_BOUNDS}))

    def class_of(self, character: str) -> int:
        """Characters of one class are alike to every set and assertion of the pattern."""
        return bisect_right(self._bounds, ord(character))

    def kind_of(self, character: str) -> Kind:
        return kind_of(character) if self.automaton.asserts else OTHER

    def inside(self, items: Iterable[tuple[int, int]], kind: Kind, late: int | None) -> Inside:
        """The set of these threads, with the end that only the last character made known."""
        both = frozenset(items)
        nearest: dict[int, int] = {}
        for place, phase in both:
            if phase >= 0:
                nearest[place] = min(phase, nearest.get(place, phase))
        kept = frozenset(
            (place, phase) for place, phase in both if phase == INSIDE or phase == nearest[place]
        )
        ends = [self.automaton.accepted(*item) for item in kept]
        known = [end for end in (*ends, late) if end is not None]
        key = (kept, kind, min(known) if known else None)
        found = self._inside.get(key)
        if found is None:
            self._shelf.take()
            found = self._inside[key] = Inside(self, *key)
        return found

    def before(self, items: Iterable[tuple[int, int]], kind: Kind, opened: Inside | None) -> Before:
        key = (frozenset(items), kind, opened)
        found = self._before.get(key)
        if found is None:
            self._shelf.take()
            found = self._before[key] = Before(self, *key)
        return found

    def inside_after(self, now: Inside, character: str) -> Inside:
        kind = self.kind_of(character)
        items: set[tuple[int, int]] = set()
        late: list[int] = []
        for thread in now.threads:
            onward, after = self._move(thread, now.kind, kind, character)
            items.update(onward)
            if after is not None:
                late.append(after)
        return self.inside(items, kind, min(late, default=None))

    def before_after(self, now: Before, character: str) -> Before:
        kind = self.kind_of(character)
        items: set[tuple[int, int]] = set()
        opened: set[tuple[int, int]] = set()
        for thread in now.threads:
            for one in self._move(thread, now.kind, kind, character)[0]:
                (items if one[1] == BEFORE else opened).add(one)
        return self.before(items, kind, self.inside(opened, kind, None) if opened else None)

    def _move(self, thread: tuple[int, int], before: Kind, kind: Kind, character: str) -> Move:
        """Where one thread goes with a character."""
        code = ord(character)
        follow = self.automaton.follow(*thread, before, kind)
        ends = follow.after is not None and self.automaton.accepted(*thread) is None
        onward = tuple(
            (step.place, consumed(step.phase))
            for step in follow.steps
            if charsets.contains(step.ranges, code)
        )
        return onward, follow.after + 1 if ends and follow.after is not None else None

    def forget(self) -> None:
        """What is in use goes on; it finds its next sets anew."""
        for inside in list(self._inside.values()):
            inside.forget()
        for before in list(self._before.values()):
            before.forget()
        self._inside.clear()
        self._before.clear()
