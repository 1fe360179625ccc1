"""What a document holds, whatever its kind: blocks in reading order, and facts of its pages."""

from typing import Literal

import msgspec

from pointsman.evidence.parts import Kind, Part, TableCell, part
from pointsman.evidence.provenance import Block as BlockPlace
from pointsman.evidence.provenance import Cells, PageBox, Place, Provenance, rounded

FileKind = Literal["pdf", "docx", "pptx", "xlsx", "html", "markdown", "email", "text"]


class Block(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of a document in its reading order."""

    kind: Kind
    text: str
    page: int = 0  # from 1; 0 where the document has no pages
    box: tuple[float, float, float, float] | None = None  # points from the top left
    cells: tuple[TableCell, ...] = ()
    hidden: str = ""
    level: int = 0
    confidence: float = 1.0
    sheet: str = ""
    rows: tuple[int, int] = (0, 0)  # first and last row of a sheet, from 1


class PageFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What decides how a page is sent."""

    number: int
    width: float = 0.0  # points
    height: float = 0.0
    letters: int = 0  # that are seen
    hidden_letters: int = 0
    images: float = 0.0  # share of the page that pictures cover, from 0 to 1
    drawn: int = 0  # curves and slanted lines: charts have many
    tables: int = 0
    table_confidence: float = 1.0  # of the least sure one
    in_order: bool = True  # whether the file's own order of its text could be followed


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document as read."""

    kind: FileKind
    blocks: tuple[Block, ...] = ()
    pages: tuple[PageFacts, ...] = ()
    remarks: tuple[str, ...] = ()
    title: str = ""


def parts_of(document: Document, source: str) -> list[Part]:
    """The blocks as parts with ids; a block without a page is counted from 1."""
    return [
        part(Provenance(source, _place(block, number)), block.kind, block.text, cells=block.cells,
             hidden=block.hidden, level=block.level, confidence=block.confidence)
        for number, block in enumerate(document.blocks, 1)
    ]  # fmt: skip


def _place(block: Block, number: int) -> Place:
    if block.sheet:
        first, last = block.rows
        return Cells(first, None, last if last > first else None, sheet=block.sheet)
    if block.page:
        return PageBox(block.page, rounded(*block.box) if block.box is not None else None)
    return BlockPlace(number)


def plain_text(document: Document) -> str:
    """What is seen of a document, as text: a form feed after each page but the last."""
    out: list[str] = []
    page = 0
    for block in document.blocks:
        if block.hidden:
            continue
        if block.page > page:
            if page:
                out.append("\f" * (block.page - page))
            page = block.page
        out.append(block.text + "\n")
    return "".join(out)


def table_text(cells: tuple[TableCell, ...]) -> str:
    """A table as lines, its cells parted by tabs."""
    rows: dict[int, list[str]] = {}
    for cell in sorted(cells, key=lambda each: (each.row, each.col)):
        rows.setdefault(cell.row, []).append(" ".join(cell.text.split()))
    return "\n".join("\t".join(row) for _, row in sorted(rows.items()))
