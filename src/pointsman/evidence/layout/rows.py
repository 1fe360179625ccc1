"""Rows of a table from its lines: which lines are one row because a cell's text goes on."""

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from pointsman.evidence.layout.boxes import Segment

_NUMBER = re.compile(r"^[(<>~±+\-–−$€£¥]*\s*[\d.,\s']*\d[\d.,\s']*\s*[%*)a-z°†‡§]{0,3}$")
_YEAR = re.compile(r"^[(]?(?:19|20)\d\d[)*]?$")
_BLANK = re.compile(r"^[-–—.:*/n\sa]{1,3}$", re.IGNORECASE)


class Piece(NamedTuple):
    """A part of a line, and the columns it stands in."""

    segment: Segment
    first: int
    last: int


class Laid(NamedTuple):
    """A line of a table by columns; `band` counts the drawn lines above it."""

    pieces: tuple[Piece, ...]
    top: float
    bottom: float
    size: float
    band: int

    @property
    def columns(self) -> set[int]:
        """Columns that have something in this line."""
        return {c for piece in self.pieces for c in range(piece.first, piece.last + 1)}


def _is_data(line: Laid) -> bool:
    """Figures in most columns but the first; years are as good a head."""
    said = [p.segment.text for p in line.pieces if p.first > 0]
    return bool(said) and 2 * sum(is_number(t) and not _YEAR.match(t) for t in said) > len(said)


def is_number(text: str) -> bool:
    """Whether a cell holds a figure, or a sign that there is none."""
    return bool(_NUMBER.match(text) or _BLANK.match(text))


def grouped(lines: Sequence[Laid], *, ruled: bool) -> list[list[Laid]]:
    """Lines as rows, from top to bottom.

    Args: ruled where drawn lines part the rows: then lines between two of them are a row unless
    figures stand under figures.
    """
    if not lines:
        return []
    widths = _widths(lines)
    tight = _pitch(lines)
    stacked = {band for band in {line.band for line in lines} if _is_stacked(lines, band)}
    rows = [[lines[0]]]
    for one, two in pairwise(lines):
        if one.band != two.band:
            together = False
        elif ruled and two.band not in stacked:
            together = True
        else:
            together = _goes_on(rows[-1], one, two, widths, tight)
        if together:
            rows[-1].append(two)
        else:
            rows.append([two])
    return rows


def _widths(lines: Sequence[Laid]) -> dict[int, float]:
    """The widest text of each column."""
    widths: dict[int, float] = {}
    for line in lines:
        for piece in line.pieces:
            if piece.first == piece.last:
                widths[piece.first] = max(widths.get(piece.first, 0.0), piece.segment.box.width)
    return widths


def _pitch(lines: Sequence[Laid]) -> float:
    """The usual distance of two lines."""
    steps = [two.top - one.top for one, two in pairwise(lines) if one.band == two.band]
    return median(steps) if steps else 0.0


def _is_stacked(lines: Sequence[Laid], band: int) -> bool:
    """Figures under figures, in several lines of one band."""
    inside = [line for line in lines if line.band == band]
    under = sum(_figures_meet(one, two) for one, two in pairwise(inside))
    return under >= max(1, 0.5 * (len(inside) - 1)) and (len(inside) >= 3 or under >= 1)


def _figures_meet(one: Laid, two: Laid) -> bool:
    above = {p.first for p in one.pieces if p.first == p.last and is_number(p.segment.text)}
    below = {p.first for p in two.pieces if p.first == p.last and is_number(p.segment.text)}
    both = {c for c in above & below if c > 0}
    return bool(both) and 2 * len(both) >= min(len(above), len(below))


def _goes_on(
    row: Sequence[Laid], one: Laid, two: Laid, widths: dict[int, float], tight: float
) -> bool:
    """Whether a line is the rest of the row above it."""
    apart = two.top - one.top
    if apart > max(1.45 * one.size, 1.15 * tight) or apart > 1.2 * tight:
        return False
    if apart < 0.55 * one.size:  # the same height, nearly
        return True
    spans = [p for line in (one, two) for p in line.pieces if p.last > p.first]
    if spans and len(one.columns | two.columns) > 1:
        return False
    both = one.columns & two.columns
    filled = {c for line in row for c in line.columns}
    if any(is_number(p.segment.text) and p.first > 0 for p in two.pieces) and any(
        is_number(p.segment.text) and p.first > 0 for line in row for p in line.pieces
    ):
        return False
    if not both or _is_data(two):
        return False
    if not two.columns <= filled and one.columns != {0}:
        return False
    above = {p.first: p.segment for p in one.pieces}
    below = {p.first: p.segment for p in two.pieces}
    for column in both:
        if column not in above or column not in below:
            return False
        room = widths.get(column, 0.0) - above[column].box.width
        if below[column].words[0].box.width + 0.25 * one.size < room:
            return False
    return True
