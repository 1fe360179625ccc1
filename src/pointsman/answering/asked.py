"""One request at the door, and the clocks and dice it is answered with."""

from typing import Protocol

import msgspec

from pointsman.answering.targets import Target
from pointsman.domain.limits import Bounds
from pointsman.domain.messages import ModelRequest
from pointsman.domain.records import Capture
from pointsman.domain.tracing import Parent


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


class Asked(msgspec.Struct, frozen=True):
    """Who asks what of which target."""

    request: ModelRequest
    body: bytes  # as it came
    target: Target
    tenant: str
    principal: str
    surface: str
    arrived: float  # monotonic seconds
    bounds: Bounds | None  # the caller's limits, as the door found them; None: there are none
    team: str | None = None  # the caller's, for the record
    session: str | None = None
    subject: str | None = None  # the person whose words these are, as the client names them
    parent: Parent | None = None  # the trace that the client says this belongs to
    capture: Capture | None = None  # at most this is kept of it, whatever its task says
    named: bool = False  # the client gave an x-request-id of its own, which it is told again
