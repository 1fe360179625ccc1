"""How a deployment is doing, from real traffic: its breaker, its rest, its retries; no I/O."""

from typing import Final

from pointsman.domain.plan import Unwell
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import Failure
from pointsman.routing.breaker import Breaker, Result, Ticket
from pointsman.routing.retrying import RetryBudget

LONGEST_REST_S: Final = 60.0  # whatever a Retry-After says: then real traffic asks again
# Of the deployment's own making: whoever asked would have met with it.
_BAD: Final = frozenset({"refused", "connect_timeout", "first_token_timeout",
                         "between_tokens_timeout", "cut", "malformed", "server_error",
                         "engine_down"})  # fmt: skip


def result_of(failure: Failure | None, *, had_its_time: bool) -> Result:
    """What the end of an attempt says of its deployment.

    A request that is refused for its own fault was answered. Being turned away for a while (429,
    or 503 with Retry-After) is no failure of the deployment, and no success. A timeout of the
    whole attempt counts where it had all the time that its deployment gives it.
    """
    if failure is None or failure.kind == "client_error":
        return "good"
    if failure.kind == "total_timeout":
        return "bad" if had_its_time else "neutral"
    if failure.status == 503 and failure.retry_after_s is not None:
        return "neutral"
    return "bad" if failure.kind in _BAD else "neutral"


class Health:
    """One deployment, as one process has found it."""

    def __init__(self, deployment: Deployment) -> None:
        self.breaker = Breaker(deployment.breaker)
        self.retries = RetryBudget(deployment.retries)
        self.rests_until = 0.0
        self._name = deployment.name

    def change(self, deployment: Deployment, now: float) -> None:
        """Other rules from now on."""
        self.breaker.change(deployment.breaker, now)
        if not deployment.breaker.enabled:
            self.rests_until = 0.0
        self.retries.rules = deployment.retries

    def well(self, now: float) -> bool:
        """Whether it is simply called."""
        return self.breaker.phase == "closed" and self.rests_until <= now

    def unwell(self, now: float) -> Unwell | None:
        """What keeps it from being simply called; None: nothing."""
        phase, rules = self.breaker.look(now), self.breaker.rules
        if phase == "closed":
            if self.rests_until <= now:
                return None
            back_in_ms = round((self.rests_until - now) * 1000)
            return Unwell(deployment=self._name, state="resting", back_in_ms=back_in_ms)
        return Unwell(
            deployment=self._name,
            state=phase,
            admits=self.breaker.admits(now) and self.rests_until <= now,
            back_in_ms=round(max(self.breaker.back_in_s(now), self.rests_until - now, 0.0) * 1000),
            last_resort=rules.last_resort,
        )

    def ended(
        self, ticket: Ticket, failure: Failure | None, now: float, *, had_its_time: bool
    ) -> None:
        """An attempt ended."""
        result = result_of(failure, had_its_time=had_its_time)
        self.breaker.end(ticket, result, now)
        if failure is None:
            self.rests_until = 0.0
        elif not self.breaker.rules.enabled:
            return
        elif failure.retry_after_s is not None and failure.status in (429, 503):
            rest_s = min(failure.retry_after_s, LONGEST_REST_S)
            self.rests_until = max(self.rests_until, now + rest_s)
