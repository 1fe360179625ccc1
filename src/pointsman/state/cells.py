"""Cells: small values that many processes change together, each change one transaction."""

from collections.abc import Callable, Mapping

from sqlalchemy import delete, func, select, update

from pointsman.state.database import Database
from pointsman.state.tables import cells
from pointsman.state.words import checked_name

VALUE_MAX = 1024 * 1024
_FORGOTTEN_AT_ONCE = 100


class StoredCells:
    """The port `Cells`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def change(self, name: str, change: Callable[[bytes | None], bytes], *, until_us: int) -> bytes:
        """The value after the change; other changers of the cell wait meanwhile."""
        # Made where there is none, and locked in the same statement: nobody comes between.
        held = (
            self._database.insert(cells)
            .values(name=checked_name("cell", name), value=b"", until_us=until_us)
            .on_conflict_do_update(index_elements=[cells.c.name], set_={"name": name})
            .returning(cells.c.value)
        )
        with self._database.write() as connection:
            old = bytes(connection.execute(held).scalar_one()) or None
            value = change(old)
            assert 0 < len(value) <= VALUE_MAX, "a cell holds something small"
            if value != old:
                connection.execute(
                    update(cells).where(cells.c.name == name).values(value=value, until_us=until_us)
                )
        return value

    def read(self, prefix: str) -> Mapping[str, bytes]:
        """The cells whose names begin so."""
        asked = select(cells.c.name, cells.c.value).where(
            func.substr(cells.c.name, 1, len(prefix)) == prefix
        )
        with self._database.read() as connection:
            return {row.name: bytes(row.value) for row in connection.execute(asked)}

    def forget(self, *, now_us: int) -> int:
        """Let go of what is over; how many. A bounded number each time."""
        over = select(cells.c.name).where(cells.c.until_us < now_us).limit(_FORGOTTEN_AT_ONCE)
        with self._database.write() as connection:
            found = [row.name for row in connection.execute(over)]
            if found:
                connection.execute(delete(cells).where(cells.c.name.in_(found)))
        return len(found)

    def close(self) -> None:
        """The database is its owner's."""
