"""Transactions with bounded waits on one engine; every driver error leaves as StateUnavailable."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pointsman.state.troubles import explained, no_connection_free, unavailable


class Database(ABC):
    """What the stores share of SQLite and PostgreSQL."""

    def __init__(self, engine: Engine, *, place: str, wait_s: float) -> None:
        self.engine = engine
        self.place = place  # as it may be shown: no password
        self.wait_s = wait_s
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view; nothing is changed."""
        with self.explaining(), self.engine.begin() as connection:
            yield connection

    @abstractmethod
    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that writes: whole and durable at the end of the `with`, or undone."""
        yield  # type: ignore[misc]

    @abstractmethod
    def insert(self, table: Table) -> Insert:
        """An insert that knows `on_conflict_do_*`; SQLite's speaks the same words."""

    @abstractmethod
    def alone(self, connection: Connection) -> None:
        """Wait until no other process is in here, up to the end of the transaction."""

    @abstractmethod
    def scrub(self, table: Table) -> None:
        """Rewrite what holds a table, so that bytes of changed rows are in its files no more."""

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Errors of the driver as StateUnavailable; a broken promise of our own passes."""
        if self._closed:
            raise unavailable(self.place, why="it was closed", next="open it again")
        try:
            yield
        except (IntegrityError, DataError):
            raise
        except DBAPIError as error:
            raise explained(error.orig or error, self.place) from error
        except PoolTimeout:
            raise no_connection_free(self.place, self.wait_s) from None

    def close(self) -> None:
        """Close every connection; one in use closes once its transaction ends."""
        self._closed = True
        self.engine.dispose()


def rows_in_batches(items: list[Any], size: int = 500) -> Iterator[list[Any]]:
    """The items in slices that fit the bound parameters of one statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
