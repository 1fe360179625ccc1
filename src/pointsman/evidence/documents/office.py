"""DOCX, PPTX and XLSX as blocks; only to be used in a bounded child."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Any, Literal

from pointsman.evidence.bounded_child import Refused
from pointsman.evidence.documents.archives import check_archive
from pointsman.evidence.documents.document import Block, Document, PageFacts, table_text
from pointsman.evidence.parts import TableCell

_MOST_BLOCKS = 200_000
_MOST_CELLS = 2_000_000  # of a workbook
_ROWS = 200  # of a sheet in one block
_EMU = 12_700  # of Office's units in a point


def read_office(content: bytes, kind: Literal["docx", "pptx", "xlsx"]) -> Document:
    """Blocks of an Office document. Raises: Refused."""
    check_archive(content)
    read = {"docx": _docx, "pptx": _pptx, "xlsx": _xlsx}[kind]
    try:
        return read(content)
    except (ImportError, MemoryError, Refused, RecursionError):
        raise
    except Exception as error:  # each library has errors of its own
        raise _broken(error) from error


def _broken(error: Exception) -> Refused:
    return Refused("cannot be read", why=f"it is a broken Office document: {str(error)[:200]}",
                   next="open it and save it anew")  # fmt: skip


def _docx(content: bytes) -> Document:
    import docx
    from docx.table import Table

    file = docx.Document(BytesIO(content))
    found: list[Block] = []
    for item in file.iter_inner_content():
        if len(found) >= _MOST_BLOCKS:
            break
        if isinstance(item, Table):
            cells = tuple(_docx_cells(item))
            if cells:
                found.append(Block(kind="table", text=table_text(cells), cells=cells))
        else:
            found += _docx_paragraph(item)
    title = file.core_properties.title or ""
    return Document(kind="docx", blocks=tuple(found), title=title)


def _docx_paragraph(paragraph: Any) -> Iterator[Block]:
    seen = "".join(run.text for run in _runs(paragraph) if not _is_hidden(run))
    secret = "".join(run.text for run in _runs(paragraph) if _is_hidden(run))
    style = (paragraph.style.name if paragraph.style is not None else "") or ""
    if seen.strip():
        level = int(style[-1]) if style.startswith("Heading ") and style[-1].isdigit() else 0
        level = 1 if style == "Title" else level
        yield Block(kind="heading" if level else "text", text=seen.strip(), level=level)
    if secret.strip():
        yield Block(kind="text", text=secret.strip(), hidden="invisible")


def _runs(paragraph: Any) -> Iterator[Any]:
    for item in paragraph.iter_inner_content():
        if hasattr(item, "runs"):  # a link
            yield from item.runs
        else:
            yield item


def _is_hidden(run: Any) -> bool:
    font = run.font
    if font.hidden or (font.size is not None and font.size.pt < 2):
        return True
    return font.color is not None and font.color.rgb is not None and str(font.color.rgb) == "FFFFFF"


def _docx_cells(table: Any) -> Iterator[TableCell]:
    seen: set[int] = set()
    spans: dict[int, list[tuple[int, int]]] = {}
    cells: dict[int, Any] = {}
    for i, row in enumerate(table.rows):
        for j, cell in enumerate(row.cells):
            key = id(cell._tc)
            spans.setdefault(key, []).append((i, j))
            cells[key] = cell
    for key, places in spans.items():
        if key not in seen:
            seen.add(key)
            rows, columns = zip(*places, strict=True)
            yield TableCell(row=min(rows), col=min(columns), row_end=max(rows),
                            col_end=max(columns), text=cells[key].text)  # fmt: skip


def _pptx(content: bytes) -> Document:
    import pptx

    file = pptx.Presentation(BytesIO(content))
    wide, high = (file.slide_width or 0) / _EMU, (file.slide_height or 0) / _EMU
    found: list[Block] = []
    pages: list[PageFacts] = []
    for number, slide in enumerate(file.slides, 1):
        before = len(found)
        secret = "invisible" if slide._element.get("show") == "0" else ""
        for shape in sorted(_shapes(slide.shapes), key=lambda s: (s.top or 0, s.left or 0)):
            found += _shape(shape, number, secret)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            notes = slide.notes_slide.notes_text_frame.text.strip()
            if notes:
                found.append(Block(kind="text", text=f"Notes: {notes}", page=number))
        letters = sum(len(block.text) for block in found[before:] if not block.hidden)
        pages.append(PageFacts(number=number, width=wide, height=high, letters=letters))
        if len(found) > _MOST_BLOCKS:
            break
    return Document(kind="pptx", blocks=tuple(found), pages=tuple(pages))


def _shapes(shapes: Any, depth: int = 0) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes") and depth < 8:
            yield from _shapes(shape.shapes, depth + 1)
        else:
            yield shape


def _shape(shape: Any, number: int, secret: str) -> Iterator[Block]:
    corners = (shape.left, shape.top, shape.width, shape.height)
    box = None
    if all(value is not None for value in corners):
        left, top, width, height = (float(value) / _EMU for value in corners)
        box = (left, top, left + width, top + height)
    if getattr(shape, "has_table", False) and shape.has_table:
        cells = tuple(
            TableCell(row=i, col=j, row_end=i + max(1, cell.span_height) - 1,
                      col_end=j + max(1, cell.span_width) - 1, text=cell.text)
            for i, row in enumerate(shape.table.rows) for j, cell in enumerate(row.cells)
            if not cell.is_spanned
        )  # fmt: skip
        yield Block(kind="table", text=table_text(cells), cells=cells, page=number, box=box,
                    hidden=secret)  # fmt: skip
    elif getattr(shape, "has_text_frame", False) and shape.text_frame.text.strip():
        is_title = "title" in (shape.name or "").lower()
        yield Block(kind="heading" if is_title else "text", text=shape.text_frame.text.strip(),
                    page=number, box=box, level=1 if is_title else 0, hidden=secret)  # fmt: skip


def _xlsx(content: bytes) -> Document:
    import python_calamine

    book = python_calamine.CalamineWorkbook.from_filelike(BytesIO(content))
    found: list[Block] = []
    remarks: list[str] = []
    left = _MOST_CELLS
    for sheet in book.sheets_metadata:
        if sheet.typ != python_calamine.SheetTypeEnum.WorkSheet:
            continue
        secret = "" if sheet.visible == python_calamine.SheetVisibleEnum.Visible else "invisible"
        rows: list[list[str]] = []
        first = 1
        for number, row in enumerate(book.get_sheet_by_name(sheet.name).iter_rows(), 1):
            left -= len(row)
            if left < 0:
                remarks.append(f"sheet {sheet.name} was read up to row {number - 1}")
                break
            rows.append([_value(value) for value in row])
            if len(rows) == _ROWS:
                found.append(_rows(sheet.name, first, rows, secret))
                rows, first = [], number + 1
        if rows:
            found.append(_rows(sheet.name, first, rows, secret))
        if left < 0:
            break
    kept = tuple(block for block in found if block.text.strip())
    return Document(kind="xlsx", blocks=kept, remarks=tuple(remarks))


def _rows(sheet: str, first: int, rows: Sequence[Sequence[str]], secret: str) -> Block:
    cells = tuple(
        TableCell(row=i, col=j, row_end=i, col_end=j, text=text)
        for i, row in enumerate(rows) for j, text in enumerate(row) if text
    )  # fmt: skip
    return Block(kind="rows", text=table_text(cells), cells=cells, sheet=sheet,
                 rows=(first, first + len(rows) - 1), hidden=secret)  # fmt: skip


def _value(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case float() if value == int(value) and abs(value) < 1e15:
            return str(int(value))
        case datetime() | date() | time():
            return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
        case timedelta():
            return str(value)
        case _:
            return str(value)
