"""What kind of document some bytes are, by the bytes first and the name second."""

import re
import zipfile
from io import BytesIO

from pointsman.evidence.bounded_child import Refused
from pointsman.evidence.documents.document import FileKind

_BY_NAME: dict[str, FileKind] = {
    "md": "markdown", "markdown": "markdown", "html": "html", "htm": "html", "xhtml": "html",
    "eml": "email", "txt": "text", "text": "text", "rst": "text",
}  # fmt: skip
_OFFICE: dict[str, FileKind] = {"word/": "docx", "ppt/": "pptx", "xl/": "xlsx"}
_HTML = re.compile(rb"^\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_HEADS = (b"Return-Path|Received|From|To|Subject|Date|MIME-Version|Message-ID|Delivered-To"
          b"|X-[\\w-]+|DKIM-Signature|Content-Type")  # fmt: skip
_MAIL = re.compile(rb"^(?:From |(?:" + _HEADS + rb"): ?\S)", re.I)


def kind_of(content: bytes, name: str = "") -> FileKind:
    """The kind of a document.

    Raises: Refused for what is empty, of a kind that is not read, or encrypted as a whole.
    """
    ending = name.rsplit(".", 1)[-1].lower() if "." in name else ""
    head = content[:4096]
    if not content.strip(b"\0 \t\r\n"):
        raise Refused("is empty")
    if b"%PDF-" in content[:1024]:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return _office(content)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e" in content:
            raise Refused("is encrypted", why="it is an Office document with a password",
                          next="save it without a password, and try again")  # fmt: skip
        raise Refused("is of an old kind", why="Office files from before 2007 are not read",
                      next="save it as .docx, .pptx or .xlsx")  # fmt: skip
    if b"\0" in head[:1024] and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Refused(
            "is of no kind that is read", why="it is neither text nor a known document",
            next="PDF, DOCX, PPTX, XLSX, HTML, Markdown, e-mail and text are read",
        )  # fmt: skip
    if ending in _BY_NAME:
        return _BY_NAME[ending]
    if _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "html"
    return "email" if _MAIL.match(head) else "text"


def _office(content: bytes) -> FileKind:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise Refused("cannot be read", why=f"its archive is broken: {error}") from error
    for folder, kind in _OFFICE.items():
        if any(entry.startswith(folder) for entry in names):
            return kind
    raise Refused("is of no kind that is read", why="it is an archive, but no Office document",
                  next="unpack it and send its files")  # fmt: skip
