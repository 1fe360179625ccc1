"""Files of clients: who has which, how large, until when. Their bytes lie elsewhere."""

import msgspec
from sqlalchemy import Connection, Row, Select, delete, func, or_, select

from pointsman.domain.batches import FileEntry
from pointsman.domain.errors import InvalidRequest, NotFound
from pointsman.state.database import Database
from pointsman.state.tables import batches, files
from pointsman.state.words import checked_name

FILES_MOST = 10_000  # of a tenant


class StoredFiles:
    """Entries by id; every question names the tenant, and sees nothing of others."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, entry: FileEntry, *, most_bytes: int) -> None:
        """Keep the entry of a file whose bytes lie in the store.

        Raises: InvalidRequest where its tenant's files would be too many or too large together.
        """
        mine = select(func.count(), func.coalesce(func.sum(files.c.size), 0)).where(
            files.c.tenant == entry.tenant
        )
        with self._database.write() as connection:
            count, size = connection.execute(mine).one()
            if count >= FILES_MOST or int(size) + entry.size > most_bytes:
                raise InvalidRequest(
                    f"there is no room for {entry.size} bytes more",
                    why=f"{count} files of {int(size)} bytes are kept; {FILES_MOST} of "
                    f"{most_bytes} bytes is the most",
                    next="delete some, or upload with expires_after",
                    code="file_quota_exceeded",
                )
            insert_files(self._database, connection, (entry,))

    def get(self, file: str, tenant: str, *, now_us: int) -> FileEntry:
        """The file. Raises: NotFound, for another tenant's as well."""
        with self._database.read() as connection:
            row = connection.execute(_living(tenant, now_us).where(files.c.id == file)).first()
        if row is None:
            raise no_file(file)
        return _entry(row)

    def page(
        self,
        tenant: str,
        *,
        now_us: int,
        limit: int,
        after: str | None = None,
        purpose: str | None = None,
        ascending: bool = False,
    ) -> tuple[FileEntry, ...]:
        """Files in the order in which they were made, the newest first unless `ascending`."""
        asked = _living(tenant, now_us)
        if purpose is not None:
            asked = asked.where(files.c.purpose == purpose)
        if after is not None:
            asked = asked.where(files.c.id > after if ascending else files.c.id < after)
        asked = asked.order_by(files.c.id if ascending else files.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return tuple(_entry(row) for row in connection.execute(asked))

    def remove(self, file: str, tenant: str) -> FileEntry:
        """Forget a file; the entry it had.

        Raises: NotFound; InvalidRequest where a batch that is not over reads it.
        """
        asked = select(files).where(files.c.id == file, files.c.tenant == tenant)
        reading = select(batches.c.id).where(batches.c.input_file == file, batches.c.open == 1)
        with self._database.write() as connection:
            row = connection.execute(asked).first()
            if row is None:
                raise no_file(file)
            batch = connection.execute(reading).first()
            if batch is not None:
                raise InvalidRequest(
                    f"the file {file} is read by {batch.id}",
                    next="cancel that batch first, or wait for its end",
                    code="file_in_use",
                )
            connection.execute(delete(files).where(files.c.id == file))
        return _entry(row)

    def remove_expired(self, store: str, *, now_us: int, limit: int = 100) -> tuple[str, ...]:
        """Forget files of a store that are over and that no open batch reads; their ids."""
        read = select(batches.c.input_file).where(batches.c.store == store, batches.c.open == 1)
        over = (
            select(files.c.id)
            .where(files.c.store == store, files.c.expires_us <= now_us)
            .where(files.c.id.not_in(read))
            .limit(limit)
        )
        with self._database.write() as connection:
            found = tuple(connection.execute(over).scalars())
            if found:
                connection.execute(delete(files).where(files.c.id.in_(found)))
        return found

    def known(self, ids: tuple[str, ...]) -> frozenset[str]:
        """Those of some ids that name a file, whoever's."""
        with self._database.read() as connection:
            asked = select(files.c.id).where(files.c.id.in_(ids))
            return frozenset(connection.execute(asked).scalars())


def insert_files(
    database: Database, connection: Connection, entries: tuple[FileEntry, ...]
) -> None:
    """Within a transaction of the caller's."""
    for entry in entries:
        checked_name("file", entry.name)
        checked_name("tenant", entry.tenant)
        connection.execute(database.insert(files).values(**msgspec.structs.asdict(entry)))


def no_file(file: str) -> NotFound:
    """For a file that is not there, or not the asking tenant's: nobody learns which."""
    return NotFound(
        f"there is no file {file[:100]!r}", next="GET /v1/files lists them", code="file_not_found"
    )


def _living(tenant: str, now_us: int) -> Select[tuple[object, ...]]:
    return select(files).where(
        files.c.tenant == tenant, or_(files.c.expires_us.is_(None), files.c.expires_us > now_us)
    )


def _entry(row: Row[tuple[object, ...]]) -> FileEntry:
    return FileEntry(**row._asdict())
