"""From a URL to an open State: connected, migrated, half-done destruction finished."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from pointsman.domain.errors import ConfigurationError, StateUnavailable
from pointsman.state.batches import StoredBatches
from pointsman.state.cells import StoredCells
from pointsman.state.database import Database
from pointsman.state.files import StoredFiles
from pointsman.state.held import StoredHeld
from pointsman.state.labels import StoredLabels
from pointsman.state.leases import StoredLeases
from pointsman.state.migrating import migrate
from pointsman.state.postgres import open_postgres
from pointsman.state.schedules import StoredSchedules
from pointsman.state.sqlite import open_sqlite
from pointsman.state.subject_hash import load_hash_secret
from pointsman.state.subject_keys import StoredSubjectKeys
from pointsman.state.virtual_keys import StoredVirtualKeys
from pointsman.state.wrapping import Secrets, Wrapper

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgresql+psycopg://")
CONNECTIONS = 4  # kept open once they were needed at the same time, never more


def wall_us() -> int:
    """Microseconds since 1970 by this machine's clock."""
    return time.time_ns() // 1_000


class State:
    """Everything that must be mutable, in one database. For threads, never for an event loop."""

    def __init__(
        self, database: Database, *, clock: Callable[[], int], wrapper: Wrapper | None
    ) -> None:
        secrets = Secrets(wrapper)
        self._database = database
        self.place = database.place  # as it may be shown: no password
        self.leases = StoredLeases(database)
        self.schedules = StoredSchedules(database)
        self.labels = StoredLabels(database, clock=clock)
        self.cells = StoredCells(database)
        self.files = StoredFiles(database)
        self.batches = StoredBatches(database)
        self.held = StoredHeld(database)
        self.virtual_keys = StoredVirtualKeys(database, secrets=secrets, clock=clock)
        self.subject_keys = StoredSubjectKeys(
            database,
            hash_secret=load_hash_secret(database, secrets),
            secrets=secrets,
            clock=clock,
        )

    def rewrap(self) -> int:
        """Put every secret under the present master key; how many lay under none or another."""
        return self.subject_keys.rewrap() + self.virtual_keys.rewrap()

    def close(self) -> None:
        """Close the connections; one that is in use closes when its transaction ends."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def open_state(
    url: str,
    *,
    clock: Callable[[], int] = wall_us,
    wrapper: Wrapper | None = None,
    wait_s: float = 5.0,
    connections: int = CONNECTIONS,
) -> State:
    """The state at a URL, made and migrated where needed.

    Args: url is `sqlite:///PATH` or `postgresql://…`; clock gives microseconds since 1970;
        wrapper holds the master key; wait_s bounds each wait: for a connection, a lock, a writer.
    Raises: StateUnavailable; ConfigurationError if the URL is not one of ours, the schema is of a
        newer version or the keys lie under another master key; ExtraMissing without the driver.
    """
    database = _open(url, wait_s, connections)
    try:
        migrate(database)
        state = State(database, clock=clock, wrapper=wrapper)
        _finish_destroying(state)
    except BaseException:
        database.close()
        raise
    return state


def _open(url: str, wait_s: float, connections: int) -> Database:
    path = url.removeprefix(_SQLITE)
    if url.startswith(_SQLITE) and path and ":memory:" not in path:
        return open_sqlite(path, wait_s=wait_s, connections=connections)
    if url.startswith(_POSTGRES):
        return open_postgres(url, wait_s=wait_s, connections=connections)
    raise ConfigurationError(
        "the URL of the state is not one we can open",
        why="it wants sqlite:///PATH or postgresql://USER@HOST/DATABASE",
        next="put state.url right, or leave it out: it then lies beside the journal",
    )


def _finish_destroying(state: State) -> None:
    """What a killed process left half done; where it cannot be done now, the mark stays."""
    try:
        state.subject_keys.finish_destroying()
    except StateUnavailable:
        return  # a long reader of another process: the next start or destruction tries again
