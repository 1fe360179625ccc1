"""A part: a piece of evidence with where it comes from, addressed by what it holds."""

from hashlib import sha256
from typing import Literal

import msgspec

from pointsman.evidence.provenance import EvidenceId, Provenance, format_id

Kind = Literal["text", "heading", "table", "image", "rows", "lines"]


class TableCell(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cell of a table; rows and columns from 0, ends inclusive."""

    row: int
    col: int
    row_end: int
    col_end: int
    text: str


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of evidence. `digest` is of what it holds and not of where it stands."""

    id: EvidenceId
    kind: Kind
    text: str
    digest: str
    cells: tuple[TableCell, ...] = ()
    hidden: str = ""  # why nobody sees it who looks at the source; "" where it is seen
    level: int = 0  # of a heading, from 1
    confidence: float = 1.0


def part(
    origin: Provenance,
    kind: Kind,
    text: str,
    *,
    cells: tuple[TableCell, ...] = (),
    hidden: str = "",
    level: int = 0,
    confidence: float = 1.0,
) -> Part:
    """A part with its id and digest."""
    return Part(id=format_id(origin), kind=kind, text=text, digest=digest(kind, text, cells),
                cells=cells, hidden=hidden, level=level, confidence=confidence)  # fmt: skip


def digest(kind: Kind, text: str, cells: tuple[TableCell, ...] = ()) -> str:
    """The address of what a part holds: equal parts of two sources have one."""
    held = msgspec.json.encode((kind, text.encode("utf-8", "surrogatepass"), cells))
    return f"sha256:{sha256(held).hexdigest()}"
