"""What runs once for all workers of a gateway, as each of them reaches it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pointsman.answering.feedback import KnownTrace
from pointsman.answering.subjects import KeyMaker
from pointsman.backends.address import Address
from pointsman.backends.embedded_supervisor import EngineState
from pointsman.domain.portfolio import Deployment
from pointsman.domain.task import Configuration


class RunningEngines(Protocol):
    """The embedded engines: `Engines` of this process, or those that its supervisor runs."""

    async def prepare(self, deployments: Iterable[Deployment]) -> None: ...
    async def keep_only(self, deployments: Iterable[Deployment]) -> None: ...
    async def stop(self) -> None: ...
    def address(self, deployment: Deployment) -> Address | None: ...
    def states(self, deployments: Iterable[Deployment]) -> dict[str, EngineState]: ...


class RunningKeeper(Protocol):
    """The keeper: a child of this process, or of its supervisor."""

    def start(self, config: Configuration) -> None: ...
    async def change(self, config: Configuration) -> None: ...
    async def stop(self) -> None: ...
    @property
    def status(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What runs once for all workers of a gateway, as the worker `index` of them reaches it.

    Limits of a process are a share of what is configured: one part in `workers`.
    """

    index: int
    workers: int
    engines: RunningEngines
    keeper: RunningKeeper
    scrape: Callable[[], Awaitable[bytes]]  # the metrics of all workers, as text
    subject_keys: KeyMaker
    recall: Callable[[str, str], Awaitable[Sequence[KnownTrace]]]  # by a reference, for a tenant
