"""The real clocks and dice."""

import os
import random
import time


class SystemClock:
    """The real clocks and dice; the only place that reads them. For one thread at a time.

    `monotonic` are seconds, by the event loop's own clock, so that arrivals compare; `draw` is
    uniform in [0, 1): a routing draw, recorded, not a secret. Both are asked so often that they
    are the functions themselves.
    """

    monotonic = staticmethod(time.monotonic)
    draw = staticmethod(random.random)

    def __init__(self) -> None:
        self._pool, self._used = b"", 0

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""
        return time.time_ns() // 1000

    def entropy(self, size: int) -> bytes:
        """From the kernel, fetched 4 KiB at a time: ids are minted on the path of each request."""
        start = self._used
        self._used += size
        if self._used > len(self._pool):
            self._pool, start, self._used = os.urandom(max(4096, size)), 0, size
        return self._pool[start : self._used]
