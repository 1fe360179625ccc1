"""A bounded number of places on a deployment, given out in order of asking."""

import asyncio
from collections import deque


class Places:
    """At most `limit` holders; who waits is served first come, first served."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self, timeout_s: float) -> bool:
        """A place, at once or after a wait; False when none came in time. Safe to cancel."""
        if self.taken < self.limit:
            self.taken += 1
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.give()  # the place was handed over while we were leaving
            else:
                turn.cancel()
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def give(self) -> None:
        """Give a place back: to the next who still waits, or to whoever comes."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)  # the place changes hands: `taken` stays
                return
        self.taken -= 1
