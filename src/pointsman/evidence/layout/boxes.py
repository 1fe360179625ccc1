"""Words and rules of a page, in points from its top left corner."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle; `top` is above `bottom`, so smaller."""

    x0: float
    top: float
    x1: float
    bottom: float

    @property
    def width(self) -> float:
        """Points from left to right."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Points from top to bottom."""
        return self.bottom - self.top

    @property
    def middle(self) -> tuple[float, float]:
        """The point in its middle."""
        return (self.x0 + self.x1) / 2, (self.top + self.bottom) / 2

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in it."""
        return self.x0 <= x <= self.x1 and self.top <= y <= self.bottom

    def grown(self, by: float) -> "Box":
        """The box with a margin."""
        return Box(self.x0 - by, self.top - by, self.x1 + by, self.bottom + by)

    def meets(self, other: "Box") -> bool:
        """Whether they have a point in common."""
        return (
            self.x0 <= other.x1
            and other.x0 <= self.x1
            and self.top <= other.bottom
            and other.top <= self.bottom
        )


def around(boxes: Iterable[Box]) -> Box:
    """The smallest box that holds all of them. Raises: ValueError where there is none."""
    x0s, tops, x1s, bottoms = zip(*boxes, strict=True)
    return Box(min(x0s), min(tops), max(x1s), max(bottoms))


class Word(NamedTuple):
    """Letters without a space between them."""

    text: str
    box: Box
    hidden: bool = False  # nobody who looks at the page sees it
    turned: int = 0  # quarters of a turn against the clock


def is_leader(word: Word) -> bool:
    """Whether a word is only dots that lead the eye to the next column."""
    return not word.text.strip(".·…_") and (len(word.text) >= 3 or word.text in ".·…")


class Rule(NamedTuple):
    """A drawn line: horizontal where `across` is true, `at` its height, from `start` to `end`."""

    across: bool
    at: float
    start: float
    end: float


class Segment(NamedTuple):
    """Words of one line that stand together."""

    words: tuple[Word, ...]
    box: Box

    @property
    def text(self) -> str:
        """What it says."""
        return " ".join(word.text for word in self.words)


class Line(NamedTuple):
    """Segments at one height, from left to right."""

    segments: tuple[Segment, ...]
    box: Box
    size: float  # of its letters: the median height of its words

    @property
    def words(self) -> list[Word]:
        """All its words."""
        return [word for segment in self.segments for word in segment.words]


def lines_of(words: Sequence[Word], *, gap: float, rules: Sequence[Rule] = ()) -> list[Line]:
    """Lines from top to bottom.

    Args: gap is what parts two segments, in heights of the line; upright rules part them too.
    """
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda each: (each.box.middle[1], each.box.x0)):
        y, half = word.box.middle[1], word.box.height
        for row in reversed(rows[-4:]):
            last = row[-1].box
            if abs(last.middle[1] - y) < 0.4 * min(half, last.height) or _sunk(row, word):
                row.append(word)
                break
        else:
            rows.append([word])
    upright = [rule for rule in rules if not rule.across]
    return sorted((_line(row, gap, upright) for row in rows), key=lambda line: line.box.top)


def _sunk(row: Sequence[Word], word: Word) -> bool:
    """A note's mark, raised or lowered, beside a word of the line."""
    return any(
        word.box.height < 0.8 * other.box.height
        and other.box.top - 1 <= word.box.middle[1] <= other.box.bottom + 1
        and abs(word.box.x0 - other.box.x1) < 0.5 * other.box.height
        for other in row[-3:]
    )


def _line(row: list[Word], gap: float, upright: Sequence[Rule]) -> Line:
    row.sort(key=lambda word: word.box.x0)
    size = median(word.box.height for word in row)
    parts = [[row[0]]]
    led = False
    for word in row[1:]:
        last = _last_seen(parts[-1])
        if is_leader(word) and (led or word.box.x0 - last.box.x1 < 2 * size):
            parts[-1].append(word)  # dots belong to what they start from, and end it
            led = True
            continue
        if led or word.box.x0 - last.box.x1 > gap * size or _parted(last.box, word.box, upright):
            parts.append([])
        parts[-1].append(word)
        led = False
    segments = tuple(_segment(part) for part in parts)
    return Line(segments, around(segment.box for segment in segments), size)


def _segment(part: Sequence[Word]) -> Segment:
    seen = [word for word in part if not is_leader(word)] or list(part)
    return Segment(tuple(part), around(word.box for word in seen))


def _last_seen(part: Sequence[Word]) -> Word:
    return next((word for word in reversed(part) if not is_leader(word)), part[-1])


def _parted(one: Box, two: Box, upright: Sequence[Rule]) -> bool:
    y = (max(one.top, two.top) + min(one.bottom, two.bottom)) / 2
    return any(
        one.x1 - 1.5 <= rule.at <= two.x0 + 1.5 and rule.start <= y <= rule.end for rule in upright
    )
