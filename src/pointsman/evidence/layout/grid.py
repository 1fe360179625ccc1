"""Cells of a table in a zone of a page, from its words, its lines and what is white."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from pointsman.evidence.layout.boxes import Box, Line, Rule, Segment, Word, around, lines_of
from pointsman.evidence.layout.columns import Border, borders
from pointsman.evidence.layout.rows import Laid, Piece, grouped

TIGHT = 0.5  # heights of a line between two parts of it


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell; rows and columns from 0, ends inclusive."""

    row: int
    col: int
    row_end: int
    col_end: int
    text: str
    box: Box


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """A table as found: `ruled` is the share of its borders that are drawn."""

    box: Box
    cells: tuple[Cell, ...]
    rows: int
    columns: int
    ruled: float


def gridded(words: Sequence[Word], rules: Sequence[Rule], zone: Box) -> Grid | None:
    """The cells of a zone; None where it is no table of two rows and two columns."""
    upright = [rule for rule in rules if not rule.across]
    level = [rule for rule in rules if rule.across]
    lines = lines_of(words, gap=TIGHT, rules=upright)
    if len(lines) < 2:
        return None
    between = borders(lines, upright, zone)
    if not between:
        return None
    laid = [_laid(line, between, upright, level, zone) for line in lines]
    rows = grouped(laid, ruled=_rows_are_ruled(laid, between, upright, level, zone))
    if len(rows) < 2:
        return None
    cells, columns = _compact(_cells(rows, between, upright, level))
    if columns < 2:
        return None
    return Grid(
        box=around(word.box for word in words),
        cells=tuple(cells),
        rows=len(rows),
        columns=columns,
        ruled=sum(border.ruled for border in between) / len(between),
    )


def _laid(
    line: Line, between: Sequence[Border], upright: Sequence[Rule], level: Sequence[Rule], zone: Box
) -> Laid:
    y = line.box.middle[1]
    band = sum(rule.at < y for rule in level if _goes_through(rule, zone))
    pieces = []
    for segment in line.segments:
        pieces += _pieces(segment, between)
    return Laid(tuple(pieces), line.box.top, line.box.bottom, line.size, band)


def _goes_through(rule: Rule, zone: Box) -> bool:
    return rule.end - rule.start > 0.6 * zone.width


def _pieces(segment: Segment, between: Sequence[Border]) -> list[Piece]:
    """A part of a line by columns; across a border it is one piece of several columns."""
    first = sum(border.at < _start(segment, border) for border in between)
    last = first
    for i in range(first, len(between)):
        border = between[i]
        reach = min(2.0, 0.2 * segment.box.height)
        if segment.box.x1 > border.right + reach:
            last = i + 1
        else:
            break
    return [Piece(segment, first, last)]


def _start(segment: Segment, border: Border) -> float:
    return segment.box.x0 + min(2.0, segment.box.width / 2) if border.ruled else segment.box.x0 + 1


