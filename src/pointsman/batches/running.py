"""What files and batches want of the gateway they live in."""

from collections.abc import Callable
from typing import Protocol

from pointsman.answering.asked import Clock
from pointsman.answering.shell import Answering
from pointsman.answering.targets import Targets
from pointsman.domain.ports import BatchState
from pointsman.domain.task import Configuration


class Gateway(Protocol):
    """What it says changes with its configuration."""

    config: Configuration
    targets: Targets
    answering: Answering
    workers: int

    @property
    def clock(self) -> Clock: ...

    @property
    def in_flight(self) -> Callable[[], int]:
        """Requests of clients that are being answered by this process."""
        ...

    async def state_for_batches(self) -> BatchState:
        """The state, opened now where nothing else needed it. Raises: PointsmanError."""
        ...
