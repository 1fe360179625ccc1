"""The embedded engines of a configuration, kept across changes: what stays is not restarted."""

import asyncio
from collections.abc import Callable, Iterable

from pointsman.backends.address import Address
from pointsman.backends.embedded_engine import EmbeddedEngine
from pointsman.backends.embedded_supervisor import EngineState, Supervisor
from pointsman.domain.portfolio import Deployment, EmbeddedModel

_STARTS_AT_ONCE = 2
_Key = tuple[str, EmbeddedModel]


class Engines:
    """One supervised engine for each embedded deployment, by its name and what it serves.

    Args: make builds the engine of a deployment.
    """

    def __init__(self, make: Callable[[Deployment], EmbeddedEngine]) -> None:
        self._make = make
        self._supervisors: dict[_Key, Supervisor] = {}
        self._starts = asyncio.Semaphore(_STARTS_AT_ONCE)

    async def prepare(self, deployments: Iterable[Deployment]) -> None:
        """Start the engines that are not there yet; one that refuses is `down`.

        Raises: ConfigurationError or ExtraMissing where an engine can never start; what was
            started for this call is stopped again.
        """
        fresh = [(key, item) for item in deployments
                 if (key := _key(item)) is not None and key not in self._supervisors]  # fmt: skip
        tasks = [asyncio.create_task(self._start(key, item)) for key, item in fresh]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._stop(key for key, _ in fresh)
            raise

    async def keep_only(self, deployments: Iterable[Deployment]) -> None:
        """Stop the engines of every other deployment."""
        kept = {_key(item) for item in deployments}
        await self._stop([key for key in self._supervisors if key not in kept])

    async def stop(self) -> None:
        """Stop them all."""
        await self.keep_only(())

    def address(self, deployment: Deployment) -> Address | None:
        """Where the engine of this deployment listens now; None: it does not."""
        supervisor = self._supervisors.get(key) if (key := _key(deployment)) else None
        return supervisor.address(deployment.name) if supervisor is not None else None

    def states(self, deployments: Iterable[Deployment]) -> dict[str, EngineState]:
        """How the engines of these deployments stand, by name."""
        return {
            item.name: self._supervisors[key].state(item.name)
            for item in deployments
            if (key := _key(item)) is not None and key in self._supervisors
        }

    def all(self) -> list[tuple[str, EmbeddedModel, Address | None, EngineState]]:
        """Every engine that is kept: its deployment, what it serves, where, how it stands."""
        return [
            (name, model, supervisor.address(name), supervisor.state(name))
            for (name, model), supervisor in self._supervisors.items()
        ]

    async def _start(self, key: _Key, deployment: Deployment) -> None:
        async with self._starts:
            supervisor = self._supervisors[key] = Supervisor([self._make(deployment)])
            await supervisor.start()

    async def _stop(self, keys: Iterable[_Key]) -> None:
        supervisors = [self._supervisors.pop(key, None) for key in keys]
        await asyncio.gather(*(item.stop() for item in supervisors if item is not None))


def _key(deployment: Deployment) -> _Key | None:
    return None if deployment.embedded is None else (deployment.name, deployment.embedded)
