"""The reader: named queries over sealed files and the unsealed tail; implements `Reports`."""

import difflib
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from pointsman.domain.errors import JournalUnavailable, UsageError
from pointsman.domain.ports import FateJudge, SubjectKeys
from pointsman.domain.records import BodyRef, Record
from pointsman.journal import bodies
from pointsman.journal.disk import shared_lock
from pointsman.journal.encryption import Cipher
from pointsman.journal.envelopes import Content
from pointsman.journal.faults import Fault
from pointsman.journal.frames import decode_record
from pointsman.journal.layout import layout
from pointsman.journal.manifest import Manifest
from pointsman.journal.queries import NO_LIMIT, QUERIES, NamedQuery
from pointsman.journal.recovery import Position, SegmentReader
from pointsman.journal.sealed import read_sealed
from pointsman.journal.snapshot import take_snapshot
from pointsman.journal.summing import FAR_US, PARTS, sum_up
from pointsman.journal.tables import (
    ROLLED_COLUMNS,
    ROLLED_NOTHING,
    connect,
    parquet_files,
    scratch_directory,
    select_rows,
    write_rows,
)

if TYPE_CHECKING:
    import duckdb

_MADE = """
FROM made
WHERE ($tenant::VARCHAR IS NULL OR tenant = $tenant) AND ($task::VARCHAR IS NULL OR task = $task)
  AND list_contains($parts::VARCHAR[], part)
  AND (dimension IS NULL OR list_contains($dimensions::VARCHAR[], dimension))
ORDER BY day, part, dimension, tenant, task, route, name
"""
_TRIES = 20  # seals published between looking at the manifest twice, before we give up


