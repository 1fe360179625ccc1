"""What was found so far: for each rule, runs of overlapping spans, sorted and apart."""

from typing import NamedTuple, Protocol


class Run(NamedTuple):
    """Characters of overlapping spans of one rule, as far as they are known."""

    start: int
    end: int


Runs = dict[int, list[Run]]


def record(found: Runs, rule: int, span: Run) -> None:
    """Add a span; in constant time where spans come about in order."""
    runs = found.get(rule)
    if runs is None:
        found[rule] = [span]
        return
    start, end = span
    first = len(runs)
    while first and runs[first - 1].end > start:
        first -= 1
    last = first
    while last < len(runs) and runs[last].start < end:
        last += 1
    if first < last:
        span = Run(min(start, runs[first].start), max(end, runs[last - 1].end))
    runs[first:last] = [span]


class Follower(Protocol):
    """What follows a text and knows where spans are and may have begun."""

    length: int
    runs: Runs

    @property
    def hold(self) -> int: ...

    @property
    def resting(self) -> bool: ...

    def feed(self, text: str) -> None: ...

    def finish(self) -> None: ...

    def settle(self) -> None: ...

    def copy(self) -> "Follower": ...

    def like(self, other: "Follower") -> bool: ...
