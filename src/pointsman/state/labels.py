"""Labels: names that point at values, moved by compare-and-set, with who moved them and when."""

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, Row, func, select

from pointsman.state.database import Database
from pointsman.state.tables import labels
from pointsman.state.words import checked_name, checked_value


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What a name points at, and since when."""

    name: str
    value: str | None  # None: taken away
    revision: int  # 1, 2, 3 …: what `put` compares
    by: str
    at_us: int


class StoredLabels:
    """Prompt and other labels. A move is appended; nothing of their history is ever edited."""

    def __init__(self, database: Database, *, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    def get(self, name: str) -> Label | None:
        """What a name says now; None if it never said anything."""
        with self._database.read() as connection:
            return _newest(connection, name)

    def put(self, name: str, value: str | None, *, by: str, revision: int) -> Label | None:
        """The label moved; None where it is no longer at this revision, and nothing is done.

        Args: value None takes the label away; revision is the one that was seen, 0 for none.
        """
        fresh = Label(
            name=checked_name("label", name),
            value=None if value is None else checked_value("label", value),
            revision=revision + 1,
            by=checked_name("label's mover", by),
            at_us=self._clock(),
        )
        insert = (
            self._database.insert(labels)
            .values(**msgspec.structs.asdict(fresh))
            .on_conflict_do_nothing(index_elements=[labels.c.name, labels.c.revision])
            .returning(labels.c.revision)
        )
        with self._database.write() as connection:
            now = _newest(connection, name)
            if (now.revision if now else 0) != revision:
                return None
            won = connection.execute(insert).one_or_none() is not None
        return fresh if won else None

    def current(self, prefix: str = "") -> tuple[Label, ...]:
        """Every label that says something and whose name begins so, by name."""
        newest = (
            select(labels.c.name, func.max(labels.c.revision).label("revision"))
            .where(func.substr(labels.c.name, 1, len(prefix)) == prefix)
            .group_by(labels.c.name)
            .subquery()
        )
        asked = select(labels).join(
            newest,
            (labels.c.name == newest.c.name) & (labels.c.revision == newest.c.revision),
        )
        with self._database.read() as connection:
            found = [_label(row) for row in connection.execute(asked)]
        said = (label for label in found if label.value is not None)
        return tuple(sorted(said, key=lambda label: label.name))

    def history(self, name: str, *, limit: int = 100) -> tuple[Label, ...]:
        """The moves of a label, the newest first."""
        asked = (
            select(labels)
            .where(labels.c.name == name)
            .order_by(labels.c.revision.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return tuple(_label(row) for row in connection.execute(asked))


def _newest(connection: Connection, name: str) -> Label | None:
    asked = select(labels).where(labels.c.name == name).order_by(labels.c.revision.desc()).limit(1)
    row = connection.execute(asked).one_or_none()
    return _label(row) if row is not None else None


def _label(row: Row[tuple[str, int, str | None, str, int]]) -> Label:
    return Label(name=row.name, value=row.value, revision=row.revision, by=row.by, at_us=row.at_us)