class JournalReader:
    """Implements the port `Reports`. May be used from any thread, one query at a time.

    The unsealed tail stays in DuckDB's memory between queries; each query first reads what was
    appended since the last. Nothing is locked: writers and a sealer go on meanwhile.
    Args: threads and memory_mb bound DuckDB; over its memory it spills to a private directory.
    With keys a body whose key was destroyed reads as erased, whether or not it was overwritten.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        threads: int = 1,
        memory_mb: int = 512,
        keys: SubjectKeys | None = None,
        cipher: Cipher | None = None,
        only_sealed: bool = False,
    ) -> None:
        self._layout = layout(root)
        self._keys = keys
        self._cipher = cipher
        self._only_sealed = only_sealed  # for sums that a change of the manifest opens anew
        self._threads = threads
        self._memory_mb = memory_mb
        self._turn = threading.Lock()
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._generation = -1
        self._known: dict[str, Position] = {}
        self.faults: tuple[Fault, ...] = ()  # why segments of the last query stop early

    def query(self, name: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a named query, each as a dict of its documented columns.

        Every record appended before the call counts exactly once.
        Raises: UsageError for an unknown query or parameter; CheckFailed and JournalUnavailable
        when the journal cannot be read; duckdb.Error when the answer outgrows memory and disk.
        """
        query = QUERIES.get(name)
        if query is None:
            raise _unknown("query", name, QUERIES)
        values = _bind(name, query, params or {})
        with self._turn, shared_lock(self._layout.readers_lock):
            connection = self._refreshed()
            if query.edge and values["limit"] < NO_LIMIT:
                (values["since_us"],) = connection.execute(query.edge, values).fetchone() or (0,)
            cursor = connection.execute(query.sql, values)
            columns = [column[0] for column in cursor.description]
            return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    def sums(
        self, judge: FateJudge, *, since_us: int, until_us: int, known_us: int = FAR_US,
        parts: Sequence[str] = PARTS, dimensions: Sequence[str] = (),
        tenant: str | None = None, task: str | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """The rows of the query `rollups` for requests admitted in [since_us, until_us), made now.

        Outcomes after known_us count for nothing. Raises: as `query`.
        """
        params = {"tenant": tenant, "task": task, "parts": list(parts),
                  "dimensions": list(dimensions)}  # fmt: skip
        with self.connected() as (connection, scratch):
            sum_up(
                connection, scratch, judge, since_us=since_us, until_us=until_us,
                known_us=known_us, parts=parts, dimensions=dimensions,
            )  # fmt: skip
            cursor = connection.execute(_MADE, params)
            columns = [column[0] for column in cursor.description]
            rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
            connection.execute("DROP TABLE made")
        return rows

    @contextmanager
    def connected(self) -> "Iterator[tuple[duckdb.DuckDBPyConnection, Path]]":
        """DuckDB with `records` as the journal stands now, and a directory for scratch files.

        For the SQL of this room only.
        """
        with self._turn, shared_lock(self._layout.readers_lock):
            connection = self._refreshed()
            assert self._scratch is not None, "a connection has its scratch directory"
            yield connection, Path(self._scratch.name)

    def body(self, ref: BodyRef) -> bytes | None:
        """The body, or None where it was erased or never kept. Raises: CheckFailed."""
        content = self.content(ref)
        return None if content is None else content.body

    def content(self, ref: BodyRef) -> Content | None:
        """Body and features, or None where they were erased or never kept. Raises: CheckFailed."""
        key = None
        if ref.key is not None and self._keys is not None:
            key = self._keys.find([ref.key]).get(ref.key)
            if key is None:
                return None
        return bodies.read_content(self._layout, ref, key=key, cipher=self._cipher)

    def erase_body(self, ref: BodyRef) -> bool:
        """Overwrite a body for ever; False where none is left. Raises: CheckFailed, OSError."""
        return bodies.erase_body(self._layout, ref)

    def erase_bodies(self, refs: Iterable[BodyRef]) -> int:
        """Overwrite many bodies, one flush a pack; how many were not erased before.

        Raises: CheckFailed, OSError.
        """
        return bodies.erase_bodies(self._layout, refs)

    def close(self) -> None:
        """Let go of memory and scratch files. Safe to repeat; a later query starts afresh."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if self._scratch is not None:
                self._scratch.cleanup()
                self._scratch = None

    def __enter__(self) -> "JournalReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _refreshed(self) -> "duckdb.DuckDBPyConnection":
        """The connection, with `records` as the journal stands now."""
        connection = self._connection or self._connect()
        for _ in range(_TRIES):
            with take_snapshot(self._layout, self._known) as snapshot:
                if snapshot.manifest.generation == self._generation:
                    if not self._only_sealed:
                        self._extend_tail(connection, snapshot.tail)
                    return connection
            self._change_sealed(connection, snapshot.manifest)
        raise JournalUnavailable(
            "The journal kept changing while it was read",
            why=f"a seal was published during each of {_TRIES} tries",
            next="run one sealer only, and less often",
        )

    def _connect(self) -> "duckdb.DuckDBPyConnection":
        self._scratch = self._scratch or scratch_directory()
        scratch = Path(self._scratch.name)
        connection = connect(
            readable=[self._layout.sealed, self._layout.rollups],
            scratch=scratch,
            threads=self._threads,
            memory_mb=self._memory_mb,
        )
        self._rows = scratch / "rows.ndjson"
        self._rows.write_bytes(b"")
        connection.execute(f"CREATE TABLE tail AS {select_rows(self._rows)} LIMIT 0")
        self._known, self._generation = {}, -1
        self._connection = connection
        return connection

    def _change_sealed(self, connection: "duckdb.DuckDBPyConnection", manifest: Manifest) -> None:
        """Read from the files that are sealed now, and begin the tail anew.

        Deleting rows would not give their memory back; what is left of the tail after a seal is
        little more than the segments that writers hold.
        """
        self._known = {}
        connection.execute("CREATE OR REPLACE TABLE tail AS FROM tail LIMIT 0")
        view = "CREATE OR REPLACE VIEW records AS FROM tail"
        if manifest.files:
            files = parquet_files(self._layout.sealed / file.name for file in manifest.files)
            view += f" UNION ALL BY NAME FROM {files}"
        connection.execute(view)
        self._change_rollups(connection, manifest)
        self._generation = manifest.generation

    def _change_rollups(self, connection: "duckdb.DuckDBPyConnection", manifest: Manifest) -> None:
        """The sums of days, and which of them lack a record that is sealed."""
        rows = ROLLED_NOTHING
        if manifest.rollups:
            files = (self._layout.rollups / each.name for each in manifest.rollups)
            rows = f"({rows}) UNION ALL BY NAME FROM {parquet_files(files)}"
        connection.execute(f"CREATE OR REPLACE VIEW rollups AS {rows}")
        stale = {day for file in manifest.files for day in file.unrolled}
        connection.execute(f"CREATE OR REPLACE TABLE rolled ({ROLLED_COLUMNS})")
        days = [
            (
                each.day,
                each.latest_us,
                msgspec.json.encode(each.rules).decode(),
                each.day in stale and each.day > manifest.frozen_day,
                each.day <= manifest.frozen_day,
                each.form,
            )
            for each in manifest.rollups
        ]
        if days:
            connection.executemany("INSERT INTO rolled VALUES (?, ?, ?, ?, ?, ?)", days)

    def _extend_tail(
        self, connection: "duckdb.DuckDBPyConnection", tail: tuple[SegmentReader, ...]
    ) -> None:
        known, added = dict(self._known), 0
        faults: list[Fault] = []
        with self._rows.open("wb", buffering=1 << 18) as out:
            for reader in tail:
                if reader.header is not None:
                    added += write_rows(out, reader.header, reader)
                    known[reader.name] = reader.position
                stop = reader.stop
                if stop is not None and not stop.good and stop.kind != "short":
                    faults.append(Fault(file=reader.name, offset=stop.offset, reason=stop.kind))
        if added:
            connection.execute(f"INSERT INTO tail {select_rows(self._rows)}")
        self._known = known  # only now: a failed insert is tried again by the next query
        self.faults = tuple(faults)


def iter_records(root: str | os.PathLike[str]) -> Iterator[Record]:
    """Each record of the journal once, sealed files first; as it stood when iteration began.

    Raises: CheckFailed when the manifest cannot be read; msgspec.ValidationError for a record of
    a later version.
    """
    where = layout(root)
    with take_snapshot(where) as snapshot:
        for file in snapshot.manifest.files:
            for row in read_sealed(where.sealed / file.name):
                yield decode_record(row.payload)
        for reader in snapshot.tail:
            for frame in reader:
                yield decode_record(frame.payload)


def _bind(name: str, query: NamedQuery, params: Mapping[str, Any]) -> dict[str, Any]:
    for given in params:
        if given not in query.params:
            raise _unknown(f"parameter of {name}", given, query.params)
    values = {key: params.get(key) for key in query.params}
    for key, default in query.params.items():
        if values[key] is None:
            values[key] = default
        if values[key] is None and key in query.required:
            raise UsageError(
                f"The query {name} needs {key}", why=query.gives, next=f"give {key}", param=key
            )
    return values


def _unknown(what: str, given: str, known: Mapping[str, Any]) -> UsageError:
    near = difflib.get_close_matches(given, known, n=1)
    return UsageError(
        f"There is no {what} called {given!r}",
        why=f"known are {', '.join(known)}",
        next=f"did you mean {near[0]}?" if near else "",
        param=given,
    )
