"""Subject keys: one living secret a subject, rotated, and destroyed to the last byte."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, select, update

from pointsman.domain.errors import StateUnavailable
from pointsman.domain.ids import ulid
from pointsman.domain.ports import SubjectKey
from pointsman.state.database import Database, rows_in_batches
from pointsman.state.subject_hash import HASH_SECRET, rewrap_secret, subject_hash
from pointsman.state.tables import meta, subject_keys
from pointsman.state.words import checked_name
from pointsman.state.wrapping import Secrets

_SCRUB = "scrub_pending"  # set with a destruction, cleared once its bytes are out of the files
_ATTEMPTS = 5  # a subject destroyed again and again while its key is made
_Row = Row[tuple[str, bytes, str | None, int]]


class StoredSubjectKeys:
    """The port `SubjectKeys`. It keeps no key in memory: a cache, bounded, is the caller's."""

    def __init__(
        self, database: Database, *, hash_secret: bytes, secrets: Secrets, clock: Callable[[], int]
    ) -> None:
        self._database = database
        self._hash_secret = hash_secret
        self._secrets = secrets
        self._clock = clock

    def key(self, tenant: str, subject: str) -> SubjectKey:
        """The subject's living key, made (and durable) before this returns."""
        hashed = self._hash(tenant, subject)
        with self._database.read() as connection:
            row = _living(connection, hashed)
        return self._opened(row if row is not None else self._made(tenant, hashed, after=0))

    def rotate(self, tenant: str, subject: str) -> SubjectKey:
        """A new living key; older ones are still found by id, and destroyed with it."""
        hashed = self._hash(tenant, subject)
        with self._database.read() as connection:
            row = _living(connection, hashed)
        return self._opened(self._made(tenant, hashed, after=row.generation if row else 0))

    def find(self, ids: Sequence[str]) -> dict[str, SubjectKey]:
        """Those of the keys that were not destroyed."""
        found: dict[str, SubjectKey] = {}
        with self._database.read() as connection:
            for batch in rows_in_batches(list(ids)):
                rows = connection.execute(_secrets().where(subject_keys.c.id.in_(batch)))
                found |= {row.id: self._opened(row) for row in rows}
        return found

    def destroyed(self, ids: Sequence[str]) -> dict[str, int]:
        """Those of the keys that were destroyed, with when (microseconds since 1970)."""
        asked = select(subject_keys.c.id, subject_keys.c.destroyed_us)
        asked = asked.where(subject_keys.c.destroyed_us.is_not(None))
        found: dict[str, int] = {}
        with self._database.read() as connection:
            for batch in rows_in_batches(list(ids)):
                rows = connection.execute(asked.where(subject_keys.c.id.in_(batch)))
                found |= {row.id: row.destroyed_us for row in rows}
        return found

    def destroy(self, tenant: str, subject: str) -> tuple[str, ...]:
        """Destroy every key of the subject, for good; the ids of those destroyed."""
        return self.destroy_all([(tenant, subject)])

    def destroy_all(self, subjects: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """Destroy every key of many subjects with one rewrite of the files.

        Raises: StateUnavailable. Where it names ids, those are destroyed for every reader, and
        only the rewrite is left, which the next destruction or start does.
        """
        hashes = list({self._hash(*each) for each in subjects})
        gone = {
            "secret": None,
            "wrapped_by": None,
            "subject_hash": None,
            "destroyed_us": self._clock(),
        }
        ids: list[str] = []
        with self._database.write() as connection:
            for batch in rows_in_batches(hashes):
                erased = (
                    update(subject_keys)
                    .where(subject_keys.c.subject_hash.in_(batch))
                    .values(gone)
                    .returning(subject_keys.c.id)
                )
                ids += connection.execute(erased).scalars()
            if ids:
                self._mark_scrub(connection)
        try:
            self.finish_destroying()
        except StateUnavailable as error:
            raise _not_rewritten(sorted(ids), error) from error
        return tuple(sorted(ids))

    def finish_destroying(self) -> None:
        """Take the bytes of destroyed keys out of the files, where that is still to be done."""
        with self._database.read() as connection:
            mark = connection.execute(select(meta.c.value).where(meta.c.name == _SCRUB)).scalar()
        if mark is None:
            return
        self._database.scrub(subject_keys)
        done = delete(meta).where(meta.c.name == _SCRUB, meta.c.value == mark)
        with self._database.write() as connection:  # a later mark is another's, and stays
            connection.execute(done)

    def rewrap(self) -> int:
        """Put every secret under the present master key; how many lay under none or another."""
        under = self._secrets.under
        if under is None:
            return 0
        changed = rewrap_secret(self._database, self._secrets, HASH_SECRET, self._hash_secret)
        foreign = _secrets().where(subject_keys.c.wrapped_by.is_distinct_from(under))
        after = ""
        while True:
            asked = foreign.where(subject_keys.c.id > after).order_by(subject_keys.c.id)
            with self._database.read() as connection:
                rows = connection.execute(asked.limit(200)).all()
            if not rows:
                break
            after = rows[-1].id
            changed += self._rewrap_rows(rows)
        self.finish_destroying()
        return changed

    def _rewrap_rows(self, rows: Sequence[_Row]) -> int:
        fresh = [
            (row, self._secrets.stored(self._opened(row).secret, context=row.id)) for row in rows
        ]
        changed = 0
        with self._database.write() as connection:
            for row, stored in fresh:
                unchanged = (subject_keys.c.id == row.id, subject_keys.c.secret == row.secret)
                update_row = update(subject_keys).where(*unchanged).values(stored)
                changed += connection.execute(update_row).rowcount  # 0: destroyed meanwhile
            self._mark_scrub(connection)
        return changed

    def _hash(self, tenant: str, subject: str) -> bytes:
        if not subject:
            raise ValueError("a subject is not empty")
        return subject_hash(self._hash_secret, checked_name("tenant", tenant), subject)

    def _made(self, tenant: str, hashed: bytes, *, after: int) -> _Row:
        """The key of the next generation; another process's, where that was quicker."""
        now_us = self._clock()
        key_id = "sk_" + ulid(now_us // 1_000, os.urandom(10))
        insert = (
            self._database.insert(subject_keys)
            .values(
                id=key_id,
                tenant=tenant,
                subject_hash=hashed,
                generation=after + 1,
                made_us=now_us,
                **self._secrets.stored(os.urandom(32), context=key_id),
            )
            .on_conflict_do_nothing(
                index_elements=[subject_keys.c.subject_hash, subject_keys.c.generation]
            )
        )
        for _ in range(_ATTEMPTS):
            with self._database.write() as connection:
                connection.execute(insert)
                row = _living(connection, hashed)
            if row is not None:
                return row
        raise StateUnavailable(
            "a subject key could not be made",
            why="the subject's keys were destroyed again and again meanwhile",
            next="try again",
        )

    def _opened(self, row: _Row) -> SubjectKey:
        secret = self._secrets.clear(row.secret, row.wrapped_by, context=row.id)
        return SubjectKey(id=row.id, secret=secret)

    def _mark_scrub(self, connection: Connection) -> None:
        insert = self._database.insert(meta).values(name=_SCRUB, value=os.urandom(16))
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=[meta.c.name], set_={"value": insert.excluded.value}
            )
        )


def _secrets() -> Select[Any]:
    columns = subject_keys.c
    asked = select(columns.id, columns.secret, columns.wrapped_by, columns.generation)
    return asked.where(columns.secret.is_not(None))


def _living(connection: Connection, hashed: bytes) -> _Row | None:
    asked = _secrets().where(subject_keys.c.subject_hash == hashed)
    newest = asked.order_by(subject_keys.c.generation.desc()).limit(1)
    return connection.execute(newest).one_or_none()


def _not_rewritten(ids: list[str], error: StateUnavailable) -> StateUnavailable:
    named = ", ".join(ids[:20]) + (f" and {len(ids) - 20} more" if len(ids) > 20 else "")
    return StateUnavailable(
        "keys are destroyed for every reader, but their bytes still lie in the files",
        why=f"{error.why}; destroyed: {named or 'earlier ones'}",
        next=f"{error.next}; the next destruction or start takes the bytes away",
    )
