"""Reading order: columns of running text are told apart before anything is read across them."""

from collections.abc import Sequence
from itertools import pairwise

from pointsman.evidence.layout.boxes import Line, Word, lines_of

_PARTS = 0.9  # heights of a line
_WORDS = 3.5  # of a line on one side of a gutter, at least, for it to be running text
_LINES = 5
_DEEPEST = 4


def blocks(words: Sequence[Word], *, depth: int = 0) -> list[list[Word]]:
    """Words by blocks that are read one after another; within a block lines go right across."""
    if depth > _DEEPEST or len(words) < 2 * _LINES * _WORDS:
        return [list(words)] if words else []
    lines = lines_of(words, gap=_PARTS)
    found: list[list[Word]] = []
    plain: list[Word] = []
    at = 0
    while at < len(lines):
        end, gutter = _band(lines, at)
        if gutter is None:
            plain += lines[at].words
            at += 1
            continue
        if plain:
            found.append(plain)
            plain = []
        inside = [word for line in lines[at:end] for word in line.words]
        left = [word for word in inside if word.box.middle[0] < gutter]
        right = [word for word in inside if word.box.middle[0] >= gutter]
        found += blocks(left, depth=depth + 1) + blocks(right, depth=depth + 1)
        at = end
    if plain:
        found.append(plain)
    return found


def _band(lines: Sequence[Line], at: int) -> tuple[int, float | None]:
    """Lines from `at` on with a common gutter between two columns of running text."""
    for left, right in _gaps(lines[at]):
        a, b, end = left, right, at + 1
        while end < len(lines):
            kept = _narrowed(lines[end], a, b)
            if kept is None:
                break
            a, b = kept
            end += 1
        middle = (a + b) / 2
        if end - at >= _LINES and _is_prose(lines[at:end], middle):
            return end, middle
    return at + 1, None


def _gaps(line: Line) -> list[tuple[float, float]]:
    parts = line.segments
    return [(one.box.x1, two.box.x0) for one, two in pairwise(parts)
            if len(one.words) >= 2 and len(two.words) >= 2]  # fmt: skip


def _narrowed(line: Line, a: float, b: float) -> tuple[float, float] | None:
    """What is left of a gutter that a line leaves white; None where the line crosses it."""
    least = 0.6 * line.size
    for segment in line.segments:
        if segment.box.x1 <= a or segment.box.x0 >= b:
            continue
        middle = (a + b) / 2
        if segment.box.x1 <= middle:
            a = max(a, segment.box.x1)
        elif segment.box.x0 >= middle:
            b = min(b, segment.box.x0)
        else:
            return None
    return (a, b) if b - a >= least else None


def _is_prose(lines: Sequence[Line], middle: float) -> bool:
    for side in (0, 1):
        parts = [s for line in lines for s in line.segments if (s.box.middle[0] >= middle) == side]
        counted: dict[int, int] = {}
        for i, line in enumerate(lines):
            counted[i] = sum(len(s.words) for s in line.segments if s in parts)
        filled = [n for n in counted.values() if n]
        if len(filled) < _LINES - 1 or sum(filled) / len(filled) < _WORDS:
            return False
        several = sum(
            sum((s.box.middle[0] >= middle) == side for s in line.segments) > 1 for line in lines
        )
        if several > 0.4 * len(lines):
            return False
    return True
