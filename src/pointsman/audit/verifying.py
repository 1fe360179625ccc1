"""Verifying a journal against its log and against checkpoints that were kept elsewhere.

Nothing that lies beside the records is believed: chains are computed again from the records, and
every root from what that gives. A forger who wrote everything here anew, with matching checksums,
chains and hashes, still meets the checkpoint that is out of reach.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from pointsman.audit.entries import Place, chain_of, entry_hash
from pointsman.audit.hashes import WIDTH_BITS, HashFiles, fold
from pointsman.audit.head import AuditFiles, Head, Run, run_of
from pointsman.audit.merkle import Frontier
from pointsman.audit.notes import Checkpoint, NoteError
from pointsman.audit.signing import Verifier
from pointsman.domain.records import DroppedRun, RetentionRecord
from pointsman.journal.frames import NO_CHAIN, decode_record
from pointsman.journal.layout import Layout, layout, parse_segment_name
from pointsman.journal.manifest import Dropped
from pointsman.journal.sealed import read_sealed
from pointsman.journal.snapshot import Snapshot, take_snapshot
from pointsman.journal.verifying import verify

_FAULTS = 20  # named in a report; more are counted
_LEAVES_AT_ONCE = 1 << WIDTH_BITS
_RETENTION = b'{"kind":"retention"'
_MOST_SEGMENTS = 1_000_000  # that one line of a manifest or record may name


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that the journal agrees with."""

    origin: str
    size: int
    signed_by: tuple[str, ...] = ()


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, and what is wrong."""

    records: int  # in the journal
    entries: int  # in the log
    later: int = 0  # records that are in no entry yet: written since the last extension
    dropped: int = 0  # entries whose records retention took; their hashes stay
    checkpoints: tuple[Agreed, ...] = ()
    faults: tuple[str, ...] = ()
    fault_count: int = 0

    @property
    def ok(self) -> bool:
        return not self.fault_count


class _Chained(NamedTuple):
    place: Place
    chain: bytes
    payload: bytes


_Segment = tuple[str, int]


def verify_journal(
    root: str | os.PathLike[str],
    *,
    checkpoints: Sequence[Checkpoint] = (),
    keys: Iterable[str] = (),
) -> AuditReport:
    """Every record against its entry, every entry against every checkpoint.

    Args: checkpoints from elsewhere, beside those kept here; keys are public keys as text: where
    there are any, a checkpoint from elsewhere must bear the signature of one.
    Raises: CheckFailed when the log or the manifest cannot be read; NoteError for a wrong key;
    ExtraMissing where signatures are to be checked without PyNaCl.
    """
    where = layout(root)
    files = AuditFiles(where)
    head = files.head()
    faults: list[str] = []
    trusted = list(keys)
    kept = files.kept_checkpoints()
    signers = _signers([*kept, *checkpoints], trusted, faults, must=len(kept))
    own = verify(root)  # checksums of whole files see what no record shows
    if own.fault is not None:
        faults.append(str(own.fault))
    with take_snapshot(where) as snapshot:
        seen = _check_records(where, snapshot, files, head, faults)
    wanted = [*kept, *checkpoints]
    agreed = _check_roots(files, head, wanted, signers, faults)
    return AuditReport(
        records=seen.records,
        entries=head.size,
        later=seen.later,
        dropped=seen.dropped,
        checkpoints=tuple(agreed),
        faults=tuple(faults[:_FAULTS]),
        fault_count=len(faults),
    )


class _Seen(msgspec.Struct):
    records: int = 0
    later: int = 0
    dropped: int = 0


def _check_records(
    where: Layout, snapshot: Snapshot, files: AuditFiles, head: Head, faults: list[str]
) -> _Seen:
    """Each record's hash, computed anew, against the leaf that stands where its run says."""
    runs: dict[tuple[str, int], list[Run]] = {}
    told = 0  # entries that a run says the record of: else nobody would look for theirs
    for run in files.runs(head):
        if run.first != told or run.count < 1:
            faults.append(f"the runs of the log do not say what entry {told} was made of")
        told = run.first + run.count
        runs.setdefault((run.writer, run.seq), []).append(run)
    if told != head.size:
        faults.append(f"the runs of the log tell of {told} entries, it has {head.size}")
    tree, seen = HashFiles(files.directory, head.size), _Seen()
    matched: dict[int, int] = {}  # first entry of a run -> how many of its records are there
    leaves = _Leaves(tree)
    witnessed: dict[_Segment, DroppedRun] = {}
    for place, chain, payload in _chained(where, snapshot, faults):
        seen.records += 1
        if payload.startswith(_RETENTION):
            witnessed.update(_witnessed(payload))
        its = run_of(runs, place)
        if its is None:
            seen.later += 1
            if _reached(head, place):
                faults.append(f"record {place} stands where the log has none")
            continue
        matched[its.first] = matched.get(its.first, 0) + 1
        index = its.first + place.ordinal - its.ordinal
        try:
            stored = leaves.at(index)
        except ValueError as error:
            faults.append(str(error))
            return seen
        if stored != entry_hash(place, chain):
            faults.append(f"record {place} is not the one that entry {index} was made of")
    gone = _gone(snapshot.manifest.dropped, witnessed, faults)
    taken: dict[DroppedRun, int] = {}  # of what retention says it took, what the log has of it
    for key, of_segment in runs.items():
        if key in gone:
            said = gone[key]
            taken[said] = taken.get(said, 0) + sum(run.count for run in of_segment)
        for run in of_segment:
            missing = run.count - matched.get(run.first, 0)
            if missing < 0:
                faults.append(f"records of {run.writer} {run.seq} stand twice")
            if missing <= 0:
                continue
            if key in gone and missing == run.count:
                seen.dropped += missing
                continue
            faults.append(
                f"{missing} of {run.count} records of {run.writer} {run.seq}, from {run.ordinal} "
                f"on, are missing (entries from {run.first})"
            )
    for said, count in taken.items():
        if count > said.records:
            faults.append(
                f"retention says that it took {said.records} records of {said.writer}, "
                f"{said.first_seq} to {said.last_seq}; the log has {count} entries of them"
            )
    return seen


