"""A text read as it is and as it is compared, with what was found in its own offsets."""

from bisect import bisect_left
from typing import NamedTuple

from pointsman.policy.gating.normalising import Reading, first_other, reading
from pointsman.policy.gating.runs import Follower, Run


class Span(NamedTuple):
    """Overlapping spans of one rule, in characters of the text itself."""

    start: int
    end: int
    rule: int


class Sight(NamedTuple):
    """What is known of a text so far."""

    done: tuple[Span, ...]  # will not grow; told once
    growing: tuple[Span, ...]  # found, and may still grow
    safe: int  # nothing before this can become part of a span that is not in `done`


class Reader:
    """All readings of one text: as it is, as it is compared, and with its escapes resolved.

    Each of the others begins where it first differs, and ends once it no longer matters.
    """

    def __init__(
        self, follower: Follower, *, normalise: bool = True, escapes: bool = False
    ) -> None:
        self._plain = follower
        self._normalise = normalise
        self._escapes = escapes
        self._compared: _Other | None = None
        self._resolved: _Other | None = None  # and compared, where that is asked for

    @property
    def length(self) -> int:
        return self._plain.length

    def feed(self, text: str) -> None:
        """Go on by a piece of text."""
        odd = first_other(text) if self._normalise and not text.isascii() else None
        if self._compared is not None or odd is not None:
            if self._compared is None:
                self._compared = _Other(self._plain, normalise=True, escapes=False)
            self._compared.feed(text)
        if self._escapes and (self._resolved is not None or odd is not None or "\\" in text):
            if self._resolved is None:
                self._resolved = _Other(self._plain, normalise=self._normalise, escapes=True)
            self._resolved.feed(text)
        self._plain.feed(text)

    def finish(self) -> None:
        """The text ends here."""
        self._plain.finish()
        for other in (self._compared, self._resolved):
            if other is not None:
                other.finish()

    @property
    def quiet(self) -> bool:
        """Whether nothing is being held and nothing was found: the common case, told quickly."""
        plain = self._plain
        return (
            self._compared is None
            and self._resolved is None
            and not plain.runs
            and plain.hold == plain.length
        )

    def look(self) -> Sight:
        """What is known by now."""
        plain = self._plain
        plain.settle()
        safe = plain.hold
        done: list[Span] = []
        growing: list[Span] = []
        if plain.runs:
            for rule, run, settled in _taken(plain):
                (done if settled else growing).append(Span(run.start, run.end, rule))
        for other in (self._compared, self._resolved):
            if other is not None:
                other.follower.settle()
                safe = min(safe, other.hold)
                for rule, run, settled in _taken(other.follower):
                    span = Span(other.start(run.start), other.end(run.end), rule)
                    (done if settled else growing).append(span)
                other.trim()
        if self._compared is not None and self._compared.like(plain):
            self._compared = None
        if self._resolved is not None and self._resolved.like(plain):
            self._resolved = None
        return Sight(tuple(done), tuple(growing), safe)


class _Other:
    """The text as it is read otherwise, from before it first differs from itself."""

    def __init__(self, follower: Follower, *, normalise: bool, escapes: bool) -> None:
        self.follower = follower.copy()
        self._normalise = normalise
        self._escapes = escapes
        self._from = follower.length  # of the text as it is read; before it, both count alike
        self._starts: list[int] = []  # of characters from there on, in the text itself
        self._ends: list[int] = []
        self._length = follower.length  # of the text itself
        self._begun = ""  # an escape, at the end of the text

    def feed(self, text: str) -> None:
        text = self._begun + text
        read = reading(text, normalise=self._normalise, escapes=self._escapes, ends=False)
        self._take(read, text)

    def finish(self) -> None:
        if self._begun:
            read = reading(self._begun, normalise=self._normalise, escapes=self._escapes, ends=True)
            self._take(read, self._begun)
        self.follower.finish()

    def _take(self, read: Reading, text: str) -> None:
        base = self._length - len(self._begun)
        characters = range(len(read.text))
        self._starts += [base + read.start(at) for at in characters]
        self._ends += [base + read.end(at) for at in characters]
        self._begun = text[read.length :]
        self._length = base + len(text)
        self.follower.feed(read.text)

    @property
    def hold(self) -> int:
        """As the follower's, in the text itself; an escape that has begun may be of a span."""
        return min(self.start(self.follower.hold), self._length - len(self._begun))

    def like(self, plain: Follower) -> bool:
        return not self._begun and self.follower.like(plain)

    def start(self, at: int) -> int:
        """Where the character at an offset as it is read is in the text itself."""
        at -= self._from
        if at < 0:
            return at + self._from
        return self._starts[at] if at < len(self._starts) else self._length

    def end(self, at: int) -> int:
        """Where the character before an offset as it is read ends in the text itself."""
        at -= self._from
        return self._ends[at - 1] if at > 0 else at + self._from

    def trim(self) -> None:
        """Forget where characters came from that nobody will ask for."""
        keep = self.follower.hold
        for runs in self.follower.runs.values():
            keep = min(keep, runs[0].start)
        past = keep - 1 - self._from
        if past > 256:
            del self._starts[:past]
            del self._ends[:past]
            self._from += past


def _taken(follower: Follower) -> list[tuple[int, Run, bool]]:
    """Every run, and whether it is settled; those are no longer in the tracker."""
    hold = follower.hold
    taken: list[tuple[int, Run, bool]] = []
    for rule, runs in list(follower.runs.items()):
        settled = bisect_left(runs, True, key=lambda run: run.end > hold)
        taken += [(rule, run, at < settled) for at, run in enumerate(runs)]
        if settled == len(runs):
            del follower.runs[rule]
        elif settled:
            del runs[:settled]
    return taken
