"""One call's way into a deployment and out of it: a wait, a place, a ticket; each back once."""

from pointsman.answering.access import Access
from pointsman.answering.asked import Clock
from pointsman.domain.ports import AttemptFailed
from pointsman.domain.records import Failure
from pointsman.routing.breaker import Ticket
from pointsman.routing.turns import Who


class Visit:
    """From the moment a step begins to the moment its deployment has done with it."""

    __slots__ = ("_access", "_clock", "_placed", "_ticket", "began", "came", "queued_s")

    def __init__(self, access: Access, clock: Clock, came: float) -> None:
        """Args: came is when the step began, in the clock's monotonic seconds."""
        self._access = access
        self._clock = clock
        self._placed = False
        self._ticket: Ticket | None = None
        self.came = came
        self.began: float | None = None  # when the deployment was called; None: it was not
        self.queued_s = 0.0

    async def enter(self, who: Who, *, by: float, forced: bool, retry: bool) -> float:
        """Wait for a place and go in; the seconds that are left until `by`. Once.

        Raises: AttemptFailed: `busy`, `circuit_open`, or `total_timeout` where no time is left.
        """
        now, access = self.came, self._access
        if by <= now:
            late = "the request ran out of its time"
            raise AttemptFailed(Failure(kind="total_timeout", detail=late))
        if not access.places.take():
            try:
                await access.wait(who, by - now)
            finally:
                now = self._clock.monotonic()
                self.queued_s = now - self.came
        self._placed = True
        self._ticket = access.begin(now, forced=forced, retry=retry)
        self.began = now
        return by - now

    def leave(self, failure: Failure | None, now: float) -> None:
        """The deployment has done with it, or it never went in. Once."""
        if self._ticket is not None and self.began is not None:
            self._access.end(self._ticket, failure, now, began=self.began)
        elif self._placed:
            self._access.places.give()
        self._placed, self._ticket = False, None
