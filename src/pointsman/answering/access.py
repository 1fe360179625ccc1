"""Who may call a deployment now: its places and its health, together, for one process."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pointsman.answering.places import Places, Turned
from pointsman.domain.plan import Unwell
from pointsman.domain.portfolio import Deployment
from pointsman.domain.ports import AttemptFailed
from pointsman.domain.records import Failure
from pointsman.routing.breaker import Ticket
from pointsman.routing.health import Health
from pointsman.routing.retrying import wait_before_retry_s
from pointsman.routing.turns import Who

_WORDS: Mapping[Turned, str] = {
    "full": "the queue is full",
    "displaced": "the queue was full, and others had fewer in it",
    "late": "no turn came in time",
}
_UNANSWERED = 2  # probes that leave a deployment alone: one may be an accident
_LONGEST_BACK_S = 60.0
_NOBODY: Mapping[str, Unwell] = {}
Told = Callable[[str, str, str], None]  # deployment, phase before, phase now
Waits = Callable[[str, int], None]  # deployment, how many more wait


class Access:
    """Access to one deployment. The limit is this process's share of what is configured."""

    def __init__(
        self,
        deployment: Deployment,
        workers: int,
        *,
        changed: Told,
        waits: Waits,
        ailing: dict[str, "Access"],
    ) -> None:
        """Args: ailing is where those are entered that are not simply called any more."""
        self.deployment = deployment
        limit = share(deployment.limits.concurrency, workers)
        self.places = Places(limit, share(deployment.limits.queue, workers, least=0))
        self.health = Health(deployment)
        self.turned_away = 0  # requests that got no place, since the start
        self.retried = 0
        self._changed, self._waits = changed, waits
        self._ailing = ailing
        self._told = self.health.breaker.phase
        self._unanswered = 0  # probes one after another
        self._mean_s = 1.0  # that a place is held

    def change(self, deployment: Deployment, workers: int, now: float) -> None:
        """Another configuration of it is in force."""
        self.deployment = deployment
        limit = share(deployment.limits.concurrency, workers)
        self.places.change(limit, share(deployment.limits.queue, workers, least=0))
        self.health.change(deployment, now)

    def retire(self) -> None:
        """Another configuration has it no more: what it still finds is nobody's news."""
        if self._told != "closed":
            self._changed(self.deployment.name, self._told, "closed")
        self._changed = lambda *_: None
        self._ailing.pop(self.deployment.name, None)

    async def wait(self, who: Who, left_s: float) -> None:
        """Wait for a place, no longer than the request has. Raises: AttemptFailed."""
        bound_s = self.deployment.limits.queue_timeout_s
        self._waits(self.deployment.name, 1)
        try:
            turned = await self.places.wait(who, min(bound_s, left_s))
        finally:
            self._waits(self.deployment.name, -1)
        if turned is None:
            return
        self.turned_away += 1
        if turned == "late" and left_s <= bound_s:
            said = "the request ran out of its time waiting for a place"
            raise AttemptFailed(Failure(kind="total_timeout", detail=said))
        places = self.places
        detail = f"{places.taken} of {places.limit} run, {places.waiting} wait: {_WORDS[turned]}"
        back_s = min(max(1.0, self._mean_s * places.waiting / places.limit), _LONGEST_BACK_S)
        raise AttemptFailed(Failure(kind="busy", detail=detail, retry_after_s=round(back_s, 1)))

    def begin(self, now: float, *, forced: bool, retry: bool) -> Ticket:
        """A call goes out, on a place that is ours. Raises: AttemptFailed (circuit_open)."""
        breaker = self.health.breaker
        ticket = breaker.begin(now, force=forced)
        if breaker.phase != self._told:
            self._tell()
        if ticket is None:
            back_s = round(max(1.0, breaker.back_in_s(now)), 1)
            detail = f"left alone for {back_s:g} s more: it failed {breaker.streak} times running"
            raise AttemptFailed(Failure(kind="circuit_open", detail=detail, retry_after_s=back_s))
        if retry:
            self.retried += 1
        else:
            self.health.retries.tried(now)
        return ticket

    def end(self, ticket: Ticket, failure: Failure | None, now: float, *, began: float) -> None:
        """The call ended, its place is given back."""
        held_s = now - began
        self._mean_s += 0.05 * (held_s - self._mean_s)
        had_its_time = held_s >= 0.99 * self.deployment.limits.timeout_s
        self.health.ended(ticket, failure, now, had_its_time=had_its_time)
        if failure is not None:
            self._look_after(now)
        elif self.health.breaker.phase != self._told:
            self._tell()
        self.places.give()

    def retry_in_s(
        self, failure: Failure, *, retries: int, left_s: float, now: float, draw: float
    ) -> float | None:
        """Seconds until a failed try is sent here again; None: it is not. Takes from the budget."""
        rules = self.deployment.retries
        wait_s = wait_before_retry_s(failure, rules, retries=retries, left_s=left_s, draw=draw)
        return wait_s if wait_s is not None and self.health.retries.take(now) else None

    @property
    def failing(self) -> bool:
        """Whether it is left alone, or only tried, because it failed."""
        return self.health.breaker.phase != "closed"

    def probed(self, now: float, *, well: bool) -> None:
        """What a question that calls no model found: a way back sooner, or a breaker opened.

        That it is there does not say that it answers: an open breaker goes half open, no further.
        """
        self._unanswered = 0 if well else self._unanswered + 1
        if well:
            self.health.breaker.invite(now)
        elif self._unanswered >= _UNANSWERED:
            self.health.breaker.trip(now)
        self._look_after(now)

    def standing(self, now: float) -> dict[str, Any]:
        """How it stands, for those who run the gateway."""
        unwell, breaker = self.health.unwell(now), self.health.breaker
        told: dict[str, Any] = {
            "health": unwell.state if unwell is not None else "well",
            "running": self.places.taken,
            "of": self.places.limit,
            "waiting": self.places.waiting,
        }
        if unwell is not None:
            told["back_in_s"] = unwell.back_in_ms / 1000
            told["failures_running"] = breaker.streak
        return told

    def _look_after(self, now: float) -> None:
        if not self.health.well(now):
            self._ailing[self.deployment.name] = self
        if self.health.breaker.phase != self._told:
            self._tell()

    def _tell(self) -> None:
        before, self._told = self._told, self.health.breaker.phase
        self._changed(self.deployment.name, before, self._told)


