"""A file as it comes in: multipart/form-data, read piece by piece into a growing blob."""

import re
from typing import TYPE_CHECKING

import msgspec

from pointsman.batches.store import Growing, Store
from pointsman.domain.errors import ExtraMissing, InvalidRequest, RequestTooLarge

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartParser

PARTS_MOST = 16
VALUE_MOST = 1024  # bytes of a field that is not the file
NAME_MOST = 255
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
SHORTEST_S, LONGEST_S = 3600, 2_592_000  # of expires_after, as OpenAI has them
EXPIRES = re.compile(r"[0-9]{1,9}")


class Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload says of its file."""

    name: str
    purpose: str
    expires_s: int | None


class Upload:
    """One upload. `feed` its body, `finish` it; `abandon` it where anything goes wrong.

    Args: content_type is the request's header; most_bytes bounds the file.
    Raises: InvalidRequest for what is not multipart, RequestTooLarge for a file over its bound,
        OSError from the disk.
    """

    def __init__(self, store: Store, content_type: bytes, *, most_bytes: int) -> None:
        self._parser = _parser(content_type, self)
        self._most = most_bytes
        self._values: dict[str, bytearray] = {}
        self._name: str | None = None
        self._parts = 0
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._disposition = b""
        self._into: bytearray | Growing | None = None
        self._ended = False
        self.file = self._file = store.begin()

    def feed(self, data: bytes) -> None:
        """The next piece of the body."""
        from python_multipart.exceptions import FormParserError

        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _nonsense(str(error)) from None

    def finish(self) -> Uploaded:
        """What was uploaded, once the body has ended."""
        if not self._ended:
            raise _nonsense("the body ends before its last boundary")
        if self._name is None:
            raise _missing("file")
        purpose = self._said("purpose")
        if purpose is None:
            raise _missing("purpose")
        if not self.file.size:
            raise InvalidRequest("the file is empty", param="file", code="empty_file")
        return Uploaded(name=self._name, purpose=purpose, expires_s=self._expires())

    def abandon(self) -> None:
        """Nothing is left of it."""
        self.file.abandon()

    # What the parser tells us.

    def on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > PARTS_MOST:
            raise _nonsense(f"more than {PARTS_MOST} parts")
        self._disposition = b""
        self._into = None

    def on_header_begin(self) -> None:
        self._header = (bytearray(), bytearray())

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def on_header_end(self) -> None:
        name, value = self._header
        if bytes(name).lower() == b"content-disposition":
            self._disposition = bytes(value)

    def on_headers_finished(self) -> None:
        from python_multipart.multipart import parse_options_header

        kind, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if kind != b"form-data" or not name:
            raise _nonsense("a part without `content-disposition: form-data; name=…`")
        if name == "file":
            if self._name is not None:
                raise _nonsense("two parts named `file`")
            said = options.get(b"filename", b"").decode("utf-8", "replace")
            self._name = _displayed(said) or "upload.jsonl"
            self._into = self._file
        else:
            if name in self._values:
                raise _nonsense(f"two parts named `{name[:64]}`")
            self._into = self._values.setdefault(name, bytearray())

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        into = self._into
        assert into is not None, "a part has headers before its data"
        if isinstance(into, Growing):
            if into.size + end - start > self._most:
                raise RequestTooLarge(
                    f"the file is over {self._most} bytes",
                    next="split it, or raise batches.max_file_mb",
                    param="file",
                    code="file_too_large",
                )
            into.write(data[start:end])
        elif len(into) + end - start > VALUE_MOST:
            raise _nonsense(f"a field over {VALUE_MOST} bytes that is not the file")
        else:
            into.extend(data[start:end])

    def on_end(self) -> None:
        self._ended = True

    # Inside.

    def _said(self, name: str) -> str | None:
        value = self._values.get(name)
        return None if value is None else value.decode("utf-8", "replace")

    def _expires(self) -> int | None:
        """Seconds after which the client wants the file gone."""
        anchor, seconds = self._said("expires_after[anchor]"), self._said("expires_after[seconds]")
        if anchor is None and seconds is None:
            return None
        whole = EXPIRES.fullmatch(seconds or "")
        return checked_expiry(anchor, int(whole[0]) if whole else None)


def checked_expiry(anchor: str | None, seconds: int | None) -> int:
    """The seconds of an `expires_after`. Raises: InvalidRequest."""
    if anchor != "created_at" or seconds is None or not SHORTEST_S <= seconds <= LONGEST_S:
        raise InvalidRequest(
            "`expires_after` wants the anchor `created_at` and seconds from "
            f"{SHORTEST_S} to {LONGEST_S}",
            param="expires_after",
            code="invalid_value",
        )
    return seconds


def _parser(content_type: bytes, upload: Upload) -> "MultipartParser":
    try:
        from python_multipart.multipart import MultipartParser, parse_options_header
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            "uploads need python-multipart, which is not installed",
            why=f"no module named {error.name!r}",
            next='pip install "pointsman[state]"',
            status=501,
        ) from None
    kind, options = parse_options_header(content_type.decode("latin-1"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data":
        raise _nonsense(f"the content type is {kind.decode('latin-1')[:64] or 'missing'}")
    if not _BOUNDARY.fullmatch(boundary):
        raise _nonsense("its boundary is missing or none that RFC 2046 knows")
    return MultipartParser(
        boundary,
        {
            "on_part_begin": upload.on_part_begin,
            "on_header_begin": upload.on_header_begin,
            "on_header_field": upload.on_header_field,
            "on_header_value": upload.on_header_value,
            "on_header_end": upload.on_header_end,
            "on_headers_finished": upload.on_headers_finished,
            "on_part_data": upload.on_part_data,
            "on_end": upload.on_end,
        },
    )


def _displayed(name: str) -> str:
    """A name as it may be shown: no folder, no control character."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(each if each.isprintable() else "\ufffd" for each in last)[:NAME_MOST]


def _missing(part: str) -> InvalidRequest:
    return InvalidRequest(
        f"the form has no part `{part}`",
        next="send multipart/form-data with `purpose` and `file`",
        param=part,
        code="missing_part",
    )


def _nonsense(why: str) -> InvalidRequest:
    return InvalidRequest(
        "the body is not a form with a file",
        why=why,
        next="send multipart/form-data with `purpose` and `file`",
        code="invalid_multipart",
    )
