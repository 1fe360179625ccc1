"""`pointsman evidence text`, `tables`, `parts`: what a document says, with where it says it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec

from pointsman.cli.output import json_option, note, print_json, printable, table
from pointsman.domain.errors import UsageError

if TYPE_CHECKING:
    from pointsman.evidence.documents.document import Document
    from pointsman.evidence.documents.reading import Want

_TEXT = """The text of a document, in reading order; a form feed stands between pages.

\b
Examples:
  pointsman evidence text --in runbook.pdf
  pointsman evidence text --in runbook.pdf --out runbook.txt

PDF, DOCX, PPTX, XLSX, HTML, Markdown, e-mail and plain text are read, in a child process that may
use a bounded memory and time and no network. Text that nobody sees who looks at the document
(invisible, in the colour of its ground, covered, outside the page) is left out and told of.
"""
_TABLES = """The tables of a document, each with its page, box and cells.

\b
Examples:
  pointsman evidence tables --in report.pdf
  pointsman evidence tables --in report.pdf --out tables.json

A JSON list of {page, bbox, confidence, cells}: pages count from 1, boxes are left, top, right,
bottom in points; rows and columns of cells count from 0, ends inclusive. In a PDF tables are found
by their lines where they have any, and by what is white between their words elsewhere.
"""
_PARTS = """A document as parts, each with an id that a citation can name.

\b
Examples:
  pointsman evidence parts runbook.pdf
  pointsman evidence parts runbook.pdf mail.eml --json

An id is like runbook.pdf#p3@72,90,523,140 (page and box), guide.docx#b12 (block),
costs.xlsx#Sheet1!r1-r200 (rows). Equal contents have one digest.
"""
_SHOWN = 60  # characters of a part in a table


class _Cell(msgspec.Struct):
    row: int
    col: int
    row_end: int
    col_end: int
    text: str


_file = click.option("--in", "path", required=True, help="A document.",
                     type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip


@click.command("text", help=_TEXT)
@_file
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A text file.")
@json_option
def text(path: Path, out: Path | None, as_json: bool) -> None:
    """Text."""
    from pointsman.evidence.documents.document import plain_text

    document = _read(path, "text")
    said = plain_text(document)
    if out is not None:
        with replaced(out) as file:
            file.write(said)
    if as_json:
        print_json({"kind": document.kind, "pages": document.pages, "remarks": document.remarks,
                    "text": said})  # fmt: skip
    elif out is None:
        click.echo(printable(said.replace("\f", "\n")), nl=False)
    else:
        note(f"{len(said)} characters are in {out}")


@click.command("tables", help=_TABLES)
@_file
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A JSON file.")
@json_option
def tables(path: Path, out: Path | None, as_json: bool) -> None:
    """Tables."""
    document = _read(path, "tables")
    found = [_table(block) for block in document.blocks if block.cells and not block.hidden]
    if out is not None:
        with replaced(out) as file:
            file.write(msgspec.json.encode(found).decode())
        note(f"{len(found)} tables are in {out}")
    if as_json:
        print_json(found)
    elif out is None:
        for each in found:
            _show(each)
        note(f"{len(found)} tables")


@click.command("parts", help=_PARTS)
@click.argument("paths", nargs=-1, required=True,
                type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@json_option
def parts(paths: tuple[Path, ...], as_json: bool) -> None:
    """Parts."""
    from pointsman.evidence.documents.document import parts_of

    found = [part for path in paths for part in parts_of(_read(path, "parts"), path.name)]
    if as_json:
        print_json(found)
        return
    rows = [[part.id, part.kind + (f" ({part.hidden})" if part.hidden else ""),
             printable(" ".join(part.text.split())[:_SHOWN])] for part in found]  # fmt: skip
    click.echo(table(["id", "kind", "text"], rows))


def _read(path: Path, want: "Want") -> "Document":
    from pointsman.evidence.documents.reading import read_document

    document = read_document(path, want=want)
    for remark in document.remarks:
        note(f"{path.name}: {remark}")
    return document


def _table(block: Any) -> dict[str, Any]:
    return {
        "page": block.page or 1,
        "bbox": block.box,
        "confidence": block.confidence,
        "cells": [_Cell(c.row, c.col, c.row_end, c.col_end, c.text) for c in block.cells],
    } | ({"sheet": block.sheet, "first_row": block.rows[0]} if block.sheet else {})


def _show(each: dict[str, Any]) -> None:
    cells: list[_Cell] = each["cells"]
    high, wide = max(c.row_end for c in cells) + 1, max(c.col_end for c in cells) + 1
    grid = [[""] * wide for _ in range(high)]
    for cell in cells:
        grid[cell.row][cell.col] = printable(" ".join(cell.text.split()))
    click.echo(f"page {each['page']}, {high} rows, {wide} columns")
    click.echo(table(grid[0], grid[1:]) + "\n")


@contextmanager
def replaced(path: Path) -> Iterator[IO[str]]:
    """A file that is there whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", errors="replace", newline="") as file:
            yield file
        os.replace(part, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written", why=str(error)) from error
    finally:
        part.unlink(missing_ok=True)
