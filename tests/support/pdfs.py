"""Small PDFs written by hand: words, boxes, lines and pictures where a test wants them."""

from collections.abc import Sequence
from typing import NamedTuple

WIDE, HIGH = 595, 842


class Content:
    """A page's drawing; places count in points from the top left, as boxes of evidence do."""

    def __init__(self) -> None:
        self.operators: list[str] = []

    def text(self, x: float, top: float, said: str, *, size: float = 10, mode: int = 0,
             colour: tuple[float, float, float] = (0, 0, 0)) -> "Content":  # fmt: skip
        safe = said.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        r, g, b = colour
        place = f"1 0 0 1 {x} {HIGH - top - size} Tm"
        self.operators.append(f"BT {r} {g} {b} rg {mode} Tr /F1 {size} Tf {place} ({safe}) Tj ET")
        return self

    def line(self, x0: float, top: float, x1: float, bottom: float) -> "Content":
        self.operators.append(f"0 0 0 RG 0.7 w {x0} {HIGH - top} m {x1} {HIGH - bottom} l S")
        return self

    def fill(self, x0: float, top: float, x1: float, bottom: float,
             colour: tuple[float, float, float] = (0, 0, 0)) -> "Content":  # fmt: skip
        r, g, b = colour
        self.operators.append(f"{r} {g} {b} rg {x0} {HIGH - bottom} {x1 - x0} {bottom - top} re f")
        return self

    def picture(self, x0: float, top: float, x1: float, bottom: float) -> "Content":
        self.operators.append(
            f"q {x1 - x0} 0 0 {bottom - top} {x0} {HIGH - bottom} cm "
            "BI /W 1 /H 1 /BPC 8 /CS /G ID \x80 EI Q"
        )
        return self


class Turned(NamedTuple):
    """A page that is shown turned by quarters, clockwise."""

    content: Content
    quarters: int


def pdf(pages: Sequence[Content | Turned], *, count: int | None = None, extra: str = "") -> bytes:
    """A file of pages. Args: count is what it says of their number; extra goes to the trailer."""
    bodies = ["<< /Type /Catalog /Pages 2 0 R >>", "",
              "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]  # fmt: skip
    kids = []
    for page in pages:
        content, turn = (page.content, page.quarters) if isinstance(page, Turned) else (page, 0)
        stream = "\n".join(content.operators)
        bodies.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDE} {HIGH}] /Rotate {90 * turn} "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {len(bodies)} 0 R >>"
        )
        kids.append(f"{len(bodies)} 0 R")
    bodies[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {count or len(kids)} >>"
    out, places = bytearray(b"%PDF-1.5\n"), []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start = len(out)
    out += f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n".encode()
    for place in places:
        out += f"{place:010d} 00000 n \n".encode()
    out += f"trailer\n<< /Size {len(bodies) + 1} /Root 1 0 R {extra} >>\n".encode("latin-1")
    return bytes(out + f"startxref\n{start}\n%%EOF\n".encode())


def locked() -> bytes:
    """A file that asks for a password."""
    secret = "".join(f"{n:02x}" for n in range(32))
    return pdf([Content().text(72, 72, "secret")],
               extra=f"/ID [<00><00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 "
                     f"/O <{secret}> /U <{secret}> >>")  # fmt: skip


TABLE = (("Service", "Requests", "Errors"), ("checkout", "1200", "37"), ("cart", "860", "2"),
         ("search", "5400", "11"))  # fmt: skip


def rows_of_words(content: Content, *, left: float = 72, top: float = 100) -> Content:
    """`TABLE` as words, without a line."""
    for i, row in enumerate(TABLE):
        for j, word in enumerate(row):
            content.text(left + 140 * j, top + 18 * i, word)
    return content


def ruled(content: Content, *, left: float = 72, top: float = 100) -> Content:
    """`TABLE` with lines around its cells."""
    rows_of_words(content, left=left, top=top)
    for i in range(len(TABLE) + 1):
        content.line(left - 6, top - 4 + 18 * i, left + 400, top - 4 + 18 * i)
    for x in (left - 6, left + 134, left + 274, left + 400):
        content.line(x, top - 4, x, top - 4 + 18 * len(TABLE))
    return content
