"""The keys of the people whose words pass through: remembered for a while, made off the loop."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from pointsman.domain.errors import JournalUnavailable, PointsmanError
from pointsman.domain.ports import SubjectKey

FRESH_S = 30.0  # how long a destroyed key may still be written under; what is, is erased as well
_STALE_S = 3600.0  # how long a remembered key serves while the store cannot be reached
_REMEMBERED = 10_000


class KeyMaker(Protocol):
    """The part of the port `SubjectKeys` that answering needs."""

    def key(self, tenant: str, subject: str) -> SubjectKey:
        """The subject's living key, made (and durable) before this returns. For threads."""
        ...


class Subjects:
    """Keys by tenant and subject, for one event loop. A known one costs a look in a dict."""

    def __init__(
        self,
        keys: KeyMaker,
        monotonic: Callable[[], float],
        *,
        remembered: int = _REMEMBERED,
    ) -> None:
        self._keys = keys
        self._monotonic = monotonic
        self._remembered = remembered
        self._known: OrderedDict[tuple[str, str], tuple[float, SubjectKey]] = OrderedDict()
        self._asked: dict[tuple[str, str], asyncio.Future[SubjectKey]] = {}

    def known(self, tenant: str, subject: str) -> SubjectKey | None:
        """The key, where it was looked up a moment ago."""
        found = self._known.get((tenant, subject))
        if found is None or self._monotonic() - found[0] > FRESH_S:
            return None
        return found[1]

    async def key(self, tenant: str, subject: str) -> SubjectKey:
        """The key, durable before this returns; made where the subject is new.

        Raises: JournalUnavailable where the store cannot say, and no key is remembered.
        """
        who = (tenant, subject)
        asked = self._asked.get(who)
        if asked is None:
            asked = asyncio.ensure_future(asyncio.to_thread(self._keys.key, tenant, subject))
            self._asked[who] = asked
            asked.add_done_callback(lambda done: self._answered(who, done))
        try:
            return await asyncio.shield(asked)
        except (PointsmanError, OSError) as error:
            found = self._known.get(who)
            if found is not None and self._monotonic() - found[0] < _STALE_S:
                return found[1]
            raise JournalUnavailable(
                "the key of the request's subject could not be made",
                why=error.what if isinstance(error, PointsmanError) else str(error),
                next="check the database that state.url names",
            ) from error

    def _answered(self, who: tuple[str, str], done: "asyncio.Future[SubjectKey]") -> None:
        self._asked.pop(who, None)
        if done.cancelled() or done.exception() is not None:
            return
        self._known[who] = (self._monotonic(), done.result())
        self._known.move_to_end(who)
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)
