"""Tables of a page: by drawn lines where there are any, by what is white elsewhere."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import msgspec

from pointsman.evidence.layout.boxes import Box, Line, Rule, Word, around
from pointsman.evidence.layout.grid import Cell, Grid, gridded
from pointsman.evidence.layout.reading import blocks
from pointsman.evidence.layout.rows import is_number
from pointsman.evidence.layout.ruling import joined
from pointsman.evidence.layout.zones import framed, runs, stacked

_LEAST_CONFIDENCE = 0.5


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table and how sure it is one, from 0 to 1."""

    box: Box
    cells: tuple[Cell, ...]
    method: str  # "frame", "stack", "white"
    confidence: float


class Page(NamedTuple):
    """What a page holds, as far as tables matter."""

    words: Sequence[Word]
    rules: Sequence[Rule]
    slants: Sequence[Box]  # pieces of curves and slanted lines
    box: Box


def tables(page: Page) -> list[Table]:
    """The tables of a page, from top to bottom; no word is in two of them."""
    lines = joined(page.rules)
    left = [word for word in page.words if not (word.hidden or word.turned)]
    found: list[Table] = []
    loose: list[tuple[Box, list[Rule]]] = []
    for zone, group in sorted(framed(left, lines), key=lambda each: _area(each[0])):
        inside = _in(left, zone.grown(2))
        if _is_drawing(zone, inside, group, page.slants):
            left = [word for word in left if word not in set(inside)]
            continue
        grid = gridded(inside, group, zone)
        if grid is not None and (sure := _sureness(grid, "frame")) >= _LEAST_CONFIDENCE:
            if grid.rows <= 2 and (below := _white_below(zone, left)):
                loose.append((around((zone, below)), group))
                continue
            found.append(_table(grid, zone, "frame", sure))
            left = [word for word in left if word not in set(inside)]
    for zone, _ in sorted([*loose, *stacked(left, lines)], key=lambda each: _area(each[0])):
        whole = _white_around(zone, left)
        inside = _in(left, whole.grown(2))
        grid = gridded(inside, [r for r in lines if _lies_in(r, whole.grown(2))], whole)
        if grid is not None and (sure := _sureness(grid, "stack")) >= _LEAST_CONFIDENCE:
            found.append(_table(grid, whole, "stack", sure))
            left = [word for word in left if word not in set(inside)]
    for block in blocks(left):
        for run in runs(block):
            found += _white(run, lines, page.slants)
    return sorted(found, key=lambda table: (table.box.top, table.box.x0))


def _area(box: Box) -> float:
    return box.width * box.height


def _in(words: Sequence[Word], zone: Box) -> list[Word]:
    return [word for word in words if zone.holds(*word.box.middle)]


def _lies_in(rule: Rule, zone: Box) -> bool:
    along = (rule.start + rule.end) / 2
    if rule.across:
        return zone.top <= rule.at <= zone.bottom and zone.x0 <= along <= zone.x1
    return zone.x0 <= rule.at <= zone.x1 and zone.top <= along <= zone.bottom


def _white_below(zone: Box, words: Sequence[Word]) -> Box | None:
    """The run of lines in parts right under a zone, as wide as it."""
    under = [w for w in words if w.box.middle[1] > zone.bottom + 1
             and zone.x0 - 5 <= w.box.middle[0] <= zone.x1 + 5]  # fmt: skip
    for run in runs(under)[:1]:
        box = around(line.box for line in run)
        if box.top - zone.bottom < 1.6 * run[0].size and box.width > 0.6 * zone.width:
            return box
    return None


def _white_around(zone: Box, words: Sequence[Word]) -> Box:
    """A zone with the run of lines in parts under it, where level lines only part off a head."""
    below = _white_below(zone, words)
    return around((zone, below)) if below is not None else zone


def _table(grid: Grid, zone: Box, method: str, sure: float) -> Table:
    return Table(box=zone, cells=grid.cells, method=method, confidence=round(sure, 3))


def _white(run: Sequence[Line], rules: Sequence[Rule], slants: Sequence[Box]) -> list[Table]:
    words = [word for line in run for word in line.words]
    zone = around(word.box for word in words)
    within = [r for r in rules if _lies_in(r, zone.grown(2))]
    if _is_drawing(zone, words, within, slants):
        return []
    grid = gridded(words, within, zone)
    if grid is None:
        return []
    sure = _sureness(grid, "white")
    return [_table(grid, zone, "white", sure)] if sure >= _LEAST_CONFIDENCE else []


def _sureness(grid: Grid, method: str) -> float:
    """How sure it is that a grid is a table, from how full, aligned and short its cells are."""
    full = len(grid.cells) / (grid.rows * grid.columns)
    if len(grid.cells) < 4:
        return 0.0
    if method == "frame":
        return 0.9 if full >= 0.25 else 0.3
    body = [cell for cell in grid.cells if cell.col > 0]
    figures = sum(is_number(cell.text) for cell in body) / max(1, len(body))
    long = sum(len(cell.text.split()) > 12 for cell in grid.cells) / len(grid.cells)
    if method == "stack":
        return 0.8 if full >= 0.3 and long < 0.5 else 0.3
    if grid.rows < 3 or full < 0.4 or long > 0.1:
        return 0.2
    usual = median(len(cell.text.split()) for cell in grid.cells)
    return min(0.95, 0.25 + 0.6 * figures + 0.1 * (grid.columns >= 3) + 0.1 * (grid.rows >= 5)
               + 0.1 * (usual <= 3))  # fmt: skip


def _is_drawing(
    zone: Box, words: Sequence[Word], group: Sequence[Rule], slants: Sequence[Box]
) -> bool:
    """A chart or picture: curves, many ticks, or upright lines through words."""
    inside = [box for box in slants if zone.holds(*box.middle)]
    if len(inside) > 24 or any(min(box.width, box.height) > 12 for box in inside):
        return True
    ticks = sum(rule.end - rule.start < 7 for rule in group)
    if ticks >= 5 and ticks > 0.25 * len(group):
        return True
    upright = [rule for rule in group if not rule.across]
    through = sum(
        any(
            word.box.x0 + 0.25 * word.box.width < rule.at < word.box.x1 - 0.25 * word.box.width
            and rule.start < word.box.middle[1] < rule.end
            for rule in upright
        )
        for word in words
    )
    return through > 0.1 * len(words)
