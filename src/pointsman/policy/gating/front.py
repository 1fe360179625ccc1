"""The beginnings of all rules in one deterministic automaton, which every character goes through.

A thread stays here while little speaks for it: until enough unlikely characters have been seen (a
keyword, as a rule), or its rule might end, or it is long. Then it is handed to its rule's machine.
Every thread here carries the distance to its start, so that a set tells what to hold by itself, and
a rule costs nothing of its own until its keyword was seen.
"""

from bisect import bisect_right
from collections.abc import Sequence
from heapq import heappop, heappush

from pointsman.policy.gating.known import Known
from pointsman.policy.gating.machine import Before, Inside, Machine
from pointsman.policy.patterns import charsets
from pointsman.policy.patterns.automaton import (
    BEFORE,
    EDGE,
    INSIDE,
    OTHER,
    Kind,
    consumed,
    kind_of,
)

MAX_FRONTS = 8_000  # sets; past it all are forgotten and found anew. Benign text asks for 2,000
MAX_MOVES = 50_000  # of single threads that are remembered
MAX_DISTANCE = 16  # characters a thread may be inside its span and still be here
ENOUGH_BITS = 17.0  # three characters of one's own, or four whose case is free
FEW_BITS = 4.0  # what one more character would tell, for waiting to be worth it
SOME_BITS = 10.0  # with this much known, nobody waits for few

Thread = tuple[int, int, int, int]  # rule, place, phase, characters since its start (0 before one)
Move = tuple[tuple[Thread, ...], tuple[Thread, ...]]  # those that stay, those that are handed over


class Front(Known["Front"]):
    """Threads at the beginnings of rules. Equal sets are one object."""

    __slots__ = ("fires", "hold", "kind", "threads", "whole")

    def __init__(
        self,
        whole: "Fronts",
        threads: frozenset[Thread],
        kind: Kind,
        fires: tuple[tuple[Inside | Before, int], ...],
    ) -> None:
        super().__init__()
        self.whole = whole
        self.threads = threads
        self.kind = kind
        self.fires = fires  # what the last character handed over, with the distance to its start
        self.hold = max((thread[3] for thread in threads), default=0)

    def _class_of(self, character: str) -> int:
        return self.whole.class_of(character)

    def _after(self, character: str) -> "Front":
        return self.whole.after(self, character)


class Fronts:
    """All sets of the front of some rules."""

    def __init__(
        self, machines: Sequence[Machine], *, at_once: frozenset[int] = frozenset()
    ) -> None:
        """`at_once`: rules whose threads of one start must stay together from its first character
        on, since what one finds ends the others."""
        self._at_once = at_once
        self._machines = {machine.rule: machine for machine in machines}
        self._bits = {machine.rule: _bits(machine) for machine in machines}
        self._asserts = any(machine.automaton.asserts for machine in machines)
        edges = {bound for machine in machines for bound in machine.automaton.bounds}
        self._bounds = sorted(edges | {0x0A, 0x0B, 0x30, 0x3A, 0x41, 0x5B, 0x5F, 0x60, 0x61, 0x7B})
        self._known: dict[object, Front] = {}
        self._moves: dict[tuple[Thread | None, Kind, int], Move] = {}
        self._late: dict[tuple[int, int], bool] = {}
        self.start = self._front(frozenset(), set(), EDGE)

    def resting(self, kind: Kind) -> Front:
        """Nothing begun, and this before the next character."""
        return self._front(frozenset(), set(), kind if self._asserts or kind == EDGE else OTHER)

    def class_of(self, character: str) -> int:
        """Characters of one class are alike to every rule."""
        return bisect_right(self._bounds, ord(character))

    def after(self, now: Front, character: str) -> Front:
        """The set after one more character."""
        kind = kind_of(character) if self._asserts else OTHER
        at = self.class_of(character)
        moves = self._moves
        staying: set[Thread] = set()
        going: set[Thread] = set()
        for thread in (*now.threads, None):  # None: what begins here
            key = (thread, now.kind, at)
            move = moves.get(key)
            if move is None:
                if len(moves) >= MAX_MOVES:
                    moves.clear()
                move = moves[key] = self._move(thread, now.kind, kind, character)
            staying.update(move[0])
            going.update(move[1])
        return self._front(frozenset(staying), going, kind)

    def _move(self, thread: Thread | None, before: Kind, kind: Kind, character: str) -> Move:
        """Where one thread goes with a character, or those that begin with it."""
        starts = [(rule, one.automaton.start, BEFORE, 0) for rule, one in self._machines.items()]
        code = ord(character)
        moved = [
            _thread(rule, step.place, step.phase, distance)
            for rule, place, phase, distance in ([thread] if thread else starts)
            for step in self._machines[rule].automaton.follow(place, phase, before, kind).steps
            if charsets.contains(step.ranges, code)
        ]
        going = tuple(one for one in moved if self._goes(one))
        return tuple(one for one in moved if one not in going), going

    def _front(self, staying: frozenset[Thread], going: set[Thread], kind: Kind) -> Front:
        fires: tuple[tuple[Inside | Before, int], ...] = ()
        if going:
            handed: dict[tuple[int, bool, int], list[tuple[int, int]]] = {}
            for rule, place, phase, distance in sorted(going):
                handed.setdefault((rule, phase == BEFORE, distance), []).append((place, phase))
            fires = tuple(
                (self._handed(rule, before, items, kind), distance)
                for (rule, before, distance), items in handed.items()
            )
        key = (staying, kind, fires)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MAX_FRONTS:
                for front in list(self._known.values()):
                    front.forget()
                self._known.clear()
            found = self._known[key] = Front(self, staying, kind, fires)
        return found

    def _handed(
        self, rule: int, before: bool, items: list[tuple[int, int]], kind: Kind
    ) -> Inside | Before:
        machine = self._machines[rule]
        kind = kind if machine.automaton.asserts else OTHER
        return machine.before(items, kind, None) if before else machine.inside(items, kind, None)

    def _goes(self, thread: Thread) -> bool:
        rule, place, phase, distance = thread
        if phase >= 0 or distance >= MAX_DISTANCE or (distance and rule in self._at_once):
            return True
        key = (rule, place)
        known = self._late.get(key)
        if known is None:
            known = self._late[key] = self._ready(rule, place)
        return known

    def _ready(self, rule: int, place: int) -> bool:
        """Whether enough is known of a thread here, or its rule may end where it stands."""
        automaton = self._machines[rule].automaton
        follow = automaton.possible(place, INSIDE)
        if follow.after is not None:
            return True
        gains = [charsets.told(step.ranges) for step in follow.steps]
        bits = self._bits[rule].get(place, ENOUGH_BITS)
        return bits >= ENOUGH_BITS or (bits >= SOME_BITS and min(gains, default=0.0) < FEW_BITS)


def _thread(rule: int, place: int, phase: int, distance: int) -> Thread:
    inside = phase != BEFORE
    return rule, place, consumed(phase), distance + 1 if inside else 0


def _bits(machine: Machine) -> dict[int, float]:
    """For each place: the least that a thread there has been told, over all ways to it."""
    automaton = machine.automaton
    least = {automaton.start: 0.0}
    waiting = [(0.0, automaton.start)]
    while waiting:
        bits, place = heappop(waiting)
        if bits > least[place] or bits >= ENOUGH_BITS:
            continue
        for ranges, onward, _ in automaton.possible(place, INSIDE).steps:
            told = bits + charsets.told(ranges)
            if onward not in least or told < least[onward]:
                least[onward] = told
                heappush(waiting, (told, onward))
    return least
