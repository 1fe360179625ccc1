"""A clock that a test sets."""

import asyncio
import heapq

from pointsman.testing.plays import resolve


class SimClock:
    """A clock that moves when told: seconds since 1970 when called, and sleeps that follow it."""

    def __init__(self, now_s: float = 1_800_000_000.0) -> None:
        self._now_s = now_s
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def __call__(self) -> float:
        """Seconds; good as a monotonic clock and as a wall clock."""
        return self._now_s

    def now_us(self) -> int:
        """Whole microseconds since 1970."""
        return round(self._now_s * 1_000_000)

    def advance(self, seconds: float) -> None:
        """Move on, waking the sleepers whose time has come. Raises: ValueError for backwards."""
        if seconds < 0:
            raise ValueError("a clock moves forward; use `set` to turn it back")
        self.set(self._now_s + seconds)

    def set(self, now_s: float) -> None:
        """Turn to a time, earlier ones included."""
        self._now_s = now_s
        while self._sleepers and self._sleepers[0][0] <= now_s:
            resolve(heapq.heappop(self._sleepers)[2])

    async def sleep(self, seconds: float) -> None:
        """Return once the clock has been moved so far on."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now_s + seconds, self._count, waiter))
        if seconds > 0:
            await waiter