def _witnessed(payload: bytes) -> dict[_Segment, DroppedRun]:
    """Which segments a record of retention says that it took."""
    record = decode_record(payload)
    if not isinstance(record, RetentionRecord):
        return {}
    return {
        (run.writer, seq): run
        for run in record.dropped
        if run.last_seq - run.first_seq < _MOST_SEGMENTS
        for seq in range(run.first_seq, run.last_seq + 1)
    }


def _gone(
    dropped: Iterable[Dropped], witnessed: Mapping[_Segment, DroppedRun], faults: list[str]
) -> dict[_Segment, DroppedRun]:
    """The segments that may be missing: those that the manifest and a record in the journal name.

    The manifest alone is no proof: whoever removed the records could have written it.
    """
    gone = {}
    for each in dropped:
        alone = []
        for seq in range(each.first_seq, each.last_seq + 1):
            run = witnessed.get((each.writer, seq))
            if run is None:
                alone.append(seq)
            else:
                gone[each.writer, seq] = run
            if len(alone) > _MOST_SEGMENTS:
                break
        if alone:
            faults.append(
                f"the manifest says that {each.writer} {alone[0]} to {alone[-1]} were kept long "
                "enough; no record of retention says so"
            )
    return gone


def _chained(where: Layout, snapshot: Snapshot, faults: list[str]) -> Iterator[_Chained]:
    """Every record with its chain hash computed anew, each writer's from its first."""
    firsts = {
        (segment.writer, segment.seq): bytes.fromhex(segment.first)
        for file in snapshot.manifest.files
        for segment in file.segments
    }
    for file in snapshot.manifest.files:
        chain, at = b"", ("", -1)
        try:
            for row in read_sealed(where.sealed / file.name):
                if (segment := parse_segment_name(row.segment)) != at:
                    at = segment
                    chain = firsts.get(at, NO_CHAIN)
                chain = chain_of(chain, row.payload)
                yield _Chained(Place(*at, row.ordinal), chain, row.payload)
        except Exception as error:  # whatever a changed file makes DuckDB say
            faults.append(f"{file.name} cannot be read: {error}")
    for reader in snapshot.tail:
        if reader.header is None:
            stop = reader.stop
            faults.append(f"{reader.name}: {stop.detail if stop else 'no header'}")
            continue
        at = parse_segment_name(reader.name)
        chain = reader.header.chain
        for frame in reader:
            chain = chain_of(chain, frame.payload)
            yield _Chained(Place(*at, frame.ordinal), chain, frame.payload)
        stop = reader.stop
        if stop is not None and not stop.good and not (stop.kind == "short" and reader.live()):
            faults.append(f"{reader.name}: {stop.kind} at byte {stop.offset}")


