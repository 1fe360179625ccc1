"""Where an upstream is and by which way it is reached, and the head of a request to it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from pointsman.backends.http_proxy import Proxy
from pointsman.backends.http_wire import Headers
from pointsman.domain.transport import UpstreamTls


@dataclass(frozen=True, kw_only=True)
class Way:
    """How an upstream is reached, where that is not plainly: its own TLS, a proxy."""

    tls: UpstreamTls | None = None  # paths are absolute; None: the system's trust
    proxy: Proxy | None = None


class Origin(NamedTuple):
    """Where an upstream is: `http://host:port/base_path`, the path without a slash at its end."""

    scheme: str
    host: str  # an IPv6 literal without its brackets
    port: int
    base_path: str = ""
    way: Way | None = None

    @classmethod
    def parse(cls, base_url: str, way: Way | None = None) -> "Origin":
        """The origin of a base URL. Raises: ValueError for what is not http(s)://host[:port]/…."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http address: {base_url}")
        if parts.query or parts.fragment or parts.username is not None:
            raise ValueError(f"a base URL is scheme, host, port and path alone: {parts.hostname}")
        if any(ord(character) <= 32 or ord(character) > 126 for character in base_url):
            raise ValueError("a base URL holds no spaces, control or non-ASCII characters")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(parts.scheme, parts.hostname, port, parts.path.rstrip("/"), way)

    @property
    def authority(self) -> str:
        """The Host header: the port is left out where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.scheme == "https" else 80)
        return host if usual else f"{host}:{self.port}"


def request_head(origin: Origin, verb: bytes, target: str, headers: Headers, body: bytes) -> bytes:
    """Request line to empty line. Raises: ValueError for what would break out of its line.

    Headers in a tuple are those of many requests: their lines are remembered.
    """
    lines = _known_lines if isinstance(headers, tuple) else _lines
    head = lines(origin, verb, target, headers)
    if body or verb not in (b"GET", b"HEAD"):
        return b"%bcontent-length: %d\r\n\r\n" % (head, len(body))
    return head + b"\r\n"


def _lines(origin: Origin, verb: bytes, target: str, headers: Headers) -> bytes:
    opening, breaks = _opening(origin, verb, target)
    parts = [opening]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    breaks += len(headers)
    head = b"".join(parts)
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks:
        raise ValueError("a header of the request holds a line break")
    return head


_known_lines = lru_cache(maxsize=1024)(_lines)


@lru_cache(maxsize=1024)
def _opening(origin: Origin, verb: bytes, target: str) -> tuple[bytes, int]:
    """Request line and Host, and how many lines they are.

    A proxy for plain http is told the whole address, and who asks; one for https is told neither
    here: the request passes through its tunnel.
    """
    path = origin.base_path + target
    if not path.startswith("/") or not path.isascii() or any(c <= " " or c == "\x7f" for c in path):
        raise ValueError(f"not a request target: {path!r}")
    proxy = origin.way.proxy if origin.way is not None and origin.scheme == "http" else None
    host = origin.authority.encode()
    whole = b"http://" + host if proxy is not None else b""
    opening = b"%b %b%b HTTP/1.1\r\nhost: %b\r\n" % (verb, whole, path.encode(), host)
    if proxy is None or proxy.authorization is None:
        return opening, 2
    return opening + b"proxy-authorization: " + proxy.authorization + b"\r\n", 3
