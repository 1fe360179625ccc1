"""PostgreSQL through psycopg: bounded waits, connections tested before they are used."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.exc import ArgumentError

from pointsman.domain.errors import ConfigurationError, ExtraMissing
from pointsman.state.database import Database

_MIGRATION_LOCK = 0x706F696E74736D6E  # "pointsmn": one database, one migration at a time
_SCRUB_S = 600  # a rewrite of ten million keys takes about a minute


def open_postgres(url: str, *, wait_s: float, connections: int) -> "PostgresDatabase":
    """The database behind a URL; no connection is made yet."""
    try:
        address = make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "the URL of the state is not a URL",
            why="it wants postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
            next="percent-encode what is not a letter or digit in the user and the password",
        ) from None
    shown = address.set(drivername="postgresql", query={})  # an option may hold a password too
    place = shown.render_as_string(hide_password=True)
    try:
        engine = _engine(address, wait_s, connections)
    except ImportError as error:
        raise ExtraMissing(
            "state in PostgreSQL needs its driver",
            why=f"psycopg cannot be loaded: {error}",
            next='pip install "pointsman[postgres]", or leave state.url out for SQLite',
        ) from None
    return PostgresDatabase(engine, place=place, wait_s=wait_s)


def _engine(address: URL, wait_s: float, connections: int) -> Engine:
    engine = create_engine(
        address,
        connect_args=_bounds(address, wait_s),
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=wait_s,
        pool_pre_ping=True,  # a connection that died in the pool is replaced, not met in use
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
        )
        connection.commit()

    return engine


def _bounds(address: URL, wait_s: float) -> dict[str, Any]:
    """How long the server and the network may let us wait; what the URL says goes first."""
    wait_ms = max(1, round(wait_s * 1000))
    said = address.query.get("options", "")
    options = (
        f"-c lock_timeout={wait_ms} -c statement_timeout={2 * wait_ms}"
        f" -c idle_in_transaction_session_timeout={max(30_000, 4 * wait_ms)}"
    )
    bounds: dict[str, Any] = {
        "connect_timeout": max(2, round(wait_s)),  # libpq: whole seconds, at least two
        "tcp_user_timeout": 2 * wait_ms,
        "keepalives_idle": max(1, round(wait_s)),
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "application_name": "pointsman",
    }
    kept = {name: value for name, value in bounds.items() if name not in address.query}
    return {**kept, "options": f"{options} {said if isinstance(said, str) else ' '.join(said)}"}


class PostgresDatabase(Database):
    """One schema of one database: the first of the user's search_path."""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction; rows are locked as they are written."""
        with self.explaining(), self.engine.begin() as connection:
            yield connection

    def insert(self, table: Table) -> Insert:
        """PostgreSQL's own insert."""
        return insert(table)

    def alone(self, connection: Connection) -> None:
        """An advisory lock, which ends with the transaction, however that ends."""
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")

    def scrub(self, table: Table) -> None:
        """Rewrite the table's files. Old bytes stay in the server's log and in backups."""
        name = self.engine.dialect.identifier_preparer.format_table(table)
        with self.explaining(), self.engine.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            alone.exec_driver_sql(f"SET statement_timeout = '{_SCRUB_S}s'")
            alone.exec_driver_sql(f"VACUUM (FULL) {name}")
            alone.invalidate()  # its timeout is not the others'
