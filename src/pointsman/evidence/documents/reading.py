"""Documents read in a bounded child: the one way from a file to its blocks."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Literal

import msgspec

from pointsman.domain.errors import DocumentRefused
from pointsman.evidence.bounded import USUAL, Bounds, work
from pointsman.evidence.documents.document import Document

Want = Literal["text", "tables", "parts"]

_CHILD = "pointsman.evidence.documents.child"
_SHARED_FROM = 400_000  # bytes of a PDF from which two children read half of its pages each
_SCAN = 0.3  # of a page that pictures cover


def read_document(path: Path, *, want: Want = "parts", bounds: Bounds = USUAL) -> Document:
    """What a file holds. Raises: DocumentRefused, ExtraMissing, OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        shared = size > _SHARED_FROM and b"%PDF-" in file.read(1024) and (os.cpu_count() or 1) > 1
        if not shared:
            return _read(file, path.name, want, bounds)
        with ThreadPoolExecutor(2) as pool, path.open("rb") as other:
            halves = [
                pool.submit(_child, each, path.name, want, bounds, (i, 2))
                for i, each in enumerate((file, other))
            ]
            return _judged(_joined([half.result() for half in halves]), path.name)


def read_document_bytes(
    content: bytes, *, name: str, want: Want = "parts", bounds: Bounds = USUAL
) -> Document:
    """The same of bytes that came from elsewhere; name tells the kind where they do not."""
    return _read(content, name, want, bounds)


def _read(content: "IO[bytes] | bytes", name: str, want: Want, bounds: Bounds) -> Document:
    return _judged(_child(content, name, want, bounds, (0, 1)), name)


def _child(
    content: "IO[bytes] | bytes", name: str, want: Want, bounds: Bounds, share: tuple[int, int]
) -> Document:
    said = work(_CHILD, content, name=name, bounds=bounds,
                options={"name": name, "want": want, "share": share})  # fmt: skip
    try:
        return msgspec.json.decode(said, type=Document)
    except msgspec.DecodeError as error:  # of our own making, but of a process that strangers fed
        raise DocumentRefused(f"{name} cannot be read", why=f"its reader said {error}") from error


def _joined(halves: Sequence[Document]) -> Document:
    first = halves[0]
    return Document(
        kind=first.kind, title=first.title,
        blocks=tuple(block for half in halves for block in half.blocks),
        pages=tuple(page for half in halves for page in half.pages),
        remarks=tuple(remark for half in halves for remark in half.remarks),
    )  # fmt: skip


def _judged(document: Document, name: str) -> Document:
    """The document with remarks.

    Raises: DocumentRefused where no page of a PDF could be read, or all are pictures.
    """
    if document.kind != "pdf":
        unseen = sum(1 for block in document.blocks if block.hidden)
        more = (f"text that nobody sees is in {unseen} part(s)",) if unseen else ()
        return msgspec.structs.replace(document, remarks=(*document.remarks, *more))
    if not document.pages:
        raise DocumentRefused(f"{name} cannot be read", why="all its pages are damaged",
                              next="save it anew, and try again")  # fmt: skip
    remarks = list(document.remarks)
    scans = [page for page in document.pages if not page.letters and page.images > _SCAN]
    if len(scans) == len(document.pages):
        raise DocumentRefused(
            f"{name} is a scan", why=f"its {len(scans)} page(s) are pictures without text",
            next="send its pages as images to a model that sees, or read them by OCR first",
        )  # fmt: skip
    if scans:
        remarks.append(f"{len(scans)} page(s) are pictures without text: "
                       + _listed([page.number for page in scans]))  # fmt: skip
    secret = [page.number for page in document.pages if page.hidden_letters]
    if secret:
        remarks.append(f"text that nobody sees is on page {_listed(secret)}")
    return msgspec.structs.replace(document, remarks=tuple(remarks))


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:12]))
    return shown + (f" and {len(numbers) - 12} more" if len(numbers) > 12 else "")
