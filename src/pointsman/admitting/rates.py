"""Rates of one scope: a bucket of this process, or a slice of one that several share.

Where the store that is shared cannot be reached, this process counts on its own for a while.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import msgspec

from pointsman.admitting.counters import Counters
from pointsman.admitting.purse import words
from pointsman.domain.errors import RateLimited, StateUnavailable
from pointsman.limits.bucket import (
    MINUTE_US,
    Bucket,
    available,
    filled,
    full,
    took,
    wait_us,
)

What = Literal["requests", "tokens"]

_KEPT_US = 10_000_000  # a slice that nobody used for so long is let go
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Bucket).decode


class Standing(NamedTuple):
    """How much of a rate is left, and how long until all of it is."""

    limit: int
    remaining: int
    reset_us: int


class Rate:
    """For one event loop. Whole requests, or whole tokens."""

    __slots__ = ("_bucket", "_counters", "_dry_until_us", "_have", "_seen", "_turn",
                 "_used_us",
                 "per_minute", "scope", "what")  # fmt: skip

    def __init__(
        self, scope: str, what: What, per_minute: int, *, counters: Counters | None, now_us: int
    ) -> None:
        """Args: counters where the rate is shared; None: it is this process's own."""
        self.scope = scope
        self.what = what
        self.per_minute = per_minute
        self._counters = counters
        self._bucket = full(per_minute, now_us)  # our own count, where nothing is shared
        self._seen = self._bucket  # the shared one, as it was when we last took of it
        self._have = 0  # taken from the shared one and not used; below zero: owed to it
        self._used_us = now_us
        self._dry_until_us = 0
        self._turn = asyncio.Lock()

    def clipped(self, count: int) -> int:
        """What is charged for so many: never more than a minute's worth, which a bucket holds."""
        return min(count, self.per_minute)

    def look(self, count: int, now_us: int) -> Literal["yes", "ask"]:
        """Whether so many can be taken at once. Raises: RateLimited where they cannot."""
        if self._counters is None:
            self._bucket = filled(self._bucket, self.per_minute, now_us)
            if available(self._bucket) < count:
                raise self._used_up(wait_us(self._bucket, self.per_minute, count), now_us)
            return "yes"
        if now_us - self._used_us > _KEPT_US and self._have > 0:
            self._have = 0
        if self._have >= count:
            return "yes"
        wait = self._dry_until_us - now_us
        if 0 < wait <= MINUTE_US:
            raise self._used_up(wait, now_us)
        return "ask"

    def take(self, count: int, now_us: int) -> None:
        """Take what `look` said yes to; negative gives back."""
        self._used_us = now_us
        if self._counters is None:
            self._bucket = took(self._bucket, count)
        else:
            self._have -= count

    async def fetch(self, count: int, now_us: Callable[[], int]) -> None:
        """Take so many, from the shared bucket where there are not enough here.

        Raises: RateLimited.
        """
        async with self._turn:  # whoever asked first knows soon whether it is worth asking
            await self._fetch(count, now_us)

    async def _fetch(self, count: int, now_us: Callable[[], int]) -> None:
        if self.look(count, now_us()) == "yes":
            return self.take(count, now_us())
        assert self._counters is not None, "only what is shared has to be asked for"
        missing, now = count - self._have, now_us()
        most = missing + self.per_minute // 120  # half a second ahead
        got = 0

        def change(old: bytes | None) -> bytes:
            nonlocal got
            bucket = _decode(old) if old is not None else full(self.per_minute, now)
            bucket = filled(bucket, self.per_minute, now)
            there = available(bucket)
            got = min(there, most) if there >= missing else 0
            return _encode(took(bucket, got))

        try:
            value = await self._counters.change(
                f"rate:{self.scope}:{self.what}", change, until_us=now + 2 * MINUTE_US
            )
        except StateUnavailable:
            return self._alone(count, now_us())
        self._seen = _decode(value)
        if got < missing:
            wait = wait_us(self._seen, self.per_minute, missing)
            self._dry_until_us = now + min(wait, MINUTE_US)
            raise self._used_up(wait, now)
        self._have += got
        self.take(count, now_us())

    def standing(self, now_us: int) -> Standing:
        """For the client's eyes; of a shared rate as far as is known here."""
        shared = self._counters is not None
        bucket = filled(self._seen if shared else self._bucket, self.per_minute, now_us)
        remaining = min(self.per_minute, available(bucket) + (max(0, self._have) if shared else 0))
        missing = self.per_minute - remaining
        return Standing(self.per_minute, remaining, missing * MINUTE_US // self.per_minute)

    def _alone(self, count: int, now_us: int) -> None:
        """The store is gone: this process counts by itself, so that it still counts."""
        self._bucket = filled(self._bucket, self.per_minute, now_us)
        if available(self._bucket) < count:
            raise self._used_up(wait_us(self._bucket, self.per_minute, count), now_us)
        self._bucket = took(self._bucket, count)
        self._used_us = now_us

    def _used_up(self, wait: int, now_us: int) -> RateLimited:
        error = RateLimited(
            f"{words(self.scope)} may use {self.per_minute} {self.what} a minute, and has",
            next="come back after the time that retry-after says",
            retry_after_s=max(0.001, wait / 1e6),
        )
        error.head = tuple(headers(self.what, self.standing(now_us)))
        return error


def headers(what: What, standing: Standing) -> list[tuple[bytes, bytes]]:
    """A rate in the words that OpenAI's clients know."""
    limit, remaining, reset = _NAMES[what]
    return [
        (limit, b"%d" % standing.limit),
        (remaining, b"%d" % standing.remaining),
        (reset, duration(standing.reset_us).encode()),
    ]


_NAMES: Mapping[What, tuple[bytes, ...]] = {
    what: tuple(f"x-ratelimit-{word}-{what}".encode() for word in ("limit", "remaining", "reset"))
    for what in ("requests", "tokens")
}


def duration(us: int) -> str:
    """A time as OpenAI writes one: `0s`, `120ms`, `1.5s`, `6m0s`."""
    ms = -(-us // 1000)
    if 0 < ms < 1000:
        return f"{ms}ms"
    minutes, ms = divmod(ms, 60_000)
    seconds = f"{ms / 1000:g}s"
    return f"{minutes}m{seconds}" if minutes else seconds
