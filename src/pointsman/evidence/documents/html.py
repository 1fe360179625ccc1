"""HTML as blocks: what a reader sees in its order, and what is hidden, told apart."""

import re
from collections.abc import Iterator
from typing import Any

from pointsman.evidence.bounded_child import Refused
from pointsman.evidence.documents.document import Block, Document, table_text
from pointsman.evidence.parts import Kind, TableCell

_SKIPPED = frozenset(
    ("script", "style", "template", "noscript", "head", "svg", "math", "object", "iframe")
)
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5",
    "h6", "header", "hr", "html", "legend", "li", "main", "nav", "ol", "option", "p", "pre",
    "section", "summary", "table", "td", "th", "tr", "ul",
))  # fmt: skip
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0+)?\s*(?:;|$)"
    r"|font-size\s*:\s*[01](?:px|pt|em|%)?\s*(?:;|$)"
    r"|(?:^|[;\s])color\s*:\s*(?:#fff(?:fff)?\b|white\b|transparent|rgba?\([^)]*,\s*0\s*\))"
    r"|(?:left|top|text-indent)\s*:\s*-\d{3,}",
    re.I,
)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_MOST_BLOCKS = 200_000
_MOST_SPAN = 1000


def read_html(content: bytes | str) -> Document:
    """Blocks of a page. Nothing it names is fetched. Raises: Refused."""
    from lxml import etree, html

    parser = html.HTMLParser(
        no_network=True, huge_tree=False, remove_comments=True, remove_pis=True,
        encoding="utf-8" if _is_utf8(content) else None,
    )  # fmt: skip
    try:
        root = html.document_fromstring(content, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise Refused("cannot be read", why=f"it is no HTML: {error}") from error
    titles = root.xpath("//head/title/text()")
    return Document(kind="html", blocks=tuple(_blocks(root)), title=" ".join(titles)[:500].strip())


def _is_utf8(content: bytes | str) -> bool:
    if isinstance(content, str):
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class _Flow:
    """Text as it comes, cut into blocks where an element breaks the line."""

    def __init__(self) -> None:
        self.done: list[Block] = []
        self._text: list[str] = []
        self._secret: list[str] = []

    def say(self, text: str, hidden: bool) -> None:
        (self._secret if hidden else self._text).append(text)

    def cut(self, level: int = 0) -> None:
        for parts, why in ((self._text, ""), (self._secret, "invisible")):
            text = _SPACE.sub(" ", "".join(parts)).strip()
            parts.clear()
            if text and len(self.done) < _MOST_BLOCKS:
                kind: Kind = "heading" if level and not why else "text"
                self.done.append(Block(kind=kind, text=text, hidden=why,
                                       level=level if not why else 0))  # fmt: skip


def _blocks(root: Any) -> list[Block]:
    flow = _Flow()
    stack: list[tuple[Any, bool, bool]] = [(root, False, False)]  # element, hidden, closing
    while stack:
        element, hidden, closing = stack.pop()
        tag = element.tag if isinstance(element.tag, str) else ""
        if closing:
            if tag in _BLOCKS or tag == "br":
                flow.cut(_level(tag))
            if element.tail and element is not root:
                flow.say(element.tail, hidden)
            continue
        unseen = hidden or _hides(element)
        if tag in _SKIPPED or not tag:
            stack.append((element, hidden, True))
            continue
        if tag in _BLOCKS:
            flow.cut()
        stack.append((element, hidden, True))
        if tag == "table" and not unseen and (cells := _cells(element)):
            flow.done.append(Block(kind="table", text=table_text(cells), cells=cells))
            continue
        if tag == "img" and element.get("alt"):
            flow.say(f" {element.get('alt')} ", unseen)
        if tag == "input" and element.get("type", "").lower() == "hidden":
            continue
        if element.text:
            flow.say(element.text, unseen)
        stack.extend((child, unseen, False) for child in reversed(element))
    flow.cut()
    return flow.done


def _level(tag: str) -> int:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit() else 0


def _hides(element: Any) -> bool:
    if element.get("hidden") is not None:
        return True
    style = element.get("style")
    return bool(style and _HIDING.search(style[:2000]))


def _cells(table: Any) -> tuple[TableCell, ...]:
    """A table's cells with their spans; () where it only lays out a page."""
    if table.find(".//table") is not None:
        return ()
    rows = [row for row in table.iter("tr")]
    taken: set[tuple[int, int]] = set()
    found: list[TableCell] = []
    for i, row in enumerate(rows):
        j = 0
        for cell in row.iterchildren("td", "th"):
            while (i, j) in taken:
                j += 1
            down, across = _span(cell, "rowspan"), _span(cell, "colspan")
            down = min(down, len(rows) - i)
            taken.update((i + k, j + m) for k in range(down) for m in range(across))
            found.append(TableCell(row=i, col=j, row_end=i + down - 1, col_end=j + across - 1,
                                   text=_text(cell)))  # fmt: skip
            j += across
            if len(taken) > _MOST_BLOCKS:
                return tuple(found)
    columns = max((cell.col_end for cell in found), default=0) + 1
    return tuple(found) if columns >= 2 and len(rows) >= 2 else ()


def _span(cell: Any, name: str) -> int:
    text = (cell.get(name) or "1").strip()
    return min(max(1, int(text)), _MOST_SPAN) if text.isascii() and text.isdigit() else 1


def _text(cell: Any) -> str:
    return _SPACE.sub(" ", "".join(_said(cell))).strip()


def _said(element: Any) -> Iterator[str]:
    for piece in element.iter():
        if not isinstance(piece.tag, str) or piece.tag in _SKIPPED or _hides(piece):
            continue
        yield piece.text or ""
        for child in piece:
            yield " " if isinstance(child.tag, str) and child.tag in ("br", "p", "div") else ""
            yield child.tail or ""
