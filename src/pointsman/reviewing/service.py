"""The desk within one running gateway: opened when the first answer is held or asked for."""

import asyncio
from collections.abc import Awaitable, Callable

from pointsman.domain.errors import ExtraMissing, StateUnavailable
from pointsman.domain.ports import SubjectKey
from pointsman.domain.reviews import Held
from pointsman.reviewing.desk import Desk


class ReviewService:
    """Implements the port `Holds` for one event loop. Args: opened gives the desk."""

    def __init__(self, opened: Callable[[], Awaitable[Desk]]) -> None:
        self._opened = opened
        self._desk: Desk | None = None
        self._opening = asyncio.Lock()

    async def desk(self) -> Desk:
        """The desk. Raises: StateUnavailable, also where the extra is not there."""
        async with self._opening:
            if self._desk is None:
                try:
                    self._desk = await self._opened()
                except ExtraMissing as error:
                    raise StateUnavailable(
                        "answers cannot be held here", why=error.what, next=error.next
                    ) from error
            return self._desk

    async def keep(
        self, wanted: Held, *, request: bytes, answer: bytes, key: SubjectKey | None
    ) -> Held:
        """Raises: StateUnavailable, JournalUnavailable."""
        desk = await self.desk()
        return await desk.keep(wanted, request=request, answer=answer, key=key)

    async def decided(self, id: str, *, within_s: float) -> tuple[Held, bytes | None]:
        """How it stands, once it is decided or after that time."""
        desk = await self.desk()
        return await desk.decided(id, within_s=within_s)
