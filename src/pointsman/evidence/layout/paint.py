"""Filled boxes as the lines that are seen of them: where one colour ends and another begins."""

from collections.abc import Sequence
from typing import NamedTuple

from pointsman.evidence.layout.boxes import Box, Rule

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
_THIN = 2.5  # points: a filled box that is no thicker is a line
_SHORT = 4.0
_BAND = 16.0  # points of height that are looked at together
_BESIDE = 1.2  # points beside an edge where its colour is looked at
_MOST = 6000  # fills of a page; more are a picture
_ALIKE = 12  # of 255: colours no further apart are one


class Fill(NamedTuple):
    """A box of one colour."""

    box: Box
    colour: Colour


class Paint:
    """The colours of a page, by what was painted last."""

    def __init__(self, fills: Sequence[Fill]) -> None:
        self._bands: dict[int, list[tuple[int, Fill]]] = {}
        for order, fill in enumerate(fills[:_MOST]):
            low, high = int(fill.box.top // _BAND), int(fill.box.bottom // _BAND)
            for band in range(low, min(high, low + 400) + 1):
                self._bands.setdefault(band, []).append((order, fill))

    def at(self, x: float, y: float, *, before: int | None = None) -> Colour:
        """The colour that is seen at a point, or was before a fill of that order."""
        for order, fill in reversed(self._bands.get(int(y // _BAND), ())):
            if (before is None or order < before) and fill.box.holds(x, y):
                return fill.colour
        return WHITE


def unlike(one: Colour, two: Colour) -> bool:
    """Whether an eye tells two colours apart."""
    return max(abs(a - b) for a, b in zip(one, two, strict=True)) > _ALIKE


def edges(fills: Sequence[Fill]) -> list[Rule]:
    """Lines that fills draw: thin ones themselves, and the edges of others, where they are seen."""
    if len(fills) > _MOST:
        return []
    paint = Paint(fills)
    found: list[Rule] = []
    for fill in fills:
        box = fill.box
        x, y = box.middle
        if min(box.width, box.height) <= _THIN:
            if box.width > max(_SHORT, box.height):
                beside = (paint.at(x, box.top - _BESIDE), paint.at(x, box.bottom + _BESIDE))
                if any(unlike(fill.colour, other) for other in beside):
                    found.append(Rule(True, y, box.x0, box.x1))
            elif box.height > _SHORT:
                beside = (paint.at(box.x0 - _BESIDE, y), paint.at(box.x1 + _BESIDE, y))
                if any(unlike(fill.colour, other) for other in beside):
                    found.append(Rule(False, x, box.top, box.bottom))
            continue
        if box.width <= _SHORT or box.height <= _SHORT:
            continue
        for at, inner, outer in (
            (box.top, box.top + _BESIDE, box.top - _BESIDE),
            (box.bottom, box.bottom - _BESIDE, box.bottom + _BESIDE),
        ):
            if unlike(paint.at(x, inner), paint.at(x, outer)):
                found.append(Rule(True, at, box.x0, box.x1))
        for at, inner, outer in (
            (box.x0, box.x0 + _BESIDE, box.x0 - _BESIDE),
            (box.x1, box.x1 - _BESIDE, box.x1 + _BESIDE),
        ):
            if unlike(paint.at(inner, y), paint.at(outer, y)):
                found.append(Rule(False, at, box.top, box.bottom))
    return found
