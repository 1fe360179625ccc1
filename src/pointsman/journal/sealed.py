"""Sealed files: reading their records back, and checking them against manifest and chain."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pointsman.journal.faults import Fault
from pointsman.journal.frames import closing_mark, next_chain
from pointsman.journal.layout import Layout, segment_name
from pointsman.journal.manifest import RollUp, SealedFile, SealedSegment
from pointsman.journal.tables import connect, parquet_files, scratch_directory

_ROWS_AT_ONCE = 1024


class SealedRow(NamedTuple):
    """One record of a sealed file, as it was in its segment."""

    segment: str
    ordinal: int
    payload: bytes
    chain: bytes


def read_sealed(path: Path, *, memory_mb: int = 256) -> Iterator[SealedRow]:
    """The records of a Parquet file in the order they were sealed, a few at a time.

    Raises: duckdb.Error when it is not such a file.
    """
    with scratch_directory() as scratch:
        connection = connect(
            readable=[path.parent], scratch=Path(scratch), threads=1, memory_mb=memory_mb
        )
        try:
            rows = connection.execute(
                f"SELECT writer, seq, ordinal, payload, chain FROM {parquet_files([path])}"  # noqa: S608
            )
            while batch := rows.fetchmany(_ROWS_AT_ONCE):
                for writer, seq, ordinal, payload, chain in batch:
                    yield SealedRow(segment_name(writer, seq), ordinal, payload.encode(), chain)
        finally:
            connection.close()


def check_sealed(layout: Layout, file: SealedFile) -> Fault | None:
    """The first fault of a sealed file, or None: its digest, its records, their chain."""
    import duckdb

    path = layout.sealed / file.name
    try:
        if file_sha256(path) != file.sha256:
            return Fault(
                file=file.name, offset=0, reason="not the file the manifest names (sha256)"
            )
        return _check_rows(path, file)
    except (OSError, duckdb.Error) as error:
        return Fault(file=file.name, offset=0, reason=f"cannot be read: {error}")


def check_rollup(layout: Layout, rollup: RollUp) -> Fault | None:
    """Whether the roll-up of a day is the file that the manifest names."""
    try:
        if file_sha256(layout.rollups / rollup.name) == rollup.sha256:
            return None
    except OSError as error:
        return Fault(file=rollup.name, offset=0, reason=f"cannot be read: {error}")
    return Fault(file=rollup.name, offset=0, reason="not the file the manifest names (sha256)")


def _check_rows(path: Path, file: SealedFile) -> Fault | None:
    expected = iter(file.segments)
    segment: SealedSegment | None = None
    ordinal, chain, at = 0, b"", 0
    for at, row in enumerate(read_sealed(path)):
        while segment is None or ordinal == segment.records:
            if segment is not None and (wrong := _wrong_end(segment, chain)):
                return Fault(file=file.name, offset=at, reason=wrong)
            segment = next(expected, None)
            if segment is None:
                return Fault(file=file.name, offset=at, reason="more records than the manifest")
            ordinal, chain = 0, bytes.fromhex(segment.first)
        if (row.segment, row.ordinal) != (segment.name, ordinal):
            reason = f"record {row.ordinal} of {row.segment} stands where {ordinal} of "
            return Fault(file=file.name, offset=at, reason=reason + f"{segment.name} belongs")
        if next_chain(chain, row.payload) != row.chain:
            reason = f"the chain breaks at record {ordinal} of {segment.name}"
            return Fault(file=file.name, offset=at, reason=reason)
        ordinal, chain = ordinal + 1, row.chain
    return _check_end(file, segment, ordinal, chain, list(expected), at)


def _check_end(
    file: SealedFile,
    segment: SealedSegment | None,
    ordinal: int,
    chain: bytes,
    rest: list[SealedSegment],
    at: int,
) -> Fault | None:
    missing = sum(s.records for s in rest) + (segment.records - ordinal if segment else 0)
    if missing:
        return Fault(file=file.name, offset=at, reason=f"{missing} records are missing")
    wrong = _wrong_end(segment, chain) if segment is not None else None
    for left in rest:
        wrong = wrong or _wrong_end(left, bytes.fromhex(left.first))
    return Fault(file=file.name, offset=at, reason=wrong) if wrong else None


def _wrong_end(segment: SealedSegment, chain: bytes) -> str | None:
    last = closing_mark(chain)[1] if segment.closed else chain
    if last.hex() == segment.last:
        return None
    return f"{segment.name} does not end with the chain that the manifest names"


def file_sha256(path: Path) -> str:
    """Digest of a whole file, hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
