"""The words of HTTP/1.1 as the door speaks them: limits, request, head of an answer; no sockets."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpLimits:
    """Every bound of the door. Times in seconds, sizes in bytes."""

    max_header_bytes: int = 32 * 1024  # target, names and values of one request
    max_headers: int = 100
    max_body_bytes: int = 32 * 1024 * 1024
    header_timeout_s: float = 10.0  # from the first byte (or the connect) to the end of the head
    body_timeout_s: float = 60.0  # grace for a body, beyond which the minimum rate counts
    min_body_rate: int = 1024  # bytes per second
    idle_timeout_s: float = 75.0  # between two requests of one connection
    write_timeout_s: float = 60.0  # a reader that takes nothing for so long is cut off
    write_buffer_bytes: int = 256 * 1024  # `drain` waits above it
    max_unsent_bytes: int = 64 * 1024 * 1024  # a stream written without `drain` is cut here
    max_buffered_bytes: int = 256 * 1024 * 1024  # bodies, of all connections together
    max_connections: int = 4096
    max_pipelined: int = 8  # whole requests read ahead of the one being answered
    max_pipelined_bytes: int = 256 * 1024


class Request:
    """One whole request. Names of headers are lower-case; doubled ones are joined by a comma."""

    __slots__ = ("arrived", "body", "headers", "id", "method", "path", "peer", "query")

    method: str
    path: str  # raw: percent signs are kept, the query is not in it
    query: str  # without the question mark
    headers: dict[bytes, bytes]
    body: bytes
    peer: str | None  # address of the client's end of the connection
    arrived: float  # time.monotonic() at the end of the head (uvloop's time() is coarser)
    id: int  # counts up from 1 within one server


class Refusal(Exception):
    """The bytes are not a request we take; answered once, then the connection closes."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def error_body(message: str, *, kind: str, code: str) -> bytes:
    """An error in OpenAI's shape, as JSON."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return json.dumps({"error": error}).encode()


def render_head(status: int, date: bytes, headers: Headers, framing: bytes) -> bytes:
    """Status line to empty line.

    Args: `date` and `framing` are whole lines of ours; `framing` ends the head.
    Raises: ValueError if a name or value would break out of its line.
    Framing headers among `headers` are dropped: length and connection are ours to say.
    """
    parts = [STATUS_LINES.get(status) or _status_line(status), date]
    breaks = 2 + framing.count(b"\n")
    for name, value in headers:
        opening = _OPENINGS.get(name)
        if opening is None:
            opening = _opening(name)
        if opening:
            parts.append(opening + value + b"\r\n")
            breaks += 1
    parts.append(framing)
    head = b"".join(parts)
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks:
        raise ValueError("a header of the answer holds a line break")
    return head


def date_line() -> bytes:
    """The `date` header of this second."""
    return f"date: {formatdate(usegmt=True)}\r\n".encode()


def split_target(url: bytes) -> tuple[str, str]:
    """Path and query of a request target, both raw.

    Raises: Refusal for a target that is neither a path, `*` nor an absolute http address.
    """
    if url[:1] != b"/" and url != b"*":
        scheme, _, rest = url.partition(b"://")
        if scheme.lower() not in (b"http", b"https") or not rest:
            raise Refusal(400, "bad_request", "the request target is not a path")
        authority, slash, tail = rest.partition(b"/")
        if b"?" in authority:
            authority, _, tail = rest.partition(b"?")
            slash, tail = b"/?", tail
        url = (slash or b"/") + tail
    if b"#" in url:
        raise Refusal(400, "bad_request", "the request target carries a fragment")
    path, _, query = url.partition(b"?")
    return path.decode("latin-1"), query.decode("latin-1")


_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection", b"date", b"upgrade"))


_OPENINGS: dict[bytes, bytes] = {}  # `name: ` of names that were written; nothing of framing's
_MOST_OPENINGS = 512


def _opening(name: bytes) -> bytes:
    opening = b"" if name.lower() in _FRAMING else name + b": "
    if len(_OPENINGS) < _MOST_OPENINGS:
        _OPENINGS[name] = opening
    return opening


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINES = {status.value: _status_line(status.value) for status in HTTPStatus}