def _rows_are_ruled(
    lines: Sequence[Laid], between: Sequence[Border], upright: Sequence[Rule],
    level: Sequence[Rule], zone: Box,
) -> bool:  # fmt: skip
    """Whether drawn lines part the rows, and not only the head from the body."""
    bands = {line.band for line in lines}
    if len(bands) < 2:
        return False
    per_band = sorted(sum(line.band == band for line in lines) for band in bands)
    usual = per_band[len(per_band) // 2]
    framed = any(border.ruled for border in between)
    if framed:
        return usual <= 4 or len(bands) >= 4
    return usual <= 2 and len(bands) >= 4


def _cells(
    rows: Sequence[Sequence[Laid]], between: Sequence[Border], upright: Sequence[Rule],
    level: Sequence[Rule],
) -> list[Cell]:  # fmt: skip
    found: list[Cell] = []
    for number, row in enumerate(rows):
        groups: list[tuple[int, int, list[Segment]]] = []
        middle = (min(line.top for line in row) + max(line.bottom for line in row)) / 2
        for line in row:
            for piece in line.pieces:
                first, last = _within_rules(piece, between, upright, middle)
                groups.append((first, last, [piece.segment]))
        for first, last, segments in _united(groups):
            text = " ".join(segment.text for segment in segments)
            found.append(Cell(row=number, col=first, row_end=number, col_end=last, text=text,
                              box=around(segment.box for segment in segments)))  # fmt: skip
    return _over_rows(found, rows, level)


def _over_rows(
    cells: list[Cell], rows: Sequence[Sequence[Laid]], level: Sequence[Rule]
) -> list[Cell]:
    """Cells of two rows with no line between them, where a line parts these rows elsewhere."""
    done = list(cells)
    for number, (one, two) in enumerate(pairwise(rows)):
        if one[-1].band == two[0].band:
            continue
        low, high = min(line.top for line in one), max(line.bottom for line in two)
        parting = [rule for rule in level if low < rule.at < high]
        for above in [cell for cell in done if cell.row_end == number]:
            x = above.box.middle[0]
            if any(rule.start <= x <= rule.end for rule in parting):
                continue
            below = [c for c in done if c.row == number + 1 and _share_column(c, above)]
            if all(above.col <= c.col and c.col_end <= above.col_end for c in below):
                parts = [above, *below]
                done = [cell for cell in done if cell not in parts]
                done.append(Cell(
                    row=above.row, col=above.col, row_end=number + 1, col_end=above.col_end,
                    text=" ".join(cell.text for cell in parts),
                    box=around(cell.box for cell in parts),
                ))  # fmt: skip
    return sorted(done, key=lambda cell: (cell.row, cell.col))


def _share_column(one: Cell, two: Cell) -> bool:
    return one.col <= two.col_end and two.col <= one.col_end


def _within_rules(
    piece: Piece, between: Sequence[Border], upright: Sequence[Rule], y: float
) -> tuple[int, int]:
    """Columns of the drawn cell that a piece stands in: no line is drawn inside it."""
    drawn = [i for i, border in enumerate(between)
             if border.ruled and _is_drawn(border, upright, y)]  # fmt: skip
    if not drawn:
        return piece.first, piece.last
    first, last = piece.first, piece.last
    while first > 0 and between[first - 1].ruled and first - 1 not in drawn:
        first -= 1
    while last < len(between) and between[last].ruled and last not in drawn:
        last += 1
    return first, last


def _is_drawn(border: Border, upright: Sequence[Rule], y: float) -> bool:
    return any(abs(rule.at - border.at) < 2 and rule.start - 1 <= y <= rule.end + 1
               for rule in upright)  # fmt: skip


def _united(
    groups: Sequence[tuple[int, int, list[Segment]]],
) -> list[tuple[int, int, list[Segment]]]:
    """Pieces of a row that share a column are one cell."""
    found: list[tuple[int, int, list[Segment]]] = []
    for first, last, segments in sorted(groups, key=lambda each: (each[0], each[1])):
        if found and first <= found[-1][1]:
            before = found[-1]
            found[-1] = (before[0], max(before[1], last), before[2] + segments)
        else:
            found.append((first, last, list(segments)))
    for _, _, segments in found:
        segments.sort(key=lambda segment: (round(segment.box.top), segment.box.x0))
    return found


def _compact(cells: list[Cell]) -> tuple[list[Cell], int]:
    """Cells without columns that no cell begins in, and how many columns are left."""
    begun = sorted({cell.col for cell in cells})
    place = {column: i for i, column in enumerate(begun)}
    ends = [max(i for column, i in place.items() if column <= cell.col_end) for cell in cells]
    done = [msgspec.structs.replace(cell, col=place[cell.col], col_end=end)
            for cell, end in zip(cells, ends, strict=True)]  # fmt: skip
    return done, len(begun)
