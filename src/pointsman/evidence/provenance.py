"""Where a piece of evidence comes from, as an id that a citation names and a person can read.

runbook.pdf#p3             a page, from 1
runbook.pdf#p3@72,90,523,140    a box on it: left, top, right, bottom in points
shot.png@10,20,300,40      a region of a picture, in its own pixels
guide.docx#b12             a block of a document without pages, from 1
metrics.csv#r17c4          a cell; rows and columns from 1, the head's row counted
metrics.csv#r17, #r17-r40, #r17c4-r20c6
book.xlsx#Costs!r17c4      a cell of a named sheet
app.log#L10233, #L10233-L10240    lines, from 1
"""

import re
from typing import NewType

import msgspec

from pointsman.domain.errors import UsageError

EvidenceId = NewType("EvidenceId", str)

_ODD = re.compile(r"[%#@!\s\x00-\x20\x7f-\xa0\ud800-\udfff]")  # written %23 and the like in names
_ESCAPES = re.compile(r"(?:%[0-9A-F]{2})+")
_NUMBER = r"(?:0|[1-9]\d{0,8})(?:\.[1-9])?"
_SIGNED = rf"(?:-(?=[0.]*[1-9]))?{_NUMBER}"
_COUNT = r"[1-9]\d{0,11}"
_BOX = rf"({_SIGNED}),({_SIGNED}),({_SIGNED}),({_SIGNED})"
_PAGE = re.compile(rf"p({_COUNT})(?:@{_BOX})?")
_BLOCK = re.compile(rf"b({_COUNT})")
_LINES = re.compile(rf"L({_COUNT})(?:-L({_COUNT}))?")
_CELLS = re.compile(rf"(?:([^!]+)!)?r({_COUNT})(?:c({_COUNT}))?(?:-r({_COUNT})(?:c({_COUNT}))?)?")
_REGION = re.compile(_BOX)

Corners = tuple[float, float, float, float]


class Whole(msgspec.Struct, frozen=True, tag="whole"):
    """All of a source."""


class PageBox(msgspec.Struct, frozen=True, tag="page"):
    """A page, from 1, or a box on it: left, top, right, bottom in points, to a tenth."""

    page: int
    box: Corners | None = None


class Region(msgspec.Struct, frozen=True, tag="region"):
    """A region of a picture: left, top, right, bottom in its pixels."""

    box: Corners


class Block(msgspec.Struct, frozen=True, tag="block"):
    """A block of a document without pages, from 1."""

    number: int


class Cells(msgspec.Struct, frozen=True, tag="cells"):
    """A cell, a row (`col` None), or all from one to another; from 1, ends inclusive."""

    row: int
    col: int | None = None
    row_end: int | None = None
    col_end: int | None = None
    sheet: str | None = None


class Lines(msgspec.Struct, frozen=True, tag="lines"):
    """Lines of a text, from 1, ends inclusive."""

    first: int
    last: int | None = None


Place = Whole | PageBox | Region | Block | Cells | Lines


class Provenance(msgspec.Struct, frozen=True):
    """A source's name and the place in it."""

    source: str
    place: Place = Whole()

    def __str__(self) -> str:
        return format_id(self)


def format_id(origin: Provenance) -> EvidenceId:
    """The id of a place. Law: `parse_id(format_id(x)) == x` for boxes to a tenth."""
    name = _named(origin.source)
    match origin.place:
        case Whole():
            return EvidenceId(name)
        case Region(box):
            return EvidenceId(f"{name}@{_corners(box)}")
        case PageBox(page, None):
            return EvidenceId(f"{name}#p{page}")
        case PageBox(page, box) if box is not None:
            return EvidenceId(f"{name}#p{page}@{_corners(box)}")
        case Block(number):
            return EvidenceId(f"{name}#b{number}")
        case Lines(first, last):
            return EvidenceId(f"{name}#L{first}" + (f"-L{last}" if last is not None else ""))
        case Cells() as cells:
            return EvidenceId(f"{name}#{_cells(cells)}")
        case _:
            raise AssertionError("a place is one of those above")


