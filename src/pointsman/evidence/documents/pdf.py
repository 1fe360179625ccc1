"""A PDF's text, tables and page facts; only to be used in a bounded child."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import pypdfium2.raw as pdfium

from pointsman.evidence.bounded_child import Refused
from pointsman.evidence.documents.document import Block, Document, PageFacts, table_text
from pointsman.evidence.documents.pdfium_drawing import Drawing, drawing
from pointsman.evidence.documents.pdfium_hidden import Reason, hidden
from pointsman.evidence.documents.pdfium_text import page_text
from pointsman.evidence.documents.pdfium_words import Place, main_turn, words
from pointsman.evidence.layout.boxes import Box, Word, around, lines_of
from pointsman.evidence.layout.paint import edges
from pointsman.evidence.layout.reading import blocks
from pointsman.evidence.layout.tables import Page, Table, tables
from pointsman.evidence.parts import TableCell

Want = Literal["text", "tables", "parts"]

MOST_PAGES = 3000
_MOST_LETTERS = 40_000_000
_MOST_IMAGES = 500  # of a page
_ERRORS = {
    2: ("cannot be read", "it is no PDF, or a broken one"),
    3: ("cannot be read", "it is no PDF, or a broken one"),
    4: ("is encrypted", "it opens with a password only"),
    5: ("is encrypted", "it is protected in a way that pdfium does not know"),
}


def read_pdf(content: bytes, want: Want, *, share: tuple[int, int] = (0, 1)) -> Document:
    """Blocks of the pages and what is known of each.

    Args: share is which of how many equal runs of pages is read.
    Raises: Refused for what is damaged, encrypted or has too many pages.
    """
    with _opened(content) as file:
        count = pdfium.FPDF_GetPageCount(file)
        if count <= 0:
            raise Refused("cannot be read", why="it is a PDF without a page")
        if count > MOST_PAGES:
            raise Refused("is too long", why=f"{count} pages; at most {MOST_PAGES} are read",
                          next="send the chapter that matters")  # fmt: skip
        found: list[Block] = []
        facts: list[PageFacts] = []
        remarks: list[str] = []
        letters = 0
        part, of = share
        for index in range(count * part // of, count * (part + 1) // of):
            with _page(file, index) as loaded:
                if loaded is None:
                    remarks.append(f"page {index + 1} is damaged and was left out")
                    continue
                fact = _read_page(*loaded, index + 1, want, found)
            facts.append(fact)
            letters += fact.letters + fact.hidden_letters
            if letters > _MOST_LETTERS:
                raise Refused("holds too much", why=f"more than {_MOST_LETTERS} letters")
    return Document(kind="pdf", blocks=tuple(found), pages=tuple(facts), remarks=tuple(remarks))


@contextmanager
def _opened(content: bytes) -> Iterator[Any]:
    pdfium.FPDF_InitLibrary()
    if not content:
        raise Refused("is empty")
    buffer = ctypes.c_char_p(content)
    file = pdfium.FPDF_LoadMemDocument64(buffer, len(content), None)
    if not file:
        what, why = _ERRORS.get(pdfium.FPDF_GetLastError(), ("cannot be read", "it is broken"))
        raise Refused(what, why=why, next="save it anew without a password, and try again")
    try:
        yield file
    finally:
        pdfium.FPDF_CloseDocument(file)


@contextmanager
def _page(file: Any, index: int) -> Iterator[tuple[Any, Any] | None]:
    page = pdfium.FPDF_LoadPage(file, index)
    text = pdfium.FPDFText_LoadPage(page) if page else None
    try:
        yield (page, text) if text else None
    finally:
        if text:
            pdfium.FPDFText_ClosePage(text)
        if page:
            pdfium.FPDF_ClosePage(page)


def _read_page(page: Any, text: Any, number: int, want: Want, found: list[Block]) -> PageFacts:
    place = Place(page)
    unseen = hidden(page)
    if want == "text":
        said, in_order = page_text(text, place, unseen)
        if not in_order:
            said = _ordered(words(text, place, unseen))
        if said:
            found.append(Block(kind="text", text=said, page=number))
        images = 0.0 if said else _covered(drawing(page, place), place)
        return PageFacts(number=number, width=place.size[0], height=place.size[1],
                         letters=len(said), images=images, in_order=in_order)  # fmt: skip
    spoken = words(text, place, unseen)
    turn = main_turn(spoken, place)
    if turn != place.turned:
        place = Place(page, turn)
        spoken = words(text, place, unseen)
    drawn = drawing(page, place)
    made = tables(Page(spoken, [*drawn.rules, *edges(drawn.fills)], drawn.slants,
                       Box(0, 0, *place.size)))  # fmt: skip
    found += _blocks(spoken, made, number, unseen) if want == "parts" else [
        _table_block(table, number) for table in made
    ]  # fmt: skip
    return PageFacts(
        number=number, width=place.size[0], height=place.size[1],
        letters=sum(len(w.text) for w in spoken if not w.hidden),
        hidden_letters=sum(len(w.text) for w in spoken if w.hidden),
        images=_covered(drawn, place), drawn=len(drawn.slants), tables=len(made),
        table_confidence=min((t.confidence for t in made), default=1.0),
    )  # fmt: skip


def _covered(drawn: Drawing, place: Place) -> float:
    """The share of a page that pictures cover; overlapping ones are counted once at most."""
    width, height = place.size
    area = 0.0
    for box in drawn.images[:_MOST_IMAGES]:
        across = min(box.x1, width) - max(box.x0, 0.0)
        area += max(0.0, across) * max(0.0, min(box.bottom, height) - max(box.top, 0.0))
    return round(min(1.0, area / max(1.0, width * height)), 3)


def _ordered(spoken: Sequence[Word]) -> str:
    """Text by where it stands, for pages whose own order cannot be followed."""
    seen = [word for word in spoken if not word.hidden]
    return "\n".join(
        " ".join(word.text for word in line.words)
        for block in blocks(seen)
        for line in lines_of(block, gap=0.9)
    )


def _blocks(
    spoken: Sequence[Word], made: Sequence[Table], number: int, unseen: dict[int, Reason]
) -> list[Block]:
    """Paragraphs and tables of a page in reading order, then what is hidden."""
    left = [w for w in spoken if not w.hidden
            and not any(t.box.grown(2).holds(*w.box.middle) for t in made)]  # fmt: skip
    found: list[tuple[Box, Block]] = []
    for block in blocks(left):
        found += _paragraphs(block, number)
    for table in made:
        at = next((i for i, (box, _) in enumerate(found)
                   if box.top > table.box.top and box.x0 < table.box.x1), len(found))  # fmt: skip
        found.insert(at, (table.box, _table_block(table, number)))
    done = [block for _, block in found]
    secret = [word for word in spoken if word.hidden]
    if secret:
        why = ", ".join(sorted(set(unseen.values()))) or "tiny or outside the page"
        done.append(Block(kind="text", text=" ".join(word.text for word in secret), page=number,
                          box=around(w.box for w in secret), hidden=why))  # fmt: skip
    return done


def _paragraphs(block: Sequence[Word], number: int) -> list[tuple[Box, Block]]:
    groups: list[list[Any]] = []
    for line in lines_of(block, gap=0.9):
        last = groups[-1][-1] if groups else None
        if (
            last is None
            or line.box.top - last.box.bottom > 0.45 * line.size
            or (abs(line.size - last.size) > 0.25 * last.size)
        ):
            groups.append([])
        groups[-1].append(line)
    found = []
    for group in groups:
        box = around(line.box for line in group)
        text = "\n".join(" ".join(word.text for word in line.words) for line in group)
        found.append((box, Block(kind="text", text=text, page=number, box=box)))
    return found


def _table_block(table: Table, number: int) -> Block:
    cells = tuple(TableCell(row=c.row, col=c.col, row_end=c.row_end, col_end=c.col_end, text=c.text)
                  for c in table.cells)  # fmt: skip
    return Block(kind="table", text=table_text(cells), page=number, box=table.box,
                 cells=cells, confidence=table.confidence)  # fmt: skip
