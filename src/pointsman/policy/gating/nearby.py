"""Spans of a detector that looks no further than nearby, told of a text as it comes.

Such a detector is no rule: it asks for checksums, and for words beside a value. But what it may
find at all is regular, and a span depends on few characters around it. So a tracker says where one
could be; once such a place and what is beside it have come, the detector itself is asked.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

from pointsman.policy.gating.escapes import Resolving
from pointsman.policy.gating.reading import Sight, Span
from pointsman.policy.gating.rules import SpanRule
from pointsman.policy.gating.ruleset import RuleSet
from pointsman.policy.gating.runs import Run, Runs, record

_KEPT = 2_048  # characters before what is looked at, to find a place to begin
_FAR_EAST = "\u2e80"  # from here on, characters are of no word that a place is made of


class Nearby:
    """What a detector may find, and how far it looks: the law that it keeps.

    Every match that it looks at lies in a span of `places` over the text as `fold` gives it,
    character for character; those that overlap are a cluster. What it finds in a cluster depends
    on the cluster, `before` characters before it and `after` after it.
    """

    def __init__(
        self, places: Sequence[str], *, fold: Callable[[str], str], before: int, after: int
    ) -> None:
        """Args: places are RE2 patterns. Raises: ValueError for one that cannot be followed."""
        self._places = tuple(places)
        self.fold = fold
        self.before = before
        self.after = after

    @cached_property
    def rules(self) -> RuleSet:
        """The places, compiled: some tenths of a second."""
        made = RuleSet(
            SpanRule(id=str(at), pattern=pattern, group=0)
            for at, pattern in enumerate(self._places)
        )
        if made.refused:
            first = made.refused[0]
            raise ValueError(f"{self._places[int(first.id)]}: {first.why}")
        return made


class NearbyReader:
    """Reads one text for one such detector; as `Reader` to a gate."""

    def __init__(
        self, nearby: Nearby, spans: Callable[[str], Sequence[tuple[int, int]]], number: int, *,
        escapes: bool = False,
    ) -> None:  # fmt: skip
        """Args: spans says what counts of a text, as start and end; where it raises, everything
        that could be a span is one. number is the rule's, of the spans told. escapes: the text is
        read with those of JSON strings resolved."""
        self._nearby = nearby
        self._judge = spans
        self._number = number
        self._resolving = Resolving() if escapes else None
        self._places = nearby.rules.follower()
        self._tail = ""  # of the text as it is read
        self._base = 0  # its offset
        self._open: list[Run] = []  # clusters that are not judged; sorted, apart
        self._past: list[Run] = []  # that were, as far back as the tail goes
        self._ended = False
        self.length = 0

    def feed(self, text: str) -> None:
        """Go on by a piece of text."""
        self.length += len(text)
        if self._resolving is not None:
            text = self._resolving.push(text)
        self._take(text)

    def finish(self) -> None:
        """The text ends here."""
        if self._resolving is not None:
            self._take(self._resolving.push("", ends=True))
        self._places.finish()
        self._ended = True

    @property
    def quiet(self) -> bool:
        """Whether nothing is being held and nothing was found."""
        places = self._places
        return (
            not self._open
            and not places.runs
            and places.hold == places.length == self.length
            and self._resolving is None
        )

    def look(self) -> Sight:
        """What is known by now."""
        places = self._places
        places.settle()
        hold = places.hold
        if not self._open and not places.runs and self._resolving is None:
            self._forget(hold)
            return Sight((), (), hold)
        self._gather(hold)
        until = places.length if self._ended else places.length - self._nearby.after
        ready = 0
        while ready < len(self._open) and self._open[ready].end <= min(hold, until):
            ready += 1
        found = self._judged(self._open[:ready]) if ready else []
        del self._open[:ready]
        safe = min(hold, self._open[0].start) if self._open else hold
        self._forget(safe)
        if self._resolving is None:
            return Sight(tuple(Span(*each, self._number) for each in found), (), safe)
        there = self._resolving
        done = tuple(Span(there.start(a), there.end(b), self._number) for a, b in found)
        safe = there.start(safe)
        there.forget(self._base)
        return Sight(done, (), safe)

    def _take(self, text: str) -> None:
        self._tail += text
        self._places.feed(self._nearby.fold(text))

    def _gather(self, hold: int) -> None:
        """Everything the tracker found joins a cluster; what will not grow leaves the tracker."""
        joined: Runs = {0: self._open}
        found = self._places.runs
        for rule, runs in list(found.items()):
            for run in runs:
                record(joined, 0, run)
            left = [run for run in runs if run.end > hold]
            if left:
                found[rule] = left
            else:
                del found[rule]
        self._open = joined[0]

    def _judged(self, clusters: Sequence[Run]) -> list[tuple[int, int]]:
        """What the detector finds in these."""
        first, last = clusters[0].start, clusters[-1].end
        begin = self._beginning(first - self._nearby.before)
        try:
            said = [
                (a + begin, b + begin) for a, b in self._judge(self._tail[begin - self._base :])
            ]
        except Exception:  # it could not look: nothing of these places may leave
            said = [(run.start, run.end) for run in clusters]
        self._past += clusters
        return [(start, end) for start, end in said if first <= start < end <= last]

    def _beginning(self, at: int) -> int:
        """A place at or before this one that no match reaches across: judging may begin there."""
        past = len(self._past)
        while at > self._base:
            while past and self._past[past - 1].start >= at:
                past -= 1
            if past and self._past[past - 1].end > at:
                at = self._past[past - 1].start
            elif (near := self._tail[at - self._base - 1]) in " \t\n" or near >= _FAR_EAST:
                return at
            else:
                at -= 1
        return self._base

    def _forget(self, safe: int) -> None:
        keep = safe - self._nearby.before - _KEPT
        if keep - self._base < _KEPT:
            return
        keep = max(self._beginning(keep), self._base)
        self._tail = self._tail[keep - self._base :]
        self._base = keep
        self._past = [run for run in self._past if run.end > keep]
