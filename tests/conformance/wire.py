"""A client that keeps every byte: raw HTTP/1.1 over one socket, and answers taken apart."""

import contextlib
import json
import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

PATIENCE_S = 30.0


class Event(NamedTuple):
    """One server-sent event as it came."""

    name: str  # "" where there was no `event:` line
    data: str

    @property
    def json(self) -> Any:
        """Its data, decoded. Raises: ValueError."""
        return json.loads(self.data)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer: its bytes as they came, and what they say."""

    raw: bytes  # head, framing and body
    status: int
    headers: tuple[tuple[str, str], ...]  # names lower-case
    body: bytes  # without framing
    whole: bool  # its framing came to the proper end

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def json(self) -> Any:
        """The body, decoded. Raises: ValueError."""
        return json.loads(self.body)

    @property
    def events(self) -> list[Event]:
        """The server-sent events of the body. Comments are no events."""
        found: list[Event] = []
        for block in self.body.decode("utf-8", "surrogateescape").split("\n\n"):
            lines = block.split("\n")
            data = [line[5:].removeprefix(" ") for line in lines if line.startswith("data:")]
            name = [line[6:].strip() for line in lines if line.startswith("event:")]
            if data:
                found.append(Event(name[-1] if name else "", "\n".join(data)))
        return found


class Broken(Exception):
    """No answer could be read; `raw` is what came."""

    def __init__(self, what: str, raw: bytes = b"") -> None:
        super().__init__(what)
        self.raw = raw


class Line:
    """One connection to the gateway."""

    def __init__(
        self,
        url: str,
        *,
        receive_bytes: int | None = None,
        heard: "Callable[[Answer], None] | None" = None,
    ) -> None:
        self._heard = heard
        where = urlsplit(url)
        self.host = where.netloc
        port = where.port or (443 if where.scheme == "https" else 80)
        raw = socket.socket(socket.AF_INET6 if ":" in str(where.hostname) else socket.AF_INET)
        if receive_bytes is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        raw.settimeout(PATIENCE_S)
        raw.connect((where.hostname, port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if where.scheme == "https":
            context = ssl.create_default_context()
            self._socket: socket.socket = context.wrap_socket(raw, server_hostname=where.hostname)
        else:
            self._socket = raw
        self._ahead = b""
        self._deadline = time.monotonic() + PATIENCE_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """Raises: OSError where the gateway has closed."""
        self._socket.sendall(data)

    def half_close(self) -> None:
        """Say that nothing more will be sent."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """FIN, both ways."""
        self._socket.close()

    def reset(self) -> None:
        """RST."""
        linger = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._socket.close()

    def read_until(self, mark: bytes) -> bytes:
        """Everything up to the mark; it stays to be read with the answer. Raises: Broken."""
        while mark not in self._ahead:
            if not self._more():
                raise Broken(f"the connection ended before {mark!r} came", self._ahead)
        return self._ahead

    def ended(self, patience_s: float = 5.0) -> bool:
        """Whether the gateway closes within that time, whatever it sends before."""
        self._deadline = time.monotonic() + patience_s
        try:
            while self._more():
                pass
        except Broken:
            return False
        finally:
            self._deadline = time.monotonic() + PATIENCE_S
        return True

    @property
    def unread(self) -> bytes:
        """What came and belongs to no answer that was read."""
        return self._ahead

    def answer(self, method: str = "POST") -> Answer:
        """The next answer, interim ones left out. Raises: Broken."""
        self._deadline = time.monotonic() + PATIENCE_S
        while True:
            head = self._take_until(b"\r\n\r\n")
            status, headers = _head(head)
            if status >= 200:
                break
        kept = bytearray(head)
        body, whole = self._body(method, status, dict(headers), kept)
        answer = Answer(raw=bytes(kept), status=status, headers=headers, body=body, whole=whole)
        if self._heard is not None:
            self._heard(answer)
        return answer

    def _body(
        self, method: str, status: int, headers: Mapping[str, str], kept: bytearray
    ) -> tuple[bytes, bool]:
        if method == "HEAD" or status in (204, 304):
            return b"", True
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._chunks(kept)
        if "content-length" in headers:
            wanted = int(headers["content-length"])
            while len(self._ahead) < wanted and self._more():
                pass
            body, self._ahead = self._ahead[:wanted], self._ahead[wanted:]
            kept += body
            return body, len(body) == wanted
        while self._more():
            pass
        body, self._ahead = self._ahead, b""
        kept += body
        return body, True

    def _chunks(self, kept: bytearray) -> tuple[bytes, bool]:
        body = bytearray()
        try:
            while True:
                line = self._take_until(b"\r\n")
                kept += line
                size = int(line.split(b";")[0], 16)
                piece = self._take(size + 2)
                kept += piece
                body += piece[:-2]
                if size == 0:
                    return bytes(body), True
        except Broken as broken:
            kept += broken.raw
            return bytes(body), False

    def _take_until(self, mark: bytes) -> bytes:
        while mark not in self._ahead:
            if not self._more():
                raise Broken("the connection ended", self._ahead)
        at = self._ahead.index(mark) + len(mark)
        taken, self._ahead = self._ahead[:at], self._ahead[at:]
        return taken

    def _take(self, size: int) -> bytes:
        pieces, have = [self._ahead], len(self._ahead)
        while have < size:
            self._ahead = b""
            if not self._more():
                raise Broken("the connection ended", b"".join(pieces))
            pieces.append(self._ahead)
            have += len(self._ahead)
        whole = b"".join(pieces)
        self._ahead = whole[size:]
        return whole[:size]

    def _more(self) -> bool:
        """Read on; False at the end. Raises: Broken where nothing comes for too long."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Broken(f"no end within {PATIENCE_S:.0f} s", self._ahead)
        self._socket.settimeout(left)
        data = b""
        with contextlib.suppress(ConnectionError):
            try:
                data = self._socket.recv(256 * 1024)
            except TimeoutError:
                raise Broken("nothing came any more", self._ahead) from None
        self._ahead += data
        return bool(data)


def render(
    method: str, path: str, host: str, headers: Mapping[str, str], body: bytes | None
) -> bytes:
    """The bytes of one ordinary request."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def _head(head: bytes) -> tuple[int, tuple[tuple[str, str], ...]]:
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    parts = first.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
        raise Broken(f"not an HTTP answer: {first!r}", head)
    fields = [line.partition(":") for line in lines]
    return int(parts[1]), tuple((name.strip().lower(), value.strip()) for name, _, value in fields)
