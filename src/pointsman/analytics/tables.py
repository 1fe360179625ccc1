"""Aligned columns of text within a width; what the cells say is decided elsewhere."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

_GAP = 2


class Table(NamedTuple):
    """Column heads and rows of cells; the first column is text, the others align right or left."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[str] = frozenset()  # heads of the columns that align right


def fitting(table: Table, *, width: int) -> list[str]:
    """Lines of the table; a line per cell where its rows are wider than the width."""
    lines = aligned(table)
    return lines if max(len(line) for line in lines) <= width else stacked(table)


def aligned(table: Table) -> list[str]:
    """One line per row, columns two spaces apart, no space at the end of a line."""
    grid = [table.heads, *table.rows]
    widths = [max(len(row[i]) for row in grid) for i in range(len(table.heads))]
    return [
        (" " * _GAP)
        .join(
            cell.rjust(size) if head in table.right else cell.ljust(size)
            for head, cell, size in zip(table.heads, row, widths, strict=True)
        )
        .rstrip()
        for row in grid
    ]


def stacked(table: Table) -> list[str]:
    """The first cell of each row and its head on a line, then one indented line per other cell."""
    size = max(len(head) for head in table.heads)
    lines: list[str] = []
    for row in table.rows:
        lines.append(f"{table.heads[0]} {row[0]}")
        named = zip(table.heads[1:], row[1:], strict=True)
        lines.extend(f"{' ' * _GAP}{head.ljust(size)}{' ' * _GAP}{cell}" for head, cell in named)
    return lines


def filled(words: Sequence[str], *, width: int) -> list[str]:
    """The pieces joined by ` · `, broken between pieces where a line would be too long."""
    lines = [""]
    for before, word in pairwise(["", *words]):
        longer = f"{lines[-1]} · {word}" if before else word
        if before and len(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
