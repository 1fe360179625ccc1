"""Columns of a table from the white strips between its words, and from its upright lines."""

from collections.abc import Sequence
from typing import NamedTuple

from pointsman.evidence.layout.boxes import Box, Line, Rule

_LEAST_STRIP = 0.45  # of a line's height: a space is 0.25


class Border(NamedTuple):
    """Between two columns: white from `left` to `right`, or a drawn line where `ruled`."""

    left: float
    right: float
    ruled: bool

    @property
    def at(self) -> float:
        """Its middle."""
        return (self.left + self.right) / 2


def voters(lines: Sequence[Line]) -> list[Line]:
    """Lines that tell where columns are: those with about as many parts as any."""
    most = _usual_most([len(line.segments) for line in lines])
    return [line for line in lines if len(line.segments) >= max(2, 0.6 * most)]


def _usual_most(counts: Sequence[int]) -> int:
    """The greatest count that is no exception: at least two lines in twenty have as many."""
    ordered = sorted(counts, reverse=True)
    return ordered[min(len(ordered) - 1, max(1, len(ordered) // 20))] if ordered else 0


def strips(lines: Sequence[Line], *, tolerance: float = 0.08) -> list[tuple[float, float, int]]:
    """White strips: left, right, lines with words on both sides.

    Args: lines vote; of these up to the share `tolerance` may cross a strip.
    """
    if not lines:
        return []
    size = sorted(line.size for line in lines)[len(lines) // 2]
    events: list[tuple[float, int]] = []
    for line in lines:
        for segment in line.segments:
            events += [(segment.box.x0, 1), (segment.box.x1, -1)]
    events.sort()
    allowed = int(tolerance * len(lines) + 0.5) if len(lines) >= 5 else 0
    found, depth, start = [], 0, float("-inf")
    for x, step in events:
        before, depth = depth, depth + step
        if before <= allowed < depth and start > float("-inf") and x - start >= _LEAST_STRIP * size:
            found.append((start, x))
        if depth <= allowed < before:
            start = x
    return [(a, b, n) for a, b in found if (n := _parted(lines, a, b)) >= min(2, len(lines))]


def _parted(lines: Sequence[Line], a: float, b: float) -> int:
    return sum(
        any(s.box.x1 <= a + 0.5 for s in line.segments)
        and any(s.box.x0 >= b - 0.5 for s in line.segments)
        for line in lines
    )


def borders(lines: Sequence[Line], upright: Sequence[Rule], zone: Box) -> list[Border]:
    """Inner borders of a table's columns, from left to right."""
    drawn = _drawn(lines, upright, zone)
    found = [Border(x, x, True) for x in drawn]
    votes = voters(lines)
    if not votes:
        return found
    closed = _closedness(upright, zone)
    for a, b, parted in strips(votes):
        if any(a - 2 <= x <= b + 2 for x in drawn):
            continue
        size = votes[0].size
        if closed and (parted < 3 or b - a < 0.8 * size):
            continue
        found.append(Border(a, b, False))
    return sorted(found, key=lambda border: border.at)


def _closedness(upright: Sequence[Rule], zone: Box) -> bool:
    """Whether inner upright lines go through most of the table."""
    inner = [rule for rule in upright if zone.x0 + 4 < rule.at < zone.x1 - 4]
    return any(rule.end - rule.start > 0.7 * zone.height for rule in inner)


def _drawn(lines: Sequence[Line], upright: Sequence[Rule], zone: Box) -> list[float]:
    """Where upright lines part columns; two with no word between them are one."""
    found: list[float] = []
    middles = [s.box.middle[0] for line in lines for s in line.segments]
    for at in sorted({r.at for r in upright if zone.x0 + 4 < r.at < zone.x1 - 4}):
        if found and at - found[-1] < 7 and not any(found[-1] < x < at for x in middles):
            continue
        found.append(at)
    return found
