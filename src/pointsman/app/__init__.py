"""The composition root: it knows every room and names the concrete classes."""

from pointsman.app.application import Application, Prepared
from pointsman.app.building import (
    checked_contexts,
    governor_of,
    mend_journal,
    record_configuration,
    ways,
)
from pointsman.app.clock import SystemClock
from pointsman.app.sharing import RunningEngines, RunningKeeper, Shared

__all__ = [
    "Application",
    "Prepared",
    "RunningEngines",
    "RunningKeeper",
    "Shared",
    "SystemClock",
    "checked_contexts",
    "governor_of",
    "mend_journal",
    "record_configuration",
    "ways",
]
