"""What a PDF's page draws, in order, as pdfium tells it; only to be used in a bounded child."""

import ctypes
from collections.abc import Iterator
from typing import Any

import pypdfium2.raw as pdfium

from pointsman.evidence.documents.pdfium_words import Place
from pointsman.evidence.layout.boxes import Box

Matrix = tuple[float, float, float, float, float, float]
_PLAIN: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_MOST_OBJECTS = 50_000  # of a page
_DEEPEST = 6  # forms within forms


def objects(page: Any) -> Iterator[tuple[Any, Matrix | None]]:
    """What a page draws, in order, within forms too; with what places a form's own objects."""
    left = _MOST_OBJECTS
    get = pdfium.FPDFPage_GetObject
    for i in range(min(pdfium.FPDFPage_CountObjects(page), _MOST_OBJECTS)):
        item = get(page, i)
        if not item:
            continue
        left -= 1
        if left <= 0:
            return
        if pdfium.FPDFPageObj_GetType(item) != pdfium.FPDF_PAGEOBJ_FORM:
            yield item, None
            continue
        for inner in _within(item, matrix_of(item), 0):
            left -= 1
            if left <= 0:
                return
            yield inner


def _within(form: Any, matrix: Matrix, depth: int) -> Iterator[tuple[Any, Matrix | None]]:
    if depth > _DEEPEST:
        return
    for i in range(pdfium.FPDFFormObj_CountObjects(form)):
        item = pdfium.FPDFFormObj_GetObject(form, i)
        if item and pdfium.FPDFPageObj_GetType(item) == pdfium.FPDF_PAGEOBJ_FORM:
            yield from _within(item, times(matrix_of(item), matrix), depth + 1)
        elif item:
            yield item, matrix


def bounds(item: Any, matrix: Matrix | None, place: Place) -> Box:
    """The box around an object."""
    edges = [ctypes.c_float() for _ in range(4)]
    pdfium.FPDFPageObj_GetBounds(item, *edges)
    left, low, right, high = (edge.value for edge in edges)
    if matrix is None:
        return place.box(left, low, right, high)
    xs, ys = zip(put(left, low, matrix), put(right, high, matrix), strict=True)
    return place.box(min(xs), min(ys), max(xs), max(ys))


def matrix_of(item: Any) -> Matrix:
    """What places an object in its holder."""
    found = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(item, found):
        return _PLAIN
    return found.a, found.b, found.c, found.d, found.e, found.f


def times(one: Matrix, two: Matrix) -> Matrix:
    """One after the other."""
    a, b, c, d, e, f = one
    g, h, i, j, k, m = two
    return (a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j,
            e * g + f * i + k, e * h + f * j + m)  # fmt: skip


def put(x: float, y: float, matrix: Matrix) -> tuple[float, float]:
    """A point, moved."""
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f
