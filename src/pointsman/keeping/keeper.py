"""The keeper: whichever process holds the lease does what is due, and says how it went."""

import threading
from collections.abc import Callable
from itertools import islice

import msgspec

from pointsman.domain.errors import PointsmanError
from pointsman.domain.ports import Lease, Leases, Schedules
from pointsman.journal import Superseded
from pointsman.keeping.jobs import JOBS, Work

ROLE = "keeper"
LEASE_S = 60.0
_RENEW_S = 15.0
_STAYS_S = 30.0
_STEPS = 64  # of one job in a round: segments may come as fast as they are sealed


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the keeper says of itself after each round."""

    role: str  # `keeper`, or `standby` while another process is
    at_us: int
    did: dict[str, list[str]] = {}  # by job, only where something was done
    errors: dict[str, str] = {}  # by job, of the jobs that ran in this round
    ran: list[str] = []


class Stopped(Exception):
    """Told to stop between two steps; what is done is done."""


class Keeper:
    """One round at a time. `work.allowed` is set here: it is the lease."""

    def __init__(
        self,
        work: Work,
        leases: Leases,
        schedules: Schedules,
        *,
        holder: str,
        every_s: float,
        stop: threading.Event,
        renew_s: float = _RENEW_S,
    ) -> None:
        self._work, self._leases, self._schedules = work, leases, schedules
        self._holder, self._every_s, self._stop = holder, every_s, stop
        self._renew_s = renew_s
        self._epoch = -1
        work.allowed = self._still_ours

    def round(self) -> Told:
        """Do what is due, if we are the keeper. Raises: StateUnavailable."""
        now_us = self._work.wall_us()
        lease = self._acquire()
        if lease is None:
            return Told(role="standby", at_us=now_us)
        self._epoch = lease.epoch
        for name in JOBS:
            self._schedules.ensure(name, every_s=self._every_s, now_us=now_us)
        due = {each.name for each in self._schedules.due(now_us)}
        did: dict[str, list[str]] = {}
        errors: dict[str, str] = {}
        ran = [name for name in JOBS if name in due]
        done = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(done,), daemon=True)
        renewing.start()
        try:
            for name in ran:
                error = self._run(name, did.setdefault(name, []))
                if error is not None:
                    errors[name] = error
                if not self._still_ours():
                    break
                self._schedules.done(name, now_us=self._work.wall_us(), error=error)
        except Stopped:
            pass
        finally:
            done.set()
            renewing.join()
        did = {name: steps for name, steps in did.items() if steps}
        return Told(role="keeper", at_us=now_us, did=did, errors=errors, ran=ran)

    def leave(self) -> None:
        """Give the lease back, so that another need not wait for it to run out."""
        lease = self._acquire() if self._epoch >= 0 else None
        if lease is not None:
            self._leases.release(lease)

    def _run(self, name: str, did: list[str]) -> str | None:
        """Why it went wrong, or None."""
        try:
            for step in islice(JOBS[name](self._work), _STEPS):
                did.append(step)
                if self._stop.is_set():
                    raise Stopped
        except Superseded:
            return "another process became the keeper meanwhile"
        except PointsmanError as error:
            return error.sentence
        except Stopped:
            raise
        except Exception as error:  # disk and DuckDB: the next round tries again
            return f"{type(error).__name__}: {error}"
        return None

    def _acquire(self) -> Lease | None:
        return self._leases.acquire(ROLE, self._holder, ttl_s=LEASE_S, now_us=self._work.wall_us())

    def _still_ours(self) -> bool:
        lease = self._acquire()
        return lease is not None and lease.epoch == self._epoch

    def _renew(self, done: threading.Event) -> None:
        while not done.wait(self._renew_s):
            try:
                self._acquire()
            except PointsmanError:
                continue  # asked again before anything is changed


def stays(every_s: float) -> bool:
    """Whether the process lives on between rounds; else it is started for each (0.8 s of CPU)."""
    return every_s < _STAYS_S


def run(
    keeper: Keeper,
    *,
    stop: threading.Event,
    pause_s: float | None,
    say: Callable[[Told], None],
) -> None:
    """Rounds until told to stop; one where there is no pause. One that fails is told of."""
    while not stop.is_set():
        try:
            say(keeper.round())
        except PointsmanError as error:
            say(Told(role="standby", at_us=0, errors={"state": error.sentence}))
        if pause_s is None:
            break
        stop.wait(pause_s)
    try:
        keeper.leave()
    except PointsmanError:
        return  # it runs out by itself
