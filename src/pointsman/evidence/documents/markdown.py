"""Markdown and plain text as blocks; only to be used in a bounded child."""

from typing import Any

from pointsman.evidence.documents.document import Block, Document, table_text
from pointsman.evidence.parts import TableCell

_MOST_BLOCKS = 200_000
_LEAVES = ("paragraph_open", "heading_open", "fence", "code_block", "html_block", "table_open")


def read_markdown(content: bytes) -> Document:
    """Headings, paragraphs, code and tables; HTML comments are hidden text."""
    from markdown_it import MarkdownIt

    source = text_of(content)
    lines = source.split("\n")
    found: list[Block] = []
    title = ""
    tokens = MarkdownIt("commonmark").enable("table").parse(source)
    for at, token in enumerate(tokens):
        if token.type not in _LEAVES or token.map is None or len(found) >= _MOST_BLOCKS:
            continue
        if token.type == "paragraph_open" and token.hidden is False and _in_table(tokens, at):
            continue
        text = "\n".join(lines[token.map[0] : token.map[1]]).strip()
        if token.type == "table_open":
            cells = _cells(tokens, at)
            found.append(Block(kind="table", text=table_text(cells), cells=cells))
        elif token.type == "heading_open":
            text = tokens[at + 1].content
            title = title or text
            found.append(Block(kind="heading", text=text, level=int(token.tag[1])))
        elif text:
            secret = "invisible" if token.type == "html_block" and text.startswith("<!--") else ""
            found.append(Block(kind="text", text=text, hidden=secret))
    return Document(kind="markdown", blocks=tuple(found), title=title)


def read_plain(content: bytes) -> Document:
    """Paragraphs of a plain text."""
    found = [part.strip("\n") for part in text_of(content).split("\n\n")]
    blocks = tuple(Block(kind="text", text=part) for part in found if part.strip())
    return Document(kind="text", blocks=blocks[:_MOST_BLOCKS])


def text_of(content: bytes) -> str:
    """Bytes as text: by its mark, as UTF-8, or as Windows' Latin letters; lines end in one way."""
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"),
                       (b"\xfe\xff", "utf-16-be")):  # fmt: skip
        if content.startswith(mark):
            text = content[len(mark) :].decode(name, "replace")
            break
    else:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = content.decode("cp1252", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


def _in_table(tokens: list[Any], at: int) -> bool:
    return at > 0 and tokens[at - 1].type in ("td_open", "th_open")


def _cells(tokens: list[Any], at: int) -> tuple[TableCell, ...]:
    found: list[TableCell] = []
    row, column = -1, 0
    for token in tokens[at + 1 :]:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            row, column = row + 1, 0
        elif token.type == "inline":
            found.append(TableCell(row=row, col=column, row_end=row, col_end=column,
                                   text=token.content))  # fmt: skip
            column += 1
    return tuple(found)