def parse_id(text: str) -> Provenance:
    """The place that an id names. Raises: UsageError where it names none."""
    if len(text) > 2000:
        raise _refused(text[:60] + "…", "it is longer than 2,000 characters")
    name, sign, place = _parted(text)
    source = _read(name, text)
    if not sign:
        return Provenance(source)
    if sign == "@":
        found = _REGION.fullmatch(place)
        if found is None:
            raise _refused(text, "a region is left,top,right,bottom")
        return Provenance(source, Region(_box(found.groups(), text)))
    return Provenance(source, _place(place, text))


def rounded(x0: float, top: float, x1: float, bottom: float) -> Corners:
    """A box as ids hold it, to a tenth."""
    return _tenth(x0), _tenth(top), _tenth(x1), _tenth(bottom)


def _tenth(value: float) -> float:
    return round(value, 1) + 0.0  # no negative zero


def _place(place: str, text: str) -> Place:
    if found := _PAGE.fullmatch(place):
        page, *corners = found.groups()
        return PageBox(int(page), _box(corners, text) if corners[0] is not None else None)
    if found := _BLOCK.fullmatch(place):
        return Block(int(found[1]))
    if found := _LINES.fullmatch(place):
        first, last = int(found[1]), int(found[2]) if found[2] else None
        if last is not None and last <= first:
            raise _refused(text, "the last line is not after the first")
        return Lines(first, last)
    if found := _CELLS.fullmatch(place):
        sheet, row, col, row_end, col_end = found.groups()
        if row_end is not None and (col is None) != (col_end is None):
            raise _refused(text, "one end names a column and the other none")
        ends = [int(n) if n else None for n in (col, row_end, col_end)]
        name = _read(sheet, text) if sheet else None
        cells = Cells(int(row), ends[0], ends[1], ends[2], sheet=name)
        if (cells.row_end or cells.row) < cells.row or (cells.col_end or 0) < (
            (cells.col or 0) if cells.row_end else 0
        ):
            raise _refused(text, "it ends before it begins")
        return cells
    raise _refused(text, "a place is p3, p3@box, b12, r17c4, Sheet!r17c4 or L10233")


def _parted(text: str) -> tuple[str, str, str]:
    at = min((i for i in (text.find("#"), text.find("@")) if i >= 0), default=-1)
    return (text, "", "") if at < 0 else (text[:at], text[at], text[at + 1 :])


def _named(name: str) -> str:
    """A name as ids write it: readable, with nothing in it that parts an id or a sentence."""
    return _ODD.sub(lambda odd: _escaped(odd[0]), name) or "%"


def _escaped(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogateescape"))


def _read(name: str, text: str) -> str:
    if name == "%":
        return ""
    source = _ESCAPES.sub(_unescaped, name)
    if not source or _named(source) != name:
        raise _refused(text, "its name is not written as ids write it: `%23` for `#`, and so on")
    return source


def _unescaped(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "surrogateescape")


def _corners(box: Corners) -> str:
    return ",".join(_shortest(value) for value in box)


def _shortest(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.1f}"


def _box(corners: "list[str | None] | tuple[str | None, ...]", text: str) -> Corners:
    x0, top, x1, bottom = (float(corner or 0) for corner in corners)
    if x1 < x0 or bottom < top:
        raise _refused(text, "a box is left,top,right,bottom")
    return x0, top, x1, bottom


def _cells(cells: Cells) -> str:
    sheet = f"{_named(cells.sheet)}!" if cells.sheet else ""
    first = f"r{cells.row}" + (f"c{cells.col}" if cells.col is not None else "")
    if cells.row_end is None:
        return sheet + first
    return f"{sheet}{first}-r{cells.row_end}" + (
        f"c{cells.col_end}" if cells.col_end is not None else ""
    )


def _refused(text: str, why: str) -> UsageError:
    return UsageError(
        f"`{text}` is no evidence id", why=why,
        next="ids look like runbook.pdf#p3, metrics.csv#r17c4, app.log#L10233",
    )  # fmt: skip
