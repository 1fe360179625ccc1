"""Lines, filled boxes and sketches that a PDF's page draws; only to be used in a bounded child."""

import ctypes
from collections.abc import Iterator
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from pointsman.evidence.documents.pdfium_objects import (
    Matrix,
    bounds,
    matrix_of,
    objects,
    put,
    times,
)
from pointsman.evidence.documents.pdfium_words import Place
from pointsman.evidence.layout.boxes import Box, Rule
from pointsman.evidence.layout.paint import Fill

_MOST_RULES = 100_000  # of a page
_MOST_SEGMENTS = 20_000  # of a path
_THIN = 2.5  # points: a filled box that is no thicker is a line
_SHORT = 4.0  # points: a line that is no longer says nothing
_SLANT = 1.0  # points both ways: a line that is neither level nor upright


class Drawing(NamedTuple):
    """What is drawn on a page beside its letters."""

    rules: list[Rule]  # strokes
    fills: list[Fill]  # filled boxes in the order they were painted; thin ones are lines
    slants: list[Box]  # pieces of curves and slanted lines: of charts and pictures
    images: list[Box]


def drawing(page: Any, place: Place) -> Drawing:
    """Everything that matters for where text stands. Bounded: a drawing beyond that is cut."""
    found = Drawing([], [], [], [])
    for item, matrix in objects(page):
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind == pdfium.FPDF_PAGEOBJ_PATH:
            _add_path(found, item, matrix, place)
        elif kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            box = bounds(item, matrix, place)
            if min(box.width, box.height) <= _THIN:
                found.rules.extend(_line(box))
            else:
                found.images.append(box)
        if len(found.rules) + len(found.fills) + len(found.slants) > _MOST_RULES:
            break
    return found


def _add_path(found: Drawing, item: Any, matrix: Matrix | None, place: Place) -> None:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(item, fill, stroke)
    if not (fill.value or stroke.value):
        return
    box = bounds(item, matrix, place)
    own = matrix_of(item)
    whole = own if matrix is None else times(own, matrix)
    level: list[Rule] = []
    slants: list[Box] = []
    for piece in _pieces(item, whole, place):
        if min(piece.width, piece.height) <= _SLANT:
            level += _line(piece)
        else:
            slants.append(piece)
    found.slants.extend(slants)
    if stroke.value:
        found.rules.extend(_line(box) if min(box.width, box.height) <= _THIN else level)
    elif not slants:
        colour = [ctypes.c_uint() for _ in range(4)]
        pdfium.FPDFPageObj_GetFillColor(item, *colour)
        red, green, blue, opaque = (each.value for each in colour)
        if opaque > 12:
            found.fills.append(Fill(box, (red, green, blue)))


def _pieces(item: Any, matrix: Matrix, place: Place) -> Iterator[Box]:
    count = min(pdfium.FPDFPath_CountSegments(item), _MOST_SEGMENTS)
    x, y = ctypes.c_float(), ctypes.c_float()
    last = begun = (0.0, 0.0)
    for i in range(count):
        piece = pdfium.FPDFPath_GetPathSegment(item, i)
        pdfium.FPDFPathSegment_GetPoint(piece, x, y)
        point = put(x.value, y.value, matrix)
        if pdfium.FPDFPathSegment_GetType(piece) == pdfium.FPDF_SEGMENT_MOVETO:
            begun = point
        else:
            yield _between(last, point, place)
        last = point
        if pdfium.FPDFPathSegment_GetClose(piece):
            yield _between(last, begun, place)
            last = begun


def _between(one: tuple[float, float], two: tuple[float, float], place: Place) -> Box:
    return place.box(
        min(one[0], two[0]), min(one[1], two[1]), max(one[0], two[0]), max(one[1], two[1])
    )


def _line(box: Box) -> Iterator[Rule]:
    """A thin box as the line it is."""
    if box.width >= box.height and box.width > _SHORT:
        yield Rule(True, (box.top + box.bottom) / 2, box.x0, box.x1)
    elif box.height > box.width and box.height > _SHORT:
        yield Rule(False, (box.x0 + box.x1) / 2, box.top, box.bottom)
