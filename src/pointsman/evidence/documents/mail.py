"""E-mail as blocks: who wrote what to whom, then the body, then what is attached."""

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

from pointsman.evidence.bounded_child import Refused
from pointsman.evidence.documents.document import Block, Document
from pointsman.evidence.documents.html import read_html
from pointsman.evidence.documents.markdown import text_of

_HEADS = ("From", "To", "Cc", "Date", "Subject")
_MOST_PARTS = 200
_DEEPEST = 4


def read_mail(content: bytes) -> Document:
    """Blocks of a message; what is attached is named, and messages in it read. Raises: Refused."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    found = list(_blocks(message, 0))
    if not found:
        raise Refused("cannot be read", why="it is no e-mail: neither heads nor a body")
    return Document(kind="email", blocks=tuple(found), title=_head(message, "Subject"))


def _blocks(message: Any, depth: int) -> Iterator[Block]:
    heads = [f"{name}: {text}" for name in _HEADS if (text := _head(message, name))]
    if heads:
        yield Block(kind="heading", text="\n".join(heads), level=depth + 1)
    yield from _body(message)
    for number, attached in enumerate(_attached(message)):
        if number >= _MOST_PARTS:
            break
        if attached.get_content_type() == "message/rfc822" and depth < _DEEPEST:
            inner = attached.get_payload()
            if isinstance(inner, list) and inner:
                yield from _blocks(inner[0], depth + 1)
                continue
        name = _quietly(attached.get_filename) or "without a name"
        yield Block(kind="text", text=f"Attached: {name} ({attached.get_content_type()})")


def _head(message: Any, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())[:2000]
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):
        return ""  # the standard library's own reader of heads fails on some


def _quietly(do: Any) -> str:
    try:
        return str(do() or "")
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):
        return ""


def _body(message: Any) -> Iterator[Block]:
    try:
        body = message.get_body(("plain", "html"))
    except (ValueError, KeyError, AttributeError, TypeError, LookupError):
        body = None
    if body is None:
        return
    content = body.get_payload(decode=True)
    if not isinstance(content, bytes):
        return
    text = _decoded(content, body.get_content_charset())
    if body.get_content_type() == "text/html":
        yield from read_html(text).blocks
        return
    for part in text.split("\n\n"):
        if part.strip():
            yield Block(kind="text", text=part.strip("\n"))


def _decoded(content: bytes, charset: str | None) -> str:
    try:
        return content.decode(charset or "utf-8").replace("\r\n", "\n")
    except (LookupError, UnicodeDecodeError, ValueError):
        return text_of(content)


def _attached(message: Any) -> Iterator[EmailMessage]:
    try:
        yield from message.iter_attachments()
    except (ValueError, KeyError, AttributeError, TypeError):
        return
