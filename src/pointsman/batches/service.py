"""Files and batches within one running gateway: opened when first asked for, stopped with it."""

import asyncio
import os

from pointsman.batches.desk import Desk
from pointsman.batches.run import Pace
from pointsman.batches.runner import Runner
from pointsman.batches.running import Gateway
from pointsman.batches.store import Store
from pointsman.domain.errors import ExtraMissing, NotFound
from pointsman.domain.task import BatchSettings


class BatchService:
    """For one event loop.

    Args: runs says whether this process runs batches; every process answers about them.
    """

    def __init__(self, gateway: Gateway, *, runs: bool) -> None:
        self._gateway = gateway
        self._runs = runs
        self._desk: Desk | None = None
        self._opening = asyncio.Lock()
        self._runner: Runner | None = None
        self._running: asyncio.Task[None] | None = None
        self.pace = Pace()

    async def desk(self) -> Desk:
        """Where clients' wishes are met.

        Raises: NotFound where there are no batches here; ExtraMissing; StateUnavailable.
        """
        if not self._settings().enabled:
            raise NotFound(
                "this server takes no files and no batches",
                next="set batches.enabled",
                code="batches_disabled",
            )
        async with self._opening:
            if self._desk is None:
                self._desk = await self._opened()
            return self._desk

    def start(self) -> None:
        """Run what was left, and what comes, where this process is the one for it."""
        if self._runs and self._runner is None:
            self._runner = Runner(
                self._gateway, desk=self.desk, wanted=self._wanted, pace=self.pace
            )
            self._running = asyncio.ensure_future(self._runner.run())

    def wake(self) -> None:
        """Something changed in the queue: another process sees it at its next look."""
        if self._runner is not None:
            self._runner.wake()

    async def stop(self) -> None:
        """Lines in flight get a moment; what is left is run by whoever comes next."""
        if self._runner is not None and self._running is not None:
            await self._runner.stop(self._running)
            self._runner = self._running = None

    def _wanted(self) -> bool:
        """Nothing is opened until a first file was left here, by whatever process."""
        return self._desk is not None or os.path.exists(self._gateway.config.batches_path)

    def _settings(self) -> BatchSettings:
        return self._gateway.config.batches

    async def _opened(self) -> Desk:
        gateway = self._gateway
        try:
            state = await gateway.state_for_batches()
        except ExtraMissing as error:
            raise ExtraMissing(
                "files and batches need the state", why=error.what, next=error.next, status=501
            ) from error
        store = await asyncio.to_thread(Store, gateway.config.batches_path)
        clock = gateway.clock
        return Desk(state, store, self._settings, now_us=clock.now_us, entropy=clock.entropy)
