"""The log grows: every record of the journal becomes an entry, once, in the order it was found."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from pointsman.audit.entries import Place, entry_hash
from pointsman.audit.hashes import HashFiles
from pointsman.audit.head import AuditFiles, Head, Reached, Run
from pointsman.audit.merkle import root_at
from pointsman.audit.notes import Checkpoint
from pointsman.audit.signing import Signer
from pointsman.domain.errors import JournalUnavailable
from pointsman.journal.disk import try_lock
from pointsman.journal.layout import layout, parse_segment_name, segment_name
from pointsman.journal.manifest import Manifest
from pointsman.journal.recovery import Position, SegmentReader
from pointsman.journal.sealed import read_sealed
from pointsman.journal.snapshot import take_snapshot

DEFAULT_ORIGIN = "pointsman/journal"
_AT_ONCE = 65_536  # entries written before the next are read


class Extension(NamedTuple):
    """What an extension did."""

    added: int
    size: int
    root: bytes


class _Found(NamedTuple):
    place: Place
    chain: bytes
    offset: int  # behind it in the segment's file; 0 where it came from a sealed file


class AuditLog:
    """The Merkle log over the journal under `root`. Several processes may hold one; one extends.

    Raises: CheckFailed when the log's own files cannot be read.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._layout = layout(root)
        self.files = AuditFiles(self._layout)

    def extend(self) -> Extension:
        """Take in what was written since, flushed first: an entry never outlives its record.

        May be killed at any point: the head is replaced last, and what lies behind it is
        overwritten. Raises: JournalUnavailable while another process extends it; OSError.
        """
        self.files.create()
        fd = os.open(self.files.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not try_lock(fd):
                raise JournalUnavailable(
                    "The audit log is being extended by another process",
                    why="one process adds to it at a time",
                    next="try again in a moment",
                )
            return self._extend()
        finally:
            os.close(fd)

    def checkpoint(self, *, origin: str, signer: Signer | None = None) -> Checkpoint:
        """What the log says of itself now, signed and kept beside it.

        The latest one again where nothing was added since. Raises: OSError, CheckFailed.
        """
        head = self.files.head()
        made = Checkpoint(origin=origin, size=head.size, root=bytes.fromhex(head.root or _NOTHING))
        if signer is not None:
            made = signer.sign(made)
        kept = self.files.kept_checkpoints()
        if not kept or kept[-1] != made:
            self.files.append_checkpoint(made)
        return made

    def tree(self, head: Head | None = None) -> HashFiles:
        """The hashes as of a head."""
        return HashFiles(self.files.directory, (head or self.files.head()).size)

    def index_of(self, place: Place) -> int | None:
        """Where a record stands in the log, or None where it is not in it yet."""
        for run in self.files.runs(self.files.head()):
            if (run.writer, run.seq) == place[:2]:
                over = place.ordinal - run.ordinal
                if 0 <= over < run.count:
                    return run.first + over
        return None

    def _extend(self) -> Extension:
        head = self.files.head()
        tree, added = self.tree(head), 0
        with take_snapshot(self._layout, _known(head)) as snapshot:
            for reader in snapshot.tail:
                reader.flush()
            found = _fresh(self._layout.sealed, snapshot.manifest, snapshot.tail, head)
            for batch in _batches(found):
                head = self._add(head, tree, batch)
                added += len(batch)
        root = root_at(tree, head.size)
        if added or not head.root:
            head = msgspec.structs.replace(head, root=root.hex())
            self.files.replace_head(head)
        return Extension(added, head.size, root)

    def _add(self, head: Head, tree: HashFiles, batch: list[_Found]) -> Head:
        runs: list[Run] = []
        writers = dict(head.writers)
        for index, found in enumerate(batch, head.size):
            writer, seq, ordinal = found.place
            last = runs[-1] if runs else None
            if last is not None and (last.writer, last.seq, last.ordinal + last.count) == (
                writer,
                seq,
                ordinal,
            ):
                runs[-1] = msgspec.structs.replace(last, count=last.count + 1)
            else:
                runs.append(Run(first=index, writer=writer, seq=seq, ordinal=ordinal, count=1))
            at = writers.get(writer)
            if at is None or (seq, ordinal) >= (at.seq, at.ordinal):
                writers[writer] = Reached(
                    seq=seq, ordinal=ordinal + 1, offset=found.offset, chain=found.chain.hex()
                )
        tree.append([entry_hash(found.place, found.chain) for found in batch])
        runs_bytes = self.files.append_runs(head, runs)
        grown = msgspec.structs.replace(
            head,
            size=tree.size,
            root=root_at(tree, tree.size).hex(),
            runs_bytes=runs_bytes,
            writers=writers,
        )
        self.files.replace_head(grown)
        return grown


_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of nothing


def _known(head: Head) -> dict[str, Position]:
    return {
        segment_name(writer, at.seq): Position(at.offset, at.ordinal, bytes.fromhex(at.chain))
        for writer, at in head.writers.items()
        if at.offset
    }


def _fresh(
    sealed: Path, manifest: Manifest, tail: Iterable[SegmentReader], head: Head
) -> Iterator[_Found]:
    """Records that are in no entry: of each writer in order, sealed ones first."""
    for file in sorted(manifest.files, key=lambda file: file.first_us):
        new = {
            segment.name
            for segment in file.segments
            if segment.records and _is_new(head, segment.writer, segment.seq, segment.records)
        }
        if new:
            yield from _fresh_rows(sealed / file.name, new, head)
    for reader in tail:
        if reader.header is None:
            continue
        writer, seq = parse_segment_name(reader.name)
        for frame in reader:
            if _is_new(head, writer, seq, frame.ordinal + 1):
                place = Place(writer, seq, frame.ordinal)
                yield _Found(place, frame.chain, reader.position.offset)


def _fresh_rows(path: Path, new: set[str], head: Head) -> Iterator[_Found]:
    for row in read_sealed(path):
        if row.segment in new:
            writer, seq = parse_segment_name(row.segment)
            if _is_new(head, writer, seq, row.ordinal + 1):
                yield _Found(Place(writer, seq, row.ordinal), row.chain, 0)


def _is_new(head: Head, writer: str, seq: int, upto: int) -> bool:
    """Whether the record before `upto` of that segment is not in the log yet."""
    at = head.writers.get(writer)
    return at is None or (seq, upto) > (at.seq, at.ordinal)


def _batches(found: Iterable[_Found]) -> Iterator[list[_Found]]:
    batch: list[_Found] = []
    for each in found:
        batch.append(each)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
