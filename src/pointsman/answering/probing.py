"""Asks deployments whether they are there, now and then, in the background; calls no model.

Nobody's request waits for it, and no look at `/healthz` or `/readyz` sets it off.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pointsman.answering.access import Access, Accesses
from pointsman.domain.portfolio import Deployment

log = logging.getLogger(__name__)
_AT_ONCE = 16
_TICK_S = 1.0  # the longest that a deployment that began to fail waits to be noticed
_SHORTEST_TICK_S = 0.05
Ask = Callable[[Deployment], Awaitable[bool]]


class Prober:
    """One task that probes what is due; as many processes, as many probers."""

    def __init__(
        self, accesses: Callable[[], Accesses], ask: Ask, monotonic: Callable[[], float]
    ) -> None:
        """Args: accesses gives those of the configuration in force; ask says whether a deployment
        is there, within its `probe.timeout_s`.
        """
        self._accesses = accesses
        self._ask = ask
        self._monotonic = monotonic
        self._due: dict[str, float] = {}  # when each is next
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. Inside a running loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End, in the middle of a question too."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._tick_s())
            due = self._those_due(self._monotonic())
            for first in range(0, len(due), _AT_ONCE):
                await asyncio.gather(*map(self._probe, due[first : first + _AT_ONCE]))

    def _tick_s(self) -> float:
        every = [
            access.deployment.probe.every_s
            for access in self._accesses().by_name.values()
            if access.deployment.probe.when != "never"
        ]
        return min(max(min(every, default=_TICK_S), _SHORTEST_TICK_S), _TICK_S)

    def _those_due(self, now: float) -> list[Access]:
        known = self._accesses().by_name
        self._due = {name: at for name, at in self._due.items() if name in known}
        due = []
        for name, access in known.items():
            rules = access.deployment.probe
            wanted = rules.when == "always" or (rules.when == "unwell" and access.failing)
            # an engine of our own is watched by its supervisor
            if not wanted or access.deployment.embedded is not None:
                self._due.pop(name, None)
            elif now >= self._due.get(name, 0.0):
                self._due[name] = now + rules.every_s
                due.append(access)
        return due

    async def _probe(self, access: Access) -> None:
        try:
            well = await self._ask(access.deployment)
        except Exception:  # a probe that breaks says nothing of the deployment
            log.exception("deployment %s could not be probed", access.deployment.name)
            return
        access.probed(self._monotonic(), well=well)
