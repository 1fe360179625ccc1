"""The network for probes: the pool that serves requests too, as a bounded GET."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol
from urllib.parse import urlsplit

from pointsman.backends.http_pool import HttpPool, Origin, Way, WireError
from pointsman.backends.http_tls import TlsContexts
from pointsman.discovery.answers import MOST_BYTES, Answer, NoAnswer


class WayFetch(Protocol):
    """A `Fetch` that may be told the way to take."""

    async def __call__(
        self, url: str, *, key: str | None = None, way: Way | None = None
    ) -> Answer: ...


@asynccontextmanager
async def fetching(
    *, connect_s: float, total_s: float, contexts: TlsContexts | None = None
) -> AsyncIterator[WayFetch]:
    """A `Fetch` whose every call ends within `total_s`; its connections close with the block."""
    pool = HttpPool(max_idle_per_origin=8, contexts=contexts)

    async def fetch(url: str, *, key: str | None = None, way: Way | None = None) -> Answer:
        try:
            async with asyncio.timeout(total_s):
                return await _get(pool, url, key, way, connect_s, total_s)
        except TimeoutError:
            raise NoAnswer(f"no answer within {total_s:g} s") from None
        except WireError as error:
            raise NoAnswer(f"{error.kind.replace('_', ' ')}: {error.detail}"[:200]) from None
        except ValueError:
            raise NoAnswer("the address or the key holds what HTTP cannot carry") from None

    try:
        yield fetch
    finally:
        await pool.close()


async def _get(
    pool: HttpPool, url: str, key: str | None, way: Way | None, connect_s: float, total_s: float
) -> Answer:
    parts = urlsplit(url)
    headers = [(b"accept", b"application/json"), (b"user-agent", b"pointsman")]
    if key:
        headers.append((b"authorization", b"Bearer " + key.encode("ascii")))
    response = await pool.request(
        Origin.parse(f"{parts.scheme}://{parts.netloc}", way),
        b"GET",
        parts.path or "/",
        headers,
        b"",
        connect_timeout_s=connect_s,
        first_byte_timeout_s=total_s,
    )
    with response:
        body = await response.read(limit=MOST_BYTES, timeout_s=total_s)
    told = {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in response.headers.items()
    }
    return Answer(response.status, told, body)
