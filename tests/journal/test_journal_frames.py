"""Segments as bytes: what is written is read, and no damage is read as a record."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_facts import (
    a_config,
    abandon,
    an_admission,
    an_attempt,
    an_end,
    an_outcome,
    flip,
    numbered,
    segments,
    write,
)

from pointsman.domain.errors import JournalUnavailable
from pointsman.domain.records import OutcomeRecord, Record
from pointsman.journal import JournalWriter, iter_records, read_segment, recover, verify
from pointsman.journal.frames import (
    FRAME_BYTES,
    HEADER_BYTES,
    MAX_RECORD_BYTES,
    Header,
    decode_header,
    decode_record,
    encode_frame,
    encode_header,
    encode_record,
)

words = st.text(max_size=30)
outcomes = st.builds(
    an_outcome,
    st.integers(0, 10**6),
    trace=words,
    outcome=words,
    value=st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | words,
    tenant=words,
    key=st.none() | words,
)
records = st.one_of(
    outcomes,
    st.builds(an_admission, words, at_us=st.integers(0, 2**62), tenant=words, asked=words),
    st.builds(an_end, words, at_us=st.integers(0, 2**62), error=st.none() | words),
    st.builds(a_config, words),
)


@given(st.lists(records, max_size=12))
@settings(max_examples=40, deadline=None)
def test_what_was_appended_is_read_back_equal_and_in_order(facts: list[Record]) -> None:
    with tempfile.TemporaryDirectory() as root:
        write(Path(root), facts, segment_bytes=700)
        assert list(iter_records(root)) == facts
        report = verify(root)
        assert report.ok
        assert report.records == len(facts)


@given(records)
def test_decoding_an_encoded_record_gives_that_record(fact: Record) -> None:
    assert decode_record(encode_record(fact)) == fact


def test_a_header_is_read_as_it_was_written() -> None:
    header = Header("0123456789ABCDEFGHJKMNPQRS-4242", 7, bytes(range(32)))
    assert decode_header(encode_header(header)) == header


@pytest.mark.parametrize("closed", [True, False])
@given(at=st.integers(0, 10**9), bit=st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_ends_the_reading_before_it_and_is_named(
    closed: bool, at: int, bit: int
) -> None:
    with a_segment(closed) as (root, path, payloads):
        at %= path.stat().st_size
        flip(path, at, bit)
        good = good_payloads(path)
        assert good == payloads[: len(good)]
        fault = verify(root).fault
        assert fault is not None
        assert fault.file == path.name
        assert fault.offset <= at


@given(st.integers(0, 10**9))
@settings(max_examples=100, deadline=None)
def test_a_truncated_segment_reads_as_a_prefix_and_does_not_pass_for_whole(at: int) -> None:
    with a_segment(True) as (root, path, payloads):
        at %= path.stat().st_size
        with path.open("r+b") as file:
            file.truncate(at)
        good = good_payloads(path)
        assert good == payloads[: len(good)]
        report = verify(root)
        assert report.unclosed == (path.name,) or not report.ok


@given(start=st.integers(0, 10**9), length=st.integers(1, 400))
@settings(max_examples=100, deadline=None)
def test_a_piece_cut_out_of_the_middle_is_named(start: int, length: int) -> None:
    with a_segment(True) as (root, path, payloads):
        data = path.read_bytes()
        start %= len(data) - 1
        path.write_bytes(data[:start] + data[start + length :])
        good = good_payloads(path)
        assert good == payloads[: len(good)]
        report = verify(root)
        assert report.unclosed == (path.name,) or not report.ok


@given(st.integers(0, 10**9), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_recovery_cuts_at_the_damage_and_keeps_what_it_cut(at: int, bit: int) -> None:
    with a_segment(False) as (root, path, _):
        at = HEADER_BYTES + at % (path.stat().st_size - HEADER_BYTES)
        flip(path, at, bit)
        damaged = path.read_bytes()
        good = good_payloads(path)
        found = recover(path)
        assert found.state == "cut"
        assert found.cut_file is not None
        assert path.read_bytes() + found.cut_file.read_bytes() == damaged
        assert good_payloads(path) == good
        write(root, [an_outcome(99)])
        report = verify(root)
        assert report.ok
        assert report.records == len(good) + 1
        assert report.cuts == (found.cut_file.name,)


def test_recovery_sets_a_file_without_a_header_aside(tmp_path: Path) -> None:
    write(tmp_path, numbered(3))
    (path,) = segments(tmp_path)
    flip(path, 3)
    found = recover(path)
    assert found.state == "cut"
    assert not path.exists()
    assert verify(tmp_path).ok


def test_recovery_leaves_a_live_writer_alone(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as writer:
        writer.append(an_outcome())
        (path,) = segments(tmp_path)
        assert recover(path).state == "held"
    assert recover(path).state == "whole"


def test_reading_stops_at_a_length_over_the_bound_without_allocating_it(tmp_path: Path) -> None:
    write(tmp_path, numbered(1))
    (path,) = segments(tmp_path)
    with path.open("r+b") as file:
        file.seek(HEADER_BYTES)
        file.write((MAX_RECORD_BYTES + 1).to_bytes(4, "little"))
    with read_segment(path) as reader:
        assert list(reader) == []
        assert reader.stop is not None
        assert reader.stop.kind == "oversize"


def test_a_record_over_the_bound_is_refused_and_the_next_is_taken(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as writer:
        with pytest.raises(JournalUnavailable, match="too large"):
            writer.append(an_outcome(outcome="x" * MAX_RECORD_BYTES))
        writer.append(an_outcome(1))
    assert [fact.id for fact in iter_records(tmp_path) if isinstance(fact, OutcomeRecord)] == [
        "oc_000001"
    ]


def test_a_record_moved_to_another_place_breaks_the_chain(tmp_path: Path) -> None:
    write(tmp_path, numbered(3))
    (path,) = segments(tmp_path)
    data = path.read_bytes()
    with read_segment(path) as reader:
        first, second, third = (frame.offset for frame in reader)
    swapped = data[second:third] + data[first:second]
    path.write_bytes(data[:first] + swapped + data[third:])
    fault = verify(tmp_path).fault
    assert fault is not None
    assert (fault.offset, "chain hash" in fault.reason) == (first, True)


def test_a_missing_segment_of_a_writer_is_named(tmp_path: Path) -> None:
    write(tmp_path, numbered(20), segment_bytes=700)
    gone = segments(tmp_path)[1]
    gone.unlink()
    fault = verify(tmp_path).fault
    assert fault is not None
    assert "segment 1 of its writer is missing" in fault.reason


def test_a_segment_that_goes_on_from_another_chain_is_named(tmp_path: Path) -> None:
    write(tmp_path, numbered(20), segment_bytes=700)
    path = segments(tmp_path)[1]
    with read_segment(path) as reader:
        header = reader.header
    assert header is not None
    forged = encode_header(Header(header.writer, header.seq, bytes(31) + b"\x01"))
    frame, _ = encode_frame(bytes(31) + b"\x01", encode_record(an_outcome(1)))
    path.write_bytes(forged + frame)
    fault = verify(tmp_path).fault
    assert fault is not None
    assert "does not go on from the end of the one before it" in fault.reason


def test_a_live_segment_is_read_while_its_last_frame_is_not_whole_yet(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as writer:
        writer.append(an_outcome(1))
        frame, _ = encode_frame(writer._chain, encode_record(an_outcome(2)))
        (path,) = segments(tmp_path)
        with path.open("ab") as file:
            file.write(frame[: FRAME_BYTES + 5])
        assert len(list(iter_records(tmp_path))) == 1
        report = verify(tmp_path)
        assert report.ok
        assert report.live == (path.name,)
        writer._segment.torn = True  # as after a write that failed part-way
    assert verify(tmp_path).ok


def good_payloads(path: Path) -> list[bytes]:
    with read_segment(path) as reader:
        payloads = [frame.payload for frame in reader]
        assert reader.stop is not None
        return payloads


@contextmanager
def a_segment(closed: bool) -> Iterator[tuple[Path, Path, list[bytes]]]:
    """A fresh copy of a small segment, and what it holds."""
    name, data, payloads = written_segment(closed)
    with tempfile.TemporaryDirectory() as root:
        home = Path(root) / "journal" / "segments"
        home.mkdir(parents=True)
        (home / name).write_bytes(data)
        yield Path(root), home / name, payloads


@lru_cache(maxsize=2)
def written_segment(closed: bool) -> tuple[str, bytes, list[bytes]]:
    root = Path(tempfile.mkdtemp())
    try:
        writer = JournalWriter(root)
        for fact in (an_admission(), an_end(attempts=(an_attempt(),)), *numbered(4)):
            writer.append(fact)
        writer.close() if closed else abandon(writer)
        (path,) = segments(root)
        return path.name, path.read_bytes(), good_payloads(path)
    finally:
        shutil.rmtree(root)
