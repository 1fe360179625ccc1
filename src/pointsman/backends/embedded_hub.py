"""The Hugging Face hub over HTTPS: what a file must be, where its bytes are, and those bytes.

Blocking, standard library only. Storing what comes is `embedded_download`'s work.
"""

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from pointsman.domain.errors import ConfigurationError, UpstreamError

_SHA256 = re.compile(r'(?:W/)?"?([0-9a-f]{64})"?')
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 5
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Hub:
    """Where files come from and go to. The caller reads HF_ENDPOINT and HF_TOKEN."""

    cache_dir: Path
    endpoint: str = "https://huggingface.co"
    token: str | None = field(default=None, repr=False)
    timeout_s: float = 30.0  # of one read, not of the download
    attempts: int = 5  # in a row without a byte
    retry_delay_s: float = 1.0  # doubled each time
    proxies: Mapping[str, str] | None = None  # None: the system's


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """A file of a repository at a revision (a branch, tag or commit)."""

    repo: str
    revision: str
    path: str

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}/{self.path}"


@dataclass(frozen=True, kw_only=True)
class Source:
    """What the hub says of a file: where its bytes are for now, and what they must be."""

    url: str
    size: int
    sha256: str


class Cut(Exception):
    """The hub could not be reached or broke off; asking again may help."""


class HubClient:
    """Speaks to one hub; the token goes to its own origin only, never along a redirect."""

    def __init__(self, hub: Hub) -> None:
        _require_https(hub.endpoint)
        self._hub = hub
        proxies = urllib.request.ProxyHandler(None if hub.proxies is None else dict(hub.proxies))
        self._opener = urllib.request.build_opener(proxies, _NoRedirect)

    def source(self, file: HubFile) -> Source:
        """Ask what the file is; the first answer that names a sha256 counts.

        Raises: ConfigurationError when it is not there or not for us, UpstreamError when the hub
        names no checksum, Cut.
        """
        path = quote(f"{file.repo}/resolve/{file.revision}/{file.path}")
        url = f"{self._hub.endpoint.rstrip('/')}/{path}"
        for _ in range(_MOST_REDIRECTS):
            with self._open(file, url, method="HEAD") as answer:
                told: Message = answer.headers
            if "Location" in told:
                url = urljoin(url, told["Location"])
                _require_https(url)
            etag = _SHA256.fullmatch(told.get("X-Linked-Etag") or told.get("ETag") or "")
            size = told.get("X-Linked-Size") or told.get("Content-Length") or ""
            if etag is not None and size.isdigit():
                return Source(url=url, size=int(size), sha256=etag[1])
            if "Location" not in told:
                break
        raise UpstreamError(
            f"'{file}' cannot be checked",
            why=f"{self._hub.endpoint} names no sha256 and size for it",
            next="download it yourself and give its path",
        )

    def read(self, file: HubFile, source: Source, *, offset: int) -> Iterator[tuple[int, bytes]]:
        """The bytes from an offset on, as (position, bytes).

        The first position is 0, not the offset, when the server cannot resume.
        Raises: Cut when they end early, or what `source` raises.
        """
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        url = source.url
        for _ in range(_MOST_REDIRECTS):
            with self._open(file, url, headers=headers) as answer:
                if answer.status in _REDIRECTS:
                    url = urljoin(url, answer.headers["Location"] or "")
                    _require_https(url)
                    continue
                position = offset if answer.status == 206 else 0
                if answer.status == 206 and not _starts_at(answer.headers, offset):
                    raise Cut(f"the server sent another range than {headers}")
                while position < source.size:
                    block = _block(answer, min(_CHUNK, source.size - position))
                    if not block:
                        raise Cut(f"the transfer ended after {position} of {source.size} bytes")
                    yield position, block
                    position += len(block)
                return
        raise Cut(f"more than {_MOST_REDIRECTS} redirects")

    def _open(
        self,
        file: HubFile,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer, a redirect included."""
        request = urllib.request.Request(url, method=method, headers=dict(headers or {}))  # noqa: S310
        request.add_header("User-Agent", "pointsman")
        request.add_header("Accept-Encoding", "identity")  # sizes and ranges are of the file
        ours = _origin(url) == _origin(self._hub.endpoint)
        if ours and self._hub.token:
            request.add_unredirected_header("Authorization", f"Bearer {self._hub.token}")
        try:
            return self._opener.open(request, timeout=self._hub.timeout_s)
        except urllib.error.HTTPError as answer:
            if answer.code in _REDIRECTS:
                return answer
            with answer:
                if ours and answer.code in (401, 403, 404):
                    raise self._refused(file, answer.code) from answer
                raise Cut(f"{_origin(url)[1]} answered {answer.code}") from answer
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise Cut(f"{_origin(url)[1]}: {reason or type(error).__name__}") from error

    def _refused(self, file: HubFile, status: int) -> ConfigurationError:
        if status == 404:
            return ConfigurationError(
                f"the hub has no '{file}'",
                why=f"{self._hub.endpoint} answered 404",
                next="check owner, repository, revision and file name on the repository's page",
            )
        return ConfigurationError(
            f"the hub does not give us '{file}'",
            why=f"{self._hub.endpoint} answered {status}: private, gated or not there",
            next="accept the model's terms on its page"
            if self._hub.token
            else "set HF_TOKEN to a token that may read it",
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """urllib would carry our token along; we follow redirects ourselves."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _block(answer: Any, size: int) -> bytes:
    try:
        block: bytes = answer.read(size)
    except (OSError, http.client.HTTPException) as error:
        raise Cut(f"the transfer broke: {error or type(error).__name__}") from error
    return block


def _starts_at(headers: Message, offset: int) -> bool:
    return str(headers.get("Content-Range", "")).startswith(f"bytes {offset}-")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _require_https(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    raise ConfigurationError(
        "models are downloaded over HTTPS only",
        why=f"this address is not: {parts.scheme}://{parts.netloc}",
        next="set HF_ENDPOINT to an https:// address",
    )
