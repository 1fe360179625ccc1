"""What must be mutable: leases, subject keys, schedules, labels; SQLite, or PostgreSQL by URL."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pointsman.domain.errors import ExtraMissing

if TYPE_CHECKING:
    from pointsman.state.labels import Label, StoredLabels
    from pointsman.state.leases import StoredLeases
    from pointsman.state.opening import State, open_state
    from pointsman.state.schedules import StoredSchedules
    from pointsman.state.subject_keys import StoredSubjectKeys
    from pointsman.state.wrapping import Wrapper

_HOMES = {
    "Label": "labels",
    "State": "opening",
    "StoredLabels": "labels",
    "StoredLeases": "leases",
    "StoredSchedules": "schedules",
    "StoredSubjectKeys": "subject_keys",
    "Wrapper": "wrapping",
    "open_state": "opening",
}

__all__ = [
    "Label",
    "State",
    "StoredLabels",
    "StoredLeases",
    "StoredSchedules",
    "StoredSubjectKeys",
    "Wrapper",
    "open_state",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{home}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("sqlalchemy", "alembic"):
            raise
        raise ExtraMissing(
            "mutable state needs SQLAlchemy and Alembic, which are not installed",
            why=f"no module named {error.name!r}",
            next='pip install "pointsman[state]"',
        ) from None
