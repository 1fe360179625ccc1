"""Where in a whole text a span can be, at the speed of RE2; what is there is the tracker's to say.

RE2 tells which rules match at all, and then where the leftmost match of those begins. The tracker
reads from there until nothing it has begun is left, and RE2 searches on from that place. Every
match begins at or after one that RE2 finds, so nothing is missed; and RE2 reads no further than the
tracker does, so that no number of matches costs more than the text is long.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import re2

from pointsman.policy.gating.front import Fronts
from pointsman.policy.gating.machine import Machine
from pointsman.policy.gating.tracker import Tracker
from pointsman.policy.patterns.automaton import EDGE, kind_of
from pointsman.policy.patterns.heads import loosened
from pointsman.policy.patterns.syntax import Node, written

MEMORY = 64 << 20  # for all rules; RE2's own default cannot hold the automaton of a hundred
SUBSET_MEMORY = 16 << 20  # for those that matched together
MAX_SUBSETS = 16  # kept for the next time
MANY = 24  # rules that matched together: then all of the text is read
SHORT = 48  # characters: less is read sooner than searched

Unread = tuple[Fronts, "re2._Regexp"]


class Triage:
    """RE2's view of the rules of one set."""

    def __init__(
        self, trees: Mapping[int, Node], machines: Sequence[Machine], keyed: Mapping[int, int],
        at_once: frozenset[int],
    ) -> None:  # fmt: skip
        """`trees` are patterns by the number of their machine, those of keywords among them."""
        self._patterns = {rule: written(tree) for rule, tree in trees.items()}
        self._machines = {machine.rule: machine for machine in machines}
        self._keyed = keyed
        self._at_once = at_once
        self._rules = [rule for rule in self._patterns if rule not in keyed.values()]
        self._subsets: dict[frozenset[int], Unread | None] = {}
        self._set = re2.Set.SearchSet(_options(MEMORY))
        for rule in self._rules:
            self._set.Add(written(loosened(trees[rule])))
        self._nothing = [len(self._rules)]
        self._set.Add(r"\z")  # always there at the end: that RE2 came so far
        self._set.Compile()

    def read(self, text: str, fresh: Callable[[], Tracker]) -> Tracker | None:
        """A fresh tracker taken through a text and its end, as feeding it all would; None where
        RE2 is sure that it would find nothing."""
        data = _encoded(text) if len(text) >= SHORT else None
        told = self._set.Match(data) if data is not None else []
        if told == self._nothing:
            return None
        tracker, matched = fresh(), set(told)
        if data is None or len(self._rules) not in matched or len(matched) > MANY:
            tracker.feed(text)
        elif len(matched) > 1:
            rules = frozenset(self._rules[at] for at in matched if at < len(self._rules))
            near = self._subset(rules)
            if near is None:
                tracker.feed(text)
            else:
                self._read_near(near, text, data, tracker)
        tracker.finish()
        return tracker

    def _read_near(self, near: Unread, text: str, data: bytes, tracker: Tracker) -> None:
        fronts, pattern = near
        at = at_byte = 0
        plain = len(data) == len(text)
        while match := pattern.search(data, at_byte):
            start_byte = match.start()
            while start_byte < len(data) and data[start_byte] & 0xC0 == 0x80:
                start_byte -= 1  # an empty match between the bytes of one character
            gap = data[at_byte:start_byte]
            start = start_byte if plain else at + len(gap.decode())
            before = kind_of(text[start - 1]) if start else EDGE
            tracker.jump(fronts.resting(before), start)
            at = start
            while at < len(text) and (at == start or not tracker.resting):
                tracker.feed(text[at])
                at += 1
            if not tracker.resting or at >= len(text):
                break
            at_byte = at if plain else start_byte + len(text[start:at].encode())

    def _subset(self, rules: frozenset[int]) -> Unread | None:
        """To read near matches of these rules alone; None where that is too much for RE2."""
        if rules in self._subsets:
            return self._subsets[rules]
        found: Unread | None = None
        with suppress(re2.error):
            keys = {self._keyed[rule] for rule in rules if rule in self._keyed}
            numbers = sorted(rules | keys)
            fronts = Fronts([self._machines[number] for number in numbers], at_once=self._at_once)
            joined = "|".join(f"(?:{self._patterns[number]})" for number in numbers)
            found = fronts, re2.compile(joined.encode(), _options(SUBSET_MEMORY))
        while len(self._subsets) >= MAX_SUBSETS:
            self._subsets.pop(next(iter(self._subsets)), None)
        self._subsets[rules] = found
        return found


def _options(memory: int) -> "re2.Options":
    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False
    options.longest_match = True
    return options


def _encoded(text: str) -> bytes | None:
    """UTF-8; None where there are halves of surrogate pairs, which RE2 cannot see."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None
