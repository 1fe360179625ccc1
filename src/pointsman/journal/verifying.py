"""Verifying: every record of a journal against its checksum, its chain and the manifest."""

import os
from collections import defaultdict

import msgspec

from pointsman.journal.faults import Fault
from pointsman.journal.frames import NO_CHAIN
from pointsman.journal.layout import Layout, layout, parse_segment_name
from pointsman.journal.recovery import SegmentReader
from pointsman.journal.sealed import check_rollup, check_sealed
from pointsman.journal.snapshot import take_snapshot


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, and the first fault.

    `unclosed` and `cuts` are no faults: a killed writer leaves them. But a segment that lost
    whole records at its very end looks like `unclosed` too, so they are named.
    """

    records: int
    segments: int
    sealed_files: int
    live: tuple[str, ...] = ()  # still written to
    unclosed: tuple[str, ...] = ()  # no writer holds it and it bears no closing mark
    cuts: tuple[str, ...] = ()  # what recovery cut off and set aside
    fault: Fault | None = None

    @property
    def ok(self) -> bool:
        return self.fault is None


class _Link(msgspec.Struct, frozen=True):
    """Where the chain of a segment starts and ends."""

    seq: int
    file: str
    first: bytes
    last: bytes
    last_seq: int | None = None  # where it stands for several


def verify(root: str | os.PathLike[str]) -> VerifyReport:
    """Walk all sealed files and segments and report the first fault with file and offset.

    May run beside writers and a sealer. It sees a change of any byte; it cannot see a journal
    that someone rewrote whole, with new hashes: for that, keep chain heads elsewhere.
    Raises: CheckFailed when the manifest cannot be read.
    """
    where = layout(root)
    links: dict[str, list[_Link]] = defaultdict(list)
    faults: list[Fault] = []
    live: list[str] = []
    unclosed: list[str] = []
    records = 0
    with take_snapshot(where) as snapshot:
        for file in snapshot.manifest.files:
            fault = check_sealed(where, file)
            faults += [fault] if fault else []
            records += file.records
            for sealed in file.segments:
                first, last = bytes.fromhex(sealed.first), bytes.fromhex(sealed.last)
                links[sealed.writer].append(_Link(sealed.seq, file.name, first, last))
                unclosed += [] if sealed.closed else [sealed.name]
        for gone in snapshot.manifest.dropped:
            first, last = bytes.fromhex(gone.first), bytes.fromhex(gone.last)
            name = f"{gone.writer} (dropped)"
            links[gone.writer].append(_Link(gone.first_seq, name, first, last, gone.last_seq))
        for rollup in snapshot.manifest.rollups:
            fault = check_rollup(where, rollup)
            faults += [fault] if fault else []
        for reader in snapshot.tail:
            fault = _check_segment(reader, live, unclosed)
            faults += [fault] if fault else []
            records += reader.position.ordinal
            if reader.header is not None:
                writer, seq = parse_segment_name(reader.name)
                link = _Link(seq, reader.name, reader.header.chain, reader.position.chain)
                links[writer].append(link)
        sealed_files, segments = len(snapshot.manifest.files), len(snapshot.tail)
    faults += [fault for chain in links.values() if (fault := _check_links(chain))]
    return VerifyReport(
        records=records,
        segments=segments,
        sealed_files=sealed_files,
        live=tuple(live),
        unclosed=tuple(unclosed),
        cuts=_cuts(where),
        fault=faults[0] if faults else None,
    )


def _check_segment(reader: SegmentReader, live: list[str], unclosed: list[str]) -> Fault | None:
    held = reader.live()  # asked before reading: who lives now may still finish the last frame
    for _ in reader:
        pass
    stop = reader.stop
    assert stop is not None, "a segment that was read to its end says why it ended"
    if held:
        live.append(reader.name)
    elif stop.kind == "end":
        unclosed.append(reader.name)
    if stop.good or (held and stop.kind == "short"):
        return None
    reason = " ".join(filter(None, (_REASONS[stop.kind], stop.detail and f"({stop.detail})")))
    return Fault(file=reader.name, offset=stop.offset, reason=reason)


_REASONS = {
    "header": "the header is bad",
    "short": "the file ends inside a record",
    "oversize": "a length is out of bounds",
    "crc": "the checksum of a record does not match",
    "chain": "the chain hash of a record does not match",
    "trailing": "something follows the closing mark",
}


def _check_links(chain: list[_Link]) -> Fault | None:
    """The segments of one writer follow each other without a gap."""
    expected_seq, expected_chain = 0, NO_CHAIN
    for link in sorted(chain, key=lambda link: link.seq):
        if link.seq != expected_seq:
            reason = f"segment {expected_seq} of its writer is missing before {link.seq}"
            return Fault(file=link.file, offset=0, reason=reason)
        if link.first != expected_chain:
            reason = f"segment {link.seq} does not go on from the end of the one before it"
            return Fault(file=link.file, offset=0, reason=reason)
        expected_seq, expected_chain = (link.last_seq or link.seq) + 1, link.last
    return None


def _cuts(where: Layout) -> tuple[str, ...]:
    if not where.segments.is_dir():
        return ()
    return tuple(sorted(p.name for p in where.segments.iterdir() if ".pj.cut" in p.name))
