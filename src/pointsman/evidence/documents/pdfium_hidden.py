"""Text of a PDF that nobody sees who looks at the page; only to be used in a bounded child."""

import ctypes
from bisect import bisect_left
from typing import Any, Literal, NamedTuple

import pypdfium2.raw as pdfium

from pointsman.evidence.documents.pdfium_objects import Matrix, objects, put
from pointsman.evidence.layout.boxes import Box
from pointsman.evidence.layout.paint import WHITE, Colour, Fill, Paint, unlike

Reason = Literal["invisible", "colour", "covered"]  # what is tiny or outside, words themselves tell

_INVISIBLE = (3, 7)  # text render modes that paint nothing
_FILLED = (0, 4)  # modes that paint letters in the colour of fills alone
_SHAPE: Colour = (0, 0, 0)
_MOST_COMPARED = 400_000  # pairs of a text and what is painted after it


# a text object: its order, itself, its form's matrix, render mode, colour, opacity
_Text = tuple[int, Any, Matrix | None, int, Colour, int]


class _Seen(NamedTuple):
    """A page's objects in the order of painting; PDF coordinates with the y axis turned over."""

    texts: list[_Text]
    fills: list[Fill]
    fill_orders: list[int]
    shapes: list[
        tuple[Any, Matrix | None]
    ]  # pictures too: what colour they have where is not known


class _Shapes:
    """Where things of unknown colour are; looked at only when it is asked for."""

    def __init__(self, shapes: list[tuple[Any, Matrix | None]]) -> None:
        self._shapes = shapes
        self._paint: Paint | None = None

    def under(self, box: Box) -> bool:
        """Whether text stands on one of them."""
        if self._paint is None:
            self._paint = Paint([Fill(_box(item, matrix), _SHAPE) for item, matrix in self._shapes])
        return self._paint.at(*box.middle) == _SHAPE


def hidden(page: Any) -> dict[int, Reason]:
    """Text objects by address, with what hides them.

    Invisible letters over a picture are a scan's text and not counted; nor are colours there.
    """
    seen = _look(page)
    paint, shapes = Paint(seen.fills), _Shapes(seen.shapes)
    compare = bool(seen.fills) and len(seen.texts) * len(seen.fills) <= _MOST_COMPARED
    last = seen.fill_orders[-1] if compare else -1
    grounds = {WHITE, *(fill.colour for fill in seen.fills)}
    alike: dict[Colour, bool] = {}  # whether letters of a colour may be lost on some ground
    found: dict[int, Reason] = {}
    for order, item, matrix, mode, colour, opaque in seen.texts:
        reason: Reason | None = None
        lost = alike.get(colour)
        if lost is None:
            lost = alike[colour] = any(not unlike(colour, ground) for ground in grounds)
        if mode in _INVISIBLE or opaque < 8:
            reason = None if shapes.under(_box(item, matrix)) else "invisible"
        elif lost or order < last:
            box = _box(item, matrix)
            if (
                lost
                and mode in _FILLED
                and not (_is_told(seen, paint, order, colour, box) or shapes.under(box))
            ):
                reason = "colour"
            elif order < last and _is_covered(box, order, seen):
                reason = "covered"
        if reason is not None:
            found[address(item)] = reason
    return found


def address(item: Any) -> int:
    """What tells one of pdfium's objects from another."""
    return ctypes.cast(item, ctypes.c_void_p).value or 0


def _look(page: Any) -> _Seen:
    seen = _Seen([], [], [], [])
    add_text, add_shape = seen.texts.append, seen.shapes.append
    red, green, blue, opacity = (ctypes.c_uint() for _ in range(4))
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    kind_of, colour_of = pdfium.FPDFPageObj_GetType, pdfium.FPDFPageObj_GetFillColor
    mode_of, drawn = pdfium.FPDFTextObj_GetTextRenderMode, pdfium.FPDFPath_GetDrawMode
    is_text, is_path = pdfium.FPDF_PAGEOBJ_TEXT, pdfium.FPDF_PAGEOBJ_PATH
    for order, (item, matrix) in enumerate(objects(page)):
        kind = kind_of(item)
        if kind == is_text:
            if colour_of(item, red, green, blue, opacity):
                colour, opaque = (red.value, green.value, blue.value), opacity.value
            else:
                colour, opaque = (0, 0, 0), 255
            add_text((order, item, matrix, mode_of(item), colour, opaque))
        elif kind == is_path:
            drawn(item, fill, stroke)
            if not fill.value:
                continue
            if not _is_rectangle(item):
                add_shape((item, matrix))
                continue
            colour_of(item, red, green, blue, opacity)
            if opacity.value >= 250:
                colour = (red.value, green.value, blue.value)
                seen.fills.append(Fill(_box(item, matrix), colour))
                seen.fill_orders.append(order)
            else:
                add_shape((item, matrix))
        else:
            add_shape((item, matrix))
    return seen


def _is_rectangle(item: Any) -> bool:
    """Whether a path is one box and no other shape."""
    count = pdfium.FPDFPath_CountSegments(item)
    if not 4 <= count <= 6:
        return False
    x, y = ctypes.c_float(), ctypes.c_float()
    last: tuple[float, float] | None = None
    for i in range(count):
        piece = pdfium.FPDFPath_GetPathSegment(item, i)
        kind = pdfium.FPDFPathSegment_GetType(piece)
        pdfium.FPDFPathSegment_GetPoint(piece, x, y)
        point = x.value, y.value
        if (i == 0) != (kind == pdfium.FPDF_SEGMENT_MOVETO) or kind == pdfium.FPDF_SEGMENT_BEZIERTO:
            return False
        if last is not None and abs(point[0] - last[0]) > 0.05 and abs(point[1] - last[1]) > 0.05:
            return False
        last = point
    return True


_EDGES = [ctypes.c_float() for _ in range(4)]  # pdfium is for one thread, and so are these


def _box(item: Any, matrix: Matrix | None) -> Box:
    pdfium.FPDFPageObj_GetBounds(item, *_EDGES)
    left, low, right, high = (edge.value for edge in _EDGES)
    if matrix is not None:
        xs, ys = zip(put(left, low, matrix), put(right, high, matrix), strict=True)
        left, right, low, high = min(xs), max(xs), min(ys), max(ys)
    return Box(left, -high, right, -low)


def _is_told(seen: _Seen, paint: Paint, order: int, colour: Colour, box: Box) -> bool:
    """Whether letters are told from what was painted under them."""
    x, y = box.middle
    before = bisect_left(seen.fill_orders, order)
    return unlike(colour, paint.at(x, y, before=before))


def _is_covered(box: Box, order: int, seen: _Seen) -> bool:
    """Whether a box of one colour was painted over all of it."""
    for i in range(bisect_left(seen.fill_orders, order), len(seen.fills)):
        cover = seen.fills[i].box
        if (
            cover.x0 <= box.x0 + 0.5
            and cover.x1 >= box.x1 - 0.5
            and cover.top <= box.top + 0.5
            and cover.bottom >= box.bottom - 0.5
        ):
            return True
    return False
