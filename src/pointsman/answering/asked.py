"""One request at the door, and the clocks and dice it is answered with."""

from dataclasses import dataclass
from typing import Protocol

from pointsman.answering.targets import Target
from pointsman.domain.messages import ChatRequest


class Clock(Protocol):
    """The two clocks and the two dice of a running system; a simulated one in tests."""

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds, for durations only."""
        ...

    def entropy(self, size: int) -> bytes:
        """Unguessable bytes for ids."""
        ...

    def draw(self) -> float:
        """A number in [0, 1) for decisions; it goes into their record."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks what of which target."""

    request: ChatRequest
    body: bytes  # as it came
    target: Target
    tenant: str
    principal: str
    surface: str
    arrived: float  # monotonic seconds
    session: str | None = None
    subject: str | None = None  # the person whose words these are, as the client names them
