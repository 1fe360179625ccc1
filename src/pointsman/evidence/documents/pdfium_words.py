"""Words of a PDF's page as pdfium reads them; only to be used in a bounded child."""

import ctypes
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from math import pi
from typing import Any

import pypdfium2.raw as pdfium

from pointsman.evidence.layout.boxes import Box, Word, around

_MOST_CHARS = 200_000  # of a page that are looked at


_TINY = 1.5  # points: smaller letters are not for people
_LEADERS = re.compile(r"[.·…_]{4,}(?=\s|\d|$)")


def characters(textpage: Any) -> str:
    """The page's characters in pdfium's order, one for each of its own counts."""
    count = min(pdfium.FPDFText_CountChars(textpage), _MOST_CHARS)
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (count + 1))()
    written = pdfium.FPDFText_GetText(textpage, 0, count, buffer)
    text = bytes(buffer)[: 2 * max(0, written - 1)].decode("utf-16-le", "replace")
    if len(text) == count:
        return text
    codes = (pdfium.FPDFText_GetUnicode(textpage, i) for i in range(count))
    return "".join(chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else " "
                   for code in codes)  # fmt: skip


def words(textpage: Any, place: "Place", hidden: Collection[int] = ()) -> list[Word]:
    """Words with their boxes, in pdfium's order.

    Args: hidden are addresses of text objects that nobody sees.
    """
    text = characters(textpage)
    found: list[Word] = []
    for start, end in _spans(text):
        turned = (_quarters(textpage, start) - place.turned) % 4
        unseen = bool(hidden) and _address(textpage, start) in hidden
        first, last = box_of(textpage, start, place), box_of(textpage, end - 1, place)
        unseen = unseen or place.hides(first)
        if turned:
            boxes = [box_of(textpage, i, place) for i in range(start, end)]
            found.append(Word(text[start:end], around(boxes), unseen, turned))
        elif end - start > 1 and _is_torn(first, last, end - start):
            parts = _letter_by_letter(textpage, text, start, end, place)
            found += [part._replace(hidden=unseen) for part in parts]
        else:
            found.append(Word(text[start:end], around((first, last)), unseen))
    return found


def main_turn(found: Sequence[Word], place: "Place") -> int:
    """Quarters to turn the page by so that most words are upright; counted as PDF counts them."""
    counts = Counter((word.turned + place.turned) % 4 for word in found if len(word.text) > 1)
    best, most = max(counts.items(), key=lambda each: each[1], default=(place.turned, 0))
    return best if most > 0.7 * sum(counts.values()) else place.turned


def _quarters(textpage: Any, index: int) -> int:
    """How far a letter is turned against the clock, in quarters of a turn."""
    angle: float = pdfium.FPDFText_GetCharAngle(textpage, index)
    return round(-angle / (pi / 2)) % 4


def _address(textpage: Any, index: int) -> int:
    item = pdfium.FPDFText_GetTextObject(textpage, index)
    return ctypes.cast(item, ctypes.c_void_p).value or 0


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start = -1
    for i, letter in enumerate(text):
        blank = letter.isspace() or letter < " " or letter in "\ufffe\uffff"
        if blank and start >= 0:
            yield start, i
            start = -1
        elif not blank and start < 0:
            start = i
        if start >= 0 and i > start and _LEADERS.match(text, i):
            yield start, i  # dots that lead the eye are a word of their own
            start = i
    if start >= 0:
        yield start, len(text)


def _is_torn(first: Box, last: Box, letters: int) -> bool:
    """Letters that do not stand together: another line, or wide gaps."""
    height = max(first.height, 1.0)
    return (
        abs(first.middle[1] - last.middle[1]) > 0.5 * height
        or last.x1 - first.x0 > letters * height * 0.95
        or last.x0 < first.x0
    )


def _letter_by_letter(
    textpage: Any, text: str, start: int, end: int, place: "Place"
) -> Iterator[Word]:
    part, box = text[start], box_of(textpage, start, place)
    for i in range(start + 1, end):
        one = box_of(textpage, i, place)
        apart = one.x0 - box.x1
        if abs(one.middle[1] - box.middle[1]) > 0.5 * box.height or not (
            -box.width - one.height <= apart <= 0.35 * max(one.height, 1)
        ):
            yield Word(part, box)
            part, box = text[i], one
            continue
        part += text[i]
        box = around((box, one))
    yield Word(part, box)


def box_of(textpage: Any, index: int, place: "Place") -> Box:
    """The box of a character, with the room its font gives it."""
    rect = place.rect
    pdfium.FPDFText_GetLooseCharBox(textpage, index, rect)
    return place.box(rect.left, rect.bottom, rect.right, rect.top)


class Place:
    """From a PDF's coordinates to points from the top left corner of the page as it is seen."""

    def __init__(self, page: Any, turned: int | None = None) -> None:
        self.rect = pdfium.FS_RECTF()
        pdfium.FPDF_GetPageBoundingBox(page, self.rect)
        self._left, self._low = self.rect.left, self.rect.bottom
        self._right, self._high = self.rect.right, self.rect.top
        self.turned = pdfium.FPDFPage_GetRotation(page) if turned is None else turned  # quarters
        wide, high = self._right - self._left, self._high - self._low
        self.size: tuple[float, float] = (high, wide) if self.turned % 2 else (wide, high)

    def hides(self, box: Box) -> bool:
        """Whether a letter is too small to be read, or outside the page."""
        width, height = self.size
        return (
            (max(box.height, box.width) < _TINY and box.height > 0)
            or box.x1 < 0
            or box.bottom < 0
            or box.x0 > width
            or box.top > height
        )

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        """A rectangle of the PDF on the page."""
        match self.turned:
            case 1:
                return Box(bottom - self._low, left - self._left,
                           top - self._low, right - self._left)  # fmt: skip
            case 2:
                return Box(self._right - right, bottom - self._low,
                           self._right - left, top - self._low)  # fmt: skip
            case 3:
                return Box(self._high - top, self._right - right,
                           self._high - bottom, self._right - left)  # fmt: skip
            case _:
                return Box(left - self._left, self._high - top,
                           right - self._left, self._high - bottom)  # fmt: skip