class Accesses:
    """Access to every deployment of one configuration; what goes on in it outlives a change."""

    def __init__(
        self,
        deployments: Iterable[Deployment],
        *,
        workers: int = 1,
        changed: Told = lambda *_: None,
        waits: Waits = lambda *_: None,
    ) -> None:
        """Args: workers is how many processes share each limit; changed is told of every phase
        that a breaker enters, waits of everyone who begins or ends to wait.
        """
        self._workers = workers
        self._changed, self._waits = changed, waits
        self._ailing: dict[str, Access] = {}
        self.by_name = {each.name: self._access(each) for each in deployments}

    def after(self, deployments: Iterable[Deployment], now: float) -> "Accesses":
        """Access by another configuration: the same where a deployment is where it was.

        Requests that run by the old one go on with this one; what both have, they share.
        """
        made = Accesses((), workers=self._workers, changed=self._changed, waits=self._waits)
        made._ailing = self._ailing
        old = dict(self.by_name)
        for each in deployments:
            known = old.get(each.name)
            if known is None or not _same_place(known.deployment, each):
                made.by_name[each.name] = made._access(each)
            else:
                known.change(each, self._workers, now)
                made.by_name[each.name] = old.pop(each.name)
        for dropped in old.values():
            dropped.retire()
        return made

    def unwell(self, now: float) -> Mapping[str, Unwell]:
        """Deployments that are not simply called at this time; nothing is made where all are."""
        if not self._ailing:
            return _NOBODY
        found: dict[str, Unwell] = {}
        for name, access in list(self._ailing.items()):
            unwell = access.health.unwell(now)
            if unwell is None:
                del self._ailing[name]
            elif self.by_name.get(name) is access:
                found[name] = unwell
        return found

    def standing(self, now: float) -> dict[str, dict[str, Any]]:
        """How each stands, by name."""
        return {name: access.standing(now) for name, access in self.by_name.items()}

    def _access(self, deployment: Deployment) -> Access:
        return Access(
            deployment,
            self._workers,
            changed=self._changed,
            waits=self._waits,
            ailing=self._ailing,
        )


def share(limit: int, workers: int, *, least: int = 1) -> int:
    """One process's part of a limit: the whole is never exceeded where it is `workers` or more."""
    return max(least, limit // workers)


def _same_place(old: Deployment, new: Deployment) -> bool:
    return (old.base_url, old.proxy, old.embedded) == (new.base_url, new.proxy, new.embedded)
