"""Bring a database to this version's schema, once, however many processes open it at a time."""

import threading
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from pointsman.domain.errors import ConfigurationError
from pointsman.state.database import Database
from pointsman.state.troubles import unavailable

REVISIONS = ("0001", "0002", "0003", "0004")  # in order; each a file in migrations/versions
VERSION_TABLE = "pointsman_schema_version"  # not `alembic_version`: a database may be shared

# Alembic keeps the migration that runs in module globals: one at a time in a process.
_ONE_AT_A_TIME = threading.Lock()


def migrate(database: Database) -> None:
    """The newest schema, from any older one or none; nothing is ever taken back.

    Raises: ConfigurationError if the schema is not one that this version knows.
    """
    with database.read() as connection:
        if _version(connection, database.place) == REVISIONS[-1]:
            return
    if not _ONE_AT_A_TIME.acquire(timeout=12 * database.wait_s):
        raise unavailable(database.place, why="another thread is still migrating", next="try again")
    try:
        with database.write() as connection:
            database.alone(connection)
            if _version(connection, database.place) != REVISIONS[-1]:
                _upgrade(connection)
    finally:
        _ONE_AT_A_TIME.release()


def _version(connection: Connection, place: str) -> str | None:
    """The revision of a database, None where it has none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()  # noqa: S608
    if not found:
        return None
    version = str(found[0])
    if len(found) > 1 or version not in REVISIONS:
        raise ConfigurationError(
            f"the state {place} was written by a newer version of pointsman",
            why=f"its schema is {', '.join(map(str, found))[:80]}; this version knows up to"
            f" {REVISIONS[-1]} and does not take a schema back",
            next="install that version again, or restore a backup from before it",
        )
    return version


def _upgrade(connection: Connection) -> None:
    from alembic import command  # 0.1 s to import: only where there is something to do
    from alembic.config import Config

    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, REVISIONS[-1])
