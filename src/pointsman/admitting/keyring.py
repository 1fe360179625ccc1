"""Virtual keys as the door sees them: remembered for some seconds, looked up off the loop."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple, Protocol

from pointsman.domain.errors import Overloaded, PointsmanError, StateUnavailable
from pointsman.domain.task import VirtualKey

_STALE_S = 60.0  # for which a known key opens while the database cannot be reached
_REMEMBERED = 10_000
_UNKNOWN_REMEMBERED = 1_000  # apart: whoever tries at random pushes out no key that is one
_LOOKING_MOST = 64


class StoredKeys(Protocol):
    """Where virtual keys lie; for threads."""

    def find(self, token: bytes) -> VirtualKey | None: ...


class _Found(NamedTuple):
    at_s: float
    key: VirtualKey | None


class Keyring:
    """For one event loop. Tokens are remembered as hashes.

    Args: fresh_s is how long a look in the database is believed, so how soon a revoked key opens
        nothing any more; now_us is the wall clock, by which keys expire at once.
    """

    def __init__(
        self,
        keys: StoredKeys,
        *,
        fresh_s: float,
        monotonic: Callable[[], float],
        now_us: Callable[[], int],
    ) -> None:
        self.fresh_s = fresh_s
        self._keys = keys
        self._monotonic = monotonic
        self._now_us = now_us
        self._known: OrderedDict[bytes, _Found] = OrderedDict()
        self._unknown: OrderedDict[bytes, _Found] = OrderedDict()
        self._looking: dict[bytes, asyncio.Future[VirtualKey | None]] = {}

    def known(self, token: bytes) -> VirtualKey | None:
        """The key, where it was looked up a moment ago and is not over."""
        found = self._known.get(sha256(token).digest())
        if found is None or self._monotonic() - found.at_s > self.fresh_s:
            return None
        return self._living(found.key)

    async def look(self, token: bytes) -> VirtualKey | None:
        """The key, as the database says; None where it opens nothing.

        Raises: StateUnavailable where it cannot say and did not lately; Overloaded.
        """
        digest = sha256(token).digest()
        unknown = self._unknown.get(digest)
        if unknown is not None and self._monotonic() - unknown.at_s <= self.fresh_s:
            return None
        looking = self._looking.get(digest)
        if looking is None:
            if len(self._looking) >= _LOOKING_MOST:
                raise Overloaded("too many keys are being looked up", retry_after_s=1.0)
            looking = asyncio.ensure_future(asyncio.to_thread(self._keys.find, token))
            self._looking[digest] = looking
            begun = self._monotonic()
            looking.add_done_callback(lambda done: self._looked(digest, begun, done))
        try:
            return self._living(await asyncio.shield(looking))
        except (PointsmanError, OSError) as error:
            found = self._known.get(digest)
            if found is not None and self._monotonic() - found.at_s < _STALE_S:
                return self._living(found.key)
            raise StateUnavailable(
                "the key of this request cannot be looked up",
                why=error.what if isinstance(error, PointsmanError) else str(error),
                next="check the database that state.url names",
                retry_after_s=1.0,
            ) from error

    def _looked(
        self, digest: bytes, begun: float, done: "asyncio.Future[VirtualKey | None]"
    ) -> None:
        self._looking.pop(digest, None)
        if done.cancelled() or done.exception() is not None:
            return
        key = done.result()
        into, most = self._known, _REMEMBERED
        if key is None:
            into, most = self._unknown, _UNKNOWN_REMEMBERED
            self._known.pop(digest, None)
        into[digest] = _Found(begun, key)  # since it was begun: what was revoked since is not known
        into.move_to_end(digest)
        if len(into) > most:
            into.popitem(last=False)

    def _living(self, key: VirtualKey | None) -> VirtualKey | None:
        over = key is not None and key.expires_us is not None and key.expires_us <= self._now_us()
        return None if over else key
