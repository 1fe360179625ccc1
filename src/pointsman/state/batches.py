"""Batches: a queue that survives its runners. Each change is one transaction on one batch."""

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, delete, func, select, update

from pointsman.domain.batches import Batch, FileEntry
from pointsman.domain.errors import InvalidRequest, NotFound
from pointsman.state.database import Database
from pointsman.state.files import insert_files, no_file
from pointsman.state.tables import batches, files


class StoredBatches:
    """Batches by id; every question of a client names its tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, batch: Batch, *, most_open: int) -> None:
        """Put a batch into the queue.

        Raises: NotFound where its input is gone; InvalidRequest where its tenant has as many
            open ones as it may.
        """
        mine = (
            select(func.count())
            .select_from(batches)
            .where(batches.c.tenant == batch.tenant, batches.c.open == 1)
        )
        there = select(files.c.id).where(
            files.c.id == batch.input_file, files.c.tenant == batch.tenant
        )
        with self._database.write() as connection:
            if connection.execute(there).first() is None:
                raise no_file(batch.input_file)
            if connection.execute(mine).scalar_one() >= most_open:
                raise InvalidRequest(
                    f"{most_open} batches are waiting or running, which is the most",
                    next="wait until one is over, or cancel one",
                    code="too_many_batches",
                )
            connection.execute(
                self._database.insert(batches).values(
                    id=batch.id,
                    tenant=batch.tenant,
                    store=batch.store,
                    input_file=batch.input_file,
                    **_kept(batch),
                )
            )

    def get(self, batch: str, tenant: str) -> Batch:
        """The batch. Raises: NotFound, for another tenant's as well."""
        asked = select(batches.c.said).where(batches.c.id == batch, batches.c.tenant == tenant)
        with self._database.read() as connection:
            said = connection.execute(asked).scalar_one_or_none()
        if said is None:
            raise _no_batch(batch)
        return _read(said)

    def page(self, tenant: str, *, limit: int, after: str | None = None) -> tuple[Batch, ...]:
        """Batches of a tenant, the newest first."""
        asked = select(batches.c.said).where(batches.c.tenant == tenant)
        if after is not None:
            asked = asked.where(batches.c.id < after)
        asked = asked.order_by(batches.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return tuple(_read(said) for said in connection.execute(asked).scalars())

    def open(self, store: str, *, limit: int) -> tuple[Batch, ...]:
        """Batches of a store that are not over, the oldest first."""
        asked = (
            select(batches.c.said)
            .where(batches.c.store == store, batches.c.open == 1)
            .order_by(batches.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return tuple(_read(said) for said in connection.execute(asked).scalars())

    def change(
        self,
        batch: str,
        change: Callable[[Batch], Batch],
        *,
        tenant: str | None = None,
        with_files: tuple[FileEntry, ...] = (),
    ) -> Batch:
        """The batch after the change, which no other change came between.

        Args: tenant is whose it must be, where a client asks; with_files are files that come to
            be with the change, or not at all.
        Raises: NotFound; whatever `change` raises, and then nothing is changed.
        """
        with self._database.write() as connection:
            now = self._held(connection, batch, tenant)
            changed = change(now)
            if changed != now:
                insert_files(self._database, connection, with_files)
                connection.execute(
                    update(batches).where(batches.c.id == batch).values(**_kept(changed))
                )
        return changed

    def forget(self, store: str, *, before_us: int, limit: int = 100) -> int:
        """Let go of batches that were over before a time, a bounded number; how many."""
        old = (
            select(batches.c.id)
            .where(batches.c.store == store, batches.c.open == 0, batches.c.over_us < before_us)
            .limit(limit)
        )
        with self._database.write() as connection:
            found = tuple(connection.execute(old).scalars())
            if found:
                connection.execute(delete(batches).where(batches.c.id.in_(found)))
        return len(found)

    def _held(self, connection: Connection, batch: str, tenant: str | None) -> Batch:
        asked = select(batches.c.said).where(batches.c.id == batch)
        if tenant is not None:
            asked = asked.where(batches.c.tenant == tenant)
        said = connection.execute(asked.with_for_update()).scalar_one_or_none()
        if said is None:
            raise _no_batch(batch)
        return _read(said)


def _kept(batch: Batch) -> dict[str, object]:
    return {
        "open": int(not batch.over),
        "over_us": batch.over_us,
        "said": msgspec.json.encode(batch).decode(),
    }


_DECODER = msgspec.json.Decoder(Batch)


def _read(said: str) -> Batch:
    return _DECODER.decode(said)


def _no_batch(batch: str) -> NotFound:
    return NotFound(
        f"there is no batch {batch[:100]!r}",
        next="GET /v1/batches lists them",
        code="batch_not_found",
    )
