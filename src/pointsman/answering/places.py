"""Places on a deployment, bounded, with a fair and bounded queue before them; no policy."""

import asyncio
from typing import Literal

from pointsman.routing.turns import FairQueue, Who

Turned = Literal["full", "displaced", "late"]  # away: why a request got no place
_Turn = asyncio.Future[Turned | None]


class Places:
    """At most `limit` holders; whoever waits is served fairly (see `FairQueue`).

    For one event loop. `take` is all it costs while a place is free. Each place that was taken or
    waited for with success is given back once.
    """

    def __init__(self, limit: int, queue: int) -> None:
        self.limit = limit
        self.taken = 0
        self._queue: FairQueue[_Turn] = FairQueue(queue)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    def take(self) -> bool:
        """A place if one is free."""
        if self.taken < self.limit:
            self.taken += 1
            return True
        return False

    async def wait(self, who: Who, timeout_s: float) -> Turned | None:
        """None once a place is ours; else why not: at once where the queue is full. Cancel-safe."""
        if self.take():
            return None
        loop = asyncio.get_running_loop()
        turn: _Turn = loop.create_future()
        out = self._queue.push(who, turn)
        if out is turn:
            return "full"
        if out is not None and not out.done():
            out.set_result("displaced")
        timer = loop.call_later(timeout_s, self._late, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            self._queue.remove(turn)
            if turn.done() and not turn.cancelled() and turn.result() is None:
                self.give()  # the place was handed over while we were leaving
            raise
        finally:
            timer.cancel()

    def give(self) -> None:
        """Give a place back: to whose turn it is, or to whoever comes."""
        self.taken -= 1
        self._hand_out()

    def change(self, limit: int, queue: int) -> None:
        """Other bounds from now on; nobody who runs or waits is sent away."""
        self.limit = limit
        self._queue.bound = queue
        self._hand_out()

    def _hand_out(self) -> None:
        while self.taken < self.limit:
            turn = self._queue.pop()
            if turn is None:
                return
            if not turn.done():  # else it was cancelled, and has not run since
                self.taken += 1
                turn.set_result(None)

    def _late(self, turn: _Turn) -> None:
        if self._queue.remove(turn) and not turn.done():
            turn.set_result("late")
