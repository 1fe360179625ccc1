"""Whether a failed try is sent again, and when: only where nothing can have been generated."""

from collections.abc import Mapping
from typing import Final

from pointsman.domain.plan import Plan
from pointsman.domain.portfolio import Deployment, RetryRules
from pointsman.domain.records import Failure
from pointsman.routing.windows import Window

_FIRST_S: Final = 0.1  # the most that the first backoff lasts; each further one twice that
_BUDGET_S: Final = 10.0
# The engine was not reached, or is not there.
_UNREACHED: Final = frozenset({"refused", "connect_timeout", "engine_down"})
_TURNED_AWAY: Final = frozenset({429, 503})  # by an engine that did nothing


def safe_to_repeat(failure: Failure) -> bool:
    """Whether the engine surely generated nothing: it was not reached, or turned us away.

    A status inside a stream that had begun is none of these: it comes without `status`.
    """
    return failure.kind in _UNREACHED or failure.status in _TURNED_AWAY


def wait_before_retry_s(
    failure: Failure, rules: RetryRules, *, retries: int, left_s: float, draw: float
) -> float | None:
    """Seconds until the request is sent again; None: it is not.

    What the upstream asks for (Retry-After) is waited for, and up to a tenth more, so that those
    who were turned away together do not come back together. Without it the wait is drawn from
    [0, 0.1 · 2^retries) seconds.

    Args: retries is how many there were of this step; left_s is what is left of the request's
        time; draw is in [0, 1).
    """
    if retries >= rules.most or not safe_to_repeat(failure):
        return None
    asked_s = failure.retry_after_s
    if asked_s is not None and asked_s > 0:
        wait_s = asked_s * (1 + 0.1 * draw)
        if asked_s > rules.longest_wait_s:
            return None
    else:
        wait_s = min(_FIRST_S * 2**retries, rules.longest_wait_s) * draw
    return wait_s if wait_s < left_s else None


def most_tries(plan: Plan, deployments: Mapping[str, Deployment]) -> int:
    """How many attempts a request by this plan can have: each step's first try and its retries.

    Retries follow only tries that generated nothing, so the most that a step costs is one try.
    """
    return sum(1 + deployments[step.deployment].retries.most for step in plan.steps)


class RetryBudget:
    """Retries are a share of the requests to a deployment, so that they cannot become a storm.

    In ten seconds no more are taken than `budget` times the first tries there were, and `floor`.
    """

    def __init__(self, rules: RetryRules) -> None:
        self.rules = rules
        self._window = Window(_BUDGET_S)

    def tried(self, now: float) -> None:
        """A first try began."""
        self._window.add(now, all=1)

    def take(self, now: float) -> bool:
        """One retry, if there is one left."""
        window = self._window
        window.roll(now)
        if window.some + 1 > self.rules.budget * window.all + self.rules.floor:
            return False
        window.add(now, some=1)
        return True