def _reached(head: Head, place: Place) -> bool:
    at = head.writers.get(place.writer)
    return at is not None and (place.seq, place.ordinal) < (at.seq, at.ordinal)


class _Leaves:
    """Leaves by index, read in pieces: neighbours are asked for together."""

    def __init__(self, tree: HashFiles) -> None:
        self._tree = tree
        self._piece, self._hashes = -1, [b""]

    def at(self, index: int) -> bytes:
        piece = index // _LEAVES_AT_ONCE
        if piece != self._piece:
            start = piece * _LEAVES_AT_ONCE
            count = min(_LEAVES_AT_ONCE, self._tree.size - start)
            self._hashes = self._tree.read(0, start, count)
            self._piece = piece
        return self._hashes[index % _LEAVES_AT_ONCE]


def _check_roots(
    files: AuditFiles,
    head: Head,
    checkpoints: Sequence[Checkpoint],
    signers: dict[int, tuple[str, ...]],
    faults: list[str],
) -> list[Agreed]:
    """The roots of the log's beginnings, computed from its leaves, against what was signed."""
    wanted = sorted({each.size for each in checkpoints if each.size <= head.size} | {head.size})
    roots: dict[int, bytes] = {}
    frontier, tree = Frontier(), HashFiles(files.directory, head.size)
    try:
        for size in wanted:
            while frontier.size < size:
                count = min(_LEAVES_AT_ONCE, size - frontier.size)
                for leaf in tree.read(0, frontier.size, count):
                    frontier.append(leaf)
            roots[size] = frontier.root()
        if head.size and roots[head.size].hex() != head.root:
            faults.append("the hashes of the log do not give the root that its head names")
        faults += _upper_faults(tree)
    except ValueError as error:
        faults.append(f"the hashes of the log: {error}")
    agreed = []
    for at, each in enumerate(checkpoints):
        if each.size > head.size:
            faults.append(
                f"a checkpoint of {each.origin} names {each.size} entries; the log here has "
                f"{head.size}: its end is missing"
            )
        elif roots.get(each.size) != each.root:
            faults.append(
                f"the first {each.size} entries do not give the root that a checkpoint of "
                f"{each.origin} names: what lies here is not what was signed"
            )
        else:
            agreed.append(Agreed(origin=each.origin, size=each.size, signed_by=signers.get(at, ())))
    return agreed


def _upper_faults(tree: HashFiles) -> Iterator[str]:
    """Stored roots of subtrees that their own leaves do not give: proofs would be wrong."""
    for index in range(tree.size >> WIDTH_BITS):
        below = tree.read(0, index << WIDTH_BITS, 1 << WIDTH_BITS)
        if fold(below) != tree.read(1, index, 1)[0]:
            yield f"the stored root of entries from {index << WIDTH_BITS} on is wrong"


def _signers(
    checkpoints: Sequence[Checkpoint], keys: Sequence[str], faults: list[str], *, must: int
) -> dict[int, tuple[str, ...]]:
    """Who of the trusted signed each; those from `must` on need one."""
    if not keys:
        return {}
    verifier, found = Verifier(keys), {}
    for at, each in enumerate(checkpoints):
        try:
            found[at] = tuple(verifier.signers(each))
        except NoteError as error:
            faults.append(f"a checkpoint of {each.size} entries: {error}")
            continue
        if at >= must and not found[at]:
            faults.append(f"a checkpoint of {each.size} entries bears no signature of a given key")
    return found
