"""SQLite: one file, WAL, one writer at a time, fsync at every commit, freed bytes zeroed."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.pool import QueuePool

from pointsman.state.database import Database
from pointsman.state.troubles import explained, unavailable

# FULL: a commit is on the disk before it returns. secure_delete: what is freed is zeroed.
_PRAGMAS = (
    "synchronous = FULL",
    "fullfsync = ON",
    "secure_delete = ON",
    "cache_size = -512",  # KiB of each connection, not 2 MiB: the kernel has the pages as well
)
_OLDEST = (3, 35)  # RETURNING


def open_sqlite(path: str, *, wait_s: float, connections: int) -> "SqliteDatabase":
    """The database in a file, which is made, for this user alone, where there is none."""
    place = f"sqlite:///{path}"
    if sqlite3.sqlite_version_info < _OLDEST:
        raise unavailable(
            place,
            why=f"Python's SQLite is {sqlite3.sqlite_version}, older than 3.35",
            next="use a Python with a newer SQLite, or PostgreSQL",
        )
    file = Path(path).absolute()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():  # an existing file is never opened here: closing it drops its locks
            _make_private(file)
    except OSError as error:
        raise unavailable(
            place,
            why=f"the file cannot be made ({error.strerror})",
            next="look whether its folder exists and this user may write there",
        ) from error
    return SqliteDatabase(_engine(file, place, wait_s, connections), file, place, wait_s)


def _make_private(file: Path) -> None:
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return  # another process was first


def _engine(file: Path, place: str, wait_s: float, connections: int) -> Engine:
    address = f"file:{quote(str(file))}?mode=rw"  # rw: a file that is gone is not made anew

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            address, uri=True, timeout=wait_s, isolation_level=None, check_same_thread=False
        )

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=wait_s,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: Any) -> None:
        _switch_to_wal(connection, place, wait_s)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _switch_to_wal(connection: sqlite3.Connection, place: str, wait_s: float) -> None:
    """WAL is kept in the file; the first switch wants the file alone and does not wait itself."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
            continue
        if mode == "wal":
            return
        raise unavailable(
            place,
            why=f"its file system does not carry a write-ahead log (journal mode {mode})",
            next="put it on a local disk, or use PostgreSQL",
        )


class SqliteDatabase(Database):
    """One file. Threads queue for the writer's place here, processes inside SQLite."""

    def __init__(self, engine: Engine, file: Path, place: str, wait_s: float) -> None:
        super().__init__(engine, place=place, wait_s=wait_s)
        self._file = file
        self._identity = self._identity_now()
        self._writing = engine.execution_options(writes=True)
        self._turn = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view."""
        self._check_file()
        with super().read() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, begun as the writer: it never fails for a lock half way."""
        with self._writer_turn(), self.explaining(), self._writing.begin() as connection:
            yield connection

    def insert(self, table: Table) -> Insert:
        """SQLite's own insert; its `on_conflict_do_*` take the same arguments."""
        return cast(Insert, insert(table))

    def alone(self, connection: Connection) -> None:
        """BEGIN IMMEDIATE has seen to it."""

    def scrub(self, table: Table) -> None:
        """Rewrite the file without what was freed, then empty the log of the old pages."""
        with self._writer_turn(), self.explaining():
            pooled = self.engine.raw_connection()
            try:
                driver = cast(sqlite3.Connection, pooled.driver_connection)
                driver.execute("VACUUM")
                busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error as error:
                raise explained(error, self.place) from error
            finally:
                pooled.close()
            if busy:
                raise unavailable(
                    self.place,
                    why=f"a reader kept the log of old pages for more than {self.wait_s:g} s",
                    next="end the process that reads it: a backup, or a sqlite3 shell",
                )

    @contextmanager
    def _writer_turn(self) -> Iterator[None]:
        self._check_file()
        if not self._turn.acquire(timeout=self.wait_s):
            raise unavailable(
                self.place,
                why=f"other threads were writing for {self.wait_s:g} s",
                next="look at the disk: a commit waits for its fsync",
            )
        try:
            yield
        finally:
            self._turn.release()

    def _identity_now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._file)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _check_file(self) -> None:
        """A removed file would take writes that nobody ever reads again."""
        if self._identity_now() != self._identity:
            raise unavailable(
                self.place,
                why="the file was removed or replaced while we had it open",
                next="put it back, or restore a backup, and start again",
            )
