"""Fetching what a client names by URL, so that no engine does: checked addresses, bounds, pictures.

A name is resolved, its addresses are checked, and the socket goes to a checked address; each
redirect begins anew. No proxy takes part, and no credential is sent.
"""

import asyncio
from collections.abc import Sequence
from urllib.parse import urljoin, urlsplit

from pointsman.backends.http_dial import Address, DialError, Resolve, resolve
from pointsman.backends.http_pool import HttpPool, Origin, WireError
from pointsman.backends.public_addresses import is_public
from pointsman.domain.errors import InvalidRequest
from pointsman.domain.ports import Fetched
from pointsman.domain.task import MediaSettings

_REDIRECTS = 3
_MOVED = (301, 302, 303, 307, 308)
_AT_ONCE = 16  # fetches of all requests together
_URL_CHARS = 8192
_HEADERS = ((b"accept", b"*/*"), (b"user-agent", b"pointsman"))
# What a file begins with says what it is; what a server says of it does not count.
_MAGIC: tuple[tuple[bytes, int, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF87a", 0, "image/gif"),
    (b"GIF89a", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
    (b"BM", 0, "image/bmp"),
    (b"%PDF-", 0, "application/pdf"),
    (b"ftyp", 4, "video/mp4"),
    (b"\x1aE\xdf\xa3", 0, "video/webm"),
    (b"ID3", 0, "audio/mpeg"),
    (b"\xff\xfb", 0, "audio/mpeg"),
    (b"OggS", 0, "audio/ogg"),
    (b"WAVE", 8, "audio/wav"),
    (b"fLaC", 0, "audio/flac"),
)


class Fetcher:
    """Implements the port `Media`. Belongs to one loop; `close` ends its connections.

    Args: `resolve` is the system's; where a test puts another, addresses are checked all the same
    unless `public` says otherwise.
    """

    def __init__(self, *, resolve: Resolve = resolve, public: bool = True) -> None:
        self._resolve = resolve
        self._public = public
        self._pool: HttpPool | None = None
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, url: str, settings: MediaSettings, *, place: str, left: int) -> Fetched:
        """The bytes behind a URL, and what they are by their own beginning.

        Args: left bytes may still be fetched for this request; place is named in errors.
        Raises: InvalidRequest where the URL may not be fetched, or what is there cannot be used.
        """
        most = min(settings.max_bytes, left)
        try:
            async with (
                asyncio.timeout(settings.timeout_s),
                self._turns,
            ):  # its turn is waited for too
                data = await self._follow(url, settings, place, most)
        except TimeoutError:
            raise _refused(place, f"it took over {settings.timeout_s:g} s") from None
        kind = kind_of(data)
        if kind is None:
            raise _refused(place, "what is there is no picture, document, sound or film we know")
        return Fetched(kind=kind, data=data)

    async def close(self) -> None:
        """Let go of every connection."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def _follow(self, url: str, settings: MediaSettings, place: str, most: int) -> bytes:
        for _ in range(_REDIRECTS + 1):
            origin, target = _parsed(url, settings, place)
            pool = self._pool
            if pool is None:
                pool = self._pool = HttpPool(
                    max_connections_per_origin=4, max_idle_per_origin=0, resolve=self._checked
                )
            try:
                response = await pool.request(
                    origin, b"GET", target, _HEADERS, b"",
                    connect_timeout_s=settings.timeout_s, first_byte_timeout_s=settings.timeout_s,
                )  # fmt: skip
                with response:
                    if response.status in _MOVED:
                        url = urljoin(url, response.headers.get(b"location", b"").decode("latin-1"))
                        continue
                    if response.status != 200:
                        raise _refused(place, f"its server answered {response.status}")
                    return await response.read(limit=most, timeout_s=settings.timeout_s)
            except WireError as error:
                if error.kind == "too_large":
                    raise _refused(place, f"it is over {most} bytes") from error
                raise _refused(place, error.detail if self._tells(error) else "unreachable") from (
                    error
                )
            except ValueError as error:
                raise _refused(place, "it is no address that can be asked") from error
        raise _refused(place, f"it was sent on more than {_REDIRECTS} times")

    async def _checked(self, host: str, port: int) -> Sequence[Address]:
        """Only public addresses. Raises: DialError where a name has none."""
        found = await self._resolve(host, port)
        if not self._public:
            return found
        allowed = [each for each in found if is_public(each.host)]
        if found and not allowed:
            raise DialError(_NOT_PUBLIC)
        return allowed

    @staticmethod
    def _tells(error: WireError) -> bool:
        """What may be told: nothing from which this network could be mapped."""
        return _NOT_PUBLIC in error.detail


_NOT_PUBLIC = "its address is not a public one"


def kind_of(data: bytes) -> str | None:
    """The media type by a file's beginning, or None for what is none that models are given."""
    for magic, at, kind in _MAGIC:
        if data[at : at + len(magic)] == magic:
            return kind
    return None


def _parsed(url: str, settings: MediaSettings, place: str) -> tuple[Origin, str]:
    """Where a URL leads, if it may be followed. Raises: InvalidRequest."""
    if len(url) > _URL_CHARS:
        raise _refused(place, f"it is over {_URL_CHARS} characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused(place, "it is no URL") from error
    schemes = ("https", "http") if settings.plain_http else ("https",)
    if parts.scheme not in schemes:
        raise _refused(place, f"only {' and '.join(schemes)} are fetched")
    if parts.username is not None or parts.password is not None:
        raise _refused(place, "it names a user")
    if not parts.hostname:
        raise _refused(place, "it names no host")
    host = parts.hostname
    if settings.hosts and not any(_is_of(host, allowed) for allowed in settings.hosts):
        raise _refused(place, "its host is not among media.hosts")
    if port not in (None, 80, 443) and not settings.hosts:
        raise _refused(place, "only the usual ports are fetched from")
    default = 443 if parts.scheme == "https" else 80
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or any(ord(each) <= 32 for each in target):
        raise _refused(place, "its path is not written as a URL's is")
    return Origin(parts.scheme, host, port or default), target


def _is_of(host: str, allowed: str) -> bool:
    """`example.org` is itself; `*.example.org` is whatever lies below."""
    if allowed.startswith("*."):
        return host.endswith(allowed[1:]) and len(host) > len(allowed) - 1
    return host == allowed


def _refused(place: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        "The file at this URL cannot be used",
        why=why,
        next="give it in the request itself, as a data: URL",
        param=place,
        code="url_refused",
    )
