"""Who runs batches: one process at a time for a store, by a lease; several batches side by side."""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from pointsman.batches.asking import ask
from pointsman.batches.desk import DAY_S, Desk
from pointsman.batches.makers import Caller, caller_of
from pointsman.batches.room import Room
from pointsman.batches.run import BatchRun, Pace
from pointsman.batches.running import Gateway
from pointsman.batches.turns import chosen
from pointsman.domain.batches import Batch, LineProblem
from pointsman.domain.errors import PointsmanError
from pointsman.domain.ports import Lease
from pointsman.surfaces.table import SURFACES

log = logging.getLogger("pointsman.batches")
LEASE_S = 15.0
LOOK_S = 1.0  # between looks at the queue
_AGAIN_S = 10.0  # after a batch's run broke, before it is begun again
_GRACE_S = 5.0  # for lines in flight when we stop
_KEEP_S = 60.0  # between rounds of removing what is over
_ORPHAN_S = 3600.0  # blobs of nobody may be on their way for so long
_OPEN_MOST = 5000


class _Running(NamedTuple):
    run: BatchRun
    task: "asyncio.Task[None]"


class Runner:
    """For one event loop.

    Args: desk opens the desk; wanted says whether there is anything to look for.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        desk: Callable[[], Awaitable[Desk]],
        wanted: Callable[[], bool],
        pace: Pace,
    ) -> None:
        self._gateway, self._open, self._wanted, self._pace = gateway, desk, wanted, pace
        self._clock = gateway.clock
        unique = self._clock.entropy(6).hex()
        self._holder = f"{socket.gethostname()[:64]}:{os.getpid()}:{unique}"
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._running: dict[str, _Running] = {}
        self._broken: dict[str, float] = {}  # until when a batch is let alone, by its id
        self._callers: dict[str, tuple[float, object, Caller | LineProblem]] = {}
        self._kept_s = self._swept_s = 0.0
        self._troubled = ""
        self._heavy = asyncio.Semaphore(1)
        self._room = Room(most=self._most, free=self._free)

    def wake(self) -> None:
        """Something was put into the queue, or changed there."""
        self._wake.set()

    async def stop(self, main: "asyncio.Task[None]") -> None:
        """End `run`, which `main` is: lines in flight get a moment, the lease is given back."""
        self._stopping.set()
        self._wake.set()
        await asyncio.wait([main])

    async def run(self) -> None:
        """Until it is stopped. What goes wrong is said once, and tried again."""
        while not self._stopping.is_set():
            try:
                if self._gateway.config.batches.enabled and self._wanted():
                    await self._hold(await self._open())
            except (PointsmanError, OSError) as error:
                self._say(error)
            except Exception:
                log.exception("batches stand still for a moment")
            await self._rest(LOOK_S)

    async def _hold(self, desk: Desk) -> None:
        """Run what there is for as long as we have the lease."""
        lease, valid_s = await self._acquired(desk)
        if lease is None:
            return
        name, epoch = lease.name, lease.epoch
        try:
            while not self._stopping.is_set() and self._gateway.config.batches.enabled:
                try:
                    await self._look(desk, epoch)
                    await self._keep(desk)
                except PointsmanError as error:  # lines go on as long as the lease is ours
                    self._say(error)
                await self._rest(LOOK_S)
                left_s = valid_s - self._clock.monotonic()
                if left_s > LEASE_S * 2 / 3:
                    continue
                try:
                    lease, again_s = await self._acquired(desk)
                except PointsmanError as error:
                    self._say(error)
                    if left_s < LEASE_S / 3:
                        break
                    continue
                if lease is None or lease.epoch != epoch:
                    log.warning("the lease %s was lost: another process runs the batches", name)
                    break
                valid_s = again_s
        finally:
            mine = lease is not None and lease.epoch == epoch
            await self._let_go(desk, lease if mine else None)

    async def _acquired(self, desk: Desk) -> tuple[Lease | None, float]:
        """The lease, and until when we may count on it by our own clock."""
        begun = self._clock.monotonic()
        lease = await asyncio.to_thread(
            desk.state.leases.acquire,
            f"batches:{desk.store.id}",
            self._holder,
            ttl_s=LEASE_S,
            now_us=self._clock.now_us(),
        )
        return lease, begun + LEASE_S

    async def _let_go(self, desk: Desk, lease: Lease | None) -> None:
        """Stop what runs. With the lease still ours, lines in flight get a moment."""
        running = list(self._running.values())
        if lease is not None and running:
            await asyncio.wait([asyncio.ensure_future(r.run.drain(_GRACE_S)) for r in running])
        for each in running:
            each.task.cancel()
        if running:
            await asyncio.wait([each.task for each in running])
        if lease is not None:
            with suppress(PointsmanError):
                await asyncio.to_thread(desk.state.leases.release, lease)

    async def _look(self, desk: Desk, turn: int) -> None:
        """What the queue says by now: tell those that run, begin others."""
        found = await asyncio.to_thread(desk.state.batches.open, desk.store.id, limit=_OPEN_MOST)
        self._troubled = ""
        for batch in found:
            if batch.id in self._running:
                self._running[batch.id].run.hear(batch)
        now_s = self._clock.monotonic()
        self._broken = {name: until for name, until in self._broken.items() if until > now_s}
        running = [each.run.batch for each in self._running.values()]
        for batch in chosen(found, running, not_now=self._broken.keys()):
            self._begin(batch, desk, turn)

    def _begin(self, batch: Batch, desk: Desk, turn: int) -> None:
        settings, clock, gateway = self._gateway.config.batches, self._clock, self._gateway
        surface = SURFACES.get(batch.endpoint)
        if surface is None:  # of a newer version, whose state we share: not ours to run
            self._broken[batch.id] = clock.monotonic() + _AGAIN_S
            return
        run = BatchRun(
            batch,
            desk,
            self._room,
            turn=turn,
            ask=lambda line, caller: ask(
                line,
                surface,
                caller,
                session=batch.id,
                targets=gateway.targets,
                answering=gateway.answering,
                clock=clock,
            ),
            whose=lambda now: self._whose(now, desk),
            now_us=clock.now_us,
            monotonic=clock.monotonic,
            most_lines=settings.max_lines,
            most_at_once=settings.concurrency,
            pace=self._pace,
            heavy=self._heavy,
        )
        task = asyncio.ensure_future(run.run())
        self._running[batch.id] = _Running(run, task)
        task.add_done_callback(lambda done: self._ended(batch.id, done))

    def _ended(self, batch: str, task: "asyncio.Task[None]") -> None:
        self._running.pop(batch, None)
        self._callers.pop(batch, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._broken[batch] = self._clock.monotonic() + _AGAIN_S
            known = isinstance(error, PointsmanError | OSError)
            log.warning(
                "%s stands still for %g s: %s", batch, _AGAIN_S, error,
                exc_info=None if known else error,
            )  # fmt: skip
        self._wake.set()

    async def _whose(self, batch: Batch, desk: Desk) -> Caller | LineProblem:
        """The caller of a batch; a virtual key is believed for as long as at the door."""
        config, now_s = self._gateway.config, self._clock.monotonic()
        known = self._callers.get(batch.id)
        if known is not None and known[0] > now_s and known[1] is config:
            return known[2]
        living = desk.state.virtual_keys.living
        if batch.made_by.kind == "state":
            caller = await asyncio.to_thread(caller_of, batch, config, living)
        else:
            caller = caller_of(batch, config, living)
        self._callers[batch.id] = (now_s + config.virtual_keys.fresh_s, config, caller)
        return caller

    async def _keep(self, desk: Desk) -> None:
        """Remove what is over, now and then."""
        now_s = self._clock.monotonic()
        if now_s - self._kept_s < _KEEP_S and self._kept_s:
            return
        sweep = not self._swept_s or now_s - self._swept_s > _ORPHAN_S
        self._kept_s = now_s
        await asyncio.to_thread(self._remove_over, desk, sweep)
        if sweep:
            self._swept_s = now_s

    def _remove_over(self, desk: Desk, sweep: bool) -> None:
        state, store, now_us = desk.state, desk.store, self._clock.now_us()
        for file in state.files.remove_expired(store.id, now_us=now_us):
            store.remove(file)
        keep_us = self._gateway.config.batches.keep_days * DAY_S * 1_000_000
        state.batches.forget(store.id, before_us=now_us - keep_us)
        if sweep:
            found = state.batches.open(store.id, limit=_OPEN_MOST)
            store.sweep(
                files=state.files.known,
                open_batches=frozenset(batch.id for batch in found),
                before_s=now_us / 1e6 - _ORPHAN_S,
            )

    def _most(self) -> int:
        return self._gateway.config.batches.concurrency

    def _free(self) -> bool:
        """Whether clients leave room: each worker looks at its own part of them."""
        gateway = self._gateway
        return gateway.in_flight() < -(-gateway.config.batches.while_in_flight // gateway.workers)

    async def _rest(self, wait_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        self._wake.clear()

    def _say(self, error: PointsmanError | OSError) -> None:
        text = error.sentence if isinstance(error, PointsmanError) else str(error)
        if text != self._troubled:
            self._troubled = text
            log.warning("batches wait: %s", text)
