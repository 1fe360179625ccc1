"""Sealing: Parquet under a manifest, with nothing lost and nothing doubled at any moment."""

import subprocess
import sys
from pathlib import Path

import pytest
from journal_child import KILL_BEFORE_RENAME
from journal_facts import (
    CHILD,
    a_config,
    abandon,
    an_admission,
    an_attempt,
    an_end,
    an_outcome,
    child_environment,
    flip,
    numbered,
    read_ids,
    sealed_files,
    segments,
    write,
)

from pointsman.journal import JournalReader, JournalWriter, iter_records, seal, verify
from pointsman.journal.disk import try_lock
from pointsman.journal.layout import layout
from pointsman.journal.manifest import read_manifest, replace_manifest

POINTS = ("cleaned", "taken", "rows", "parquet", "checked", "published", "removed")


def test_sealed_records_are_the_same_records_in_the_same_order(tmp_path: Path) -> None:
    facts = [
        a_config("ü\x00\u2028"),
        an_admission("tr_1", asked='"quoted" \\ \n'),
        an_end("tr_1", attempts=(an_attempt(response_id="r-1"),), delivered=0),
        *numbered(30),
    ]
    write(tmp_path, facts, segment_bytes=900)
    report = seal(tmp_path)
    assert (report.state, report.records) == ("sealed", len(facts))
    assert report.segments > 2
    assert segments(tmp_path) == []
    assert list(iter_records(tmp_path)) == facts
    assert verify(tmp_path).ok


def test_a_live_segment_is_left_and_the_finished_ones_are_sealed(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as writer:
        writer.append(an_outcome(0))
        write(tmp_path, numbered(2, start=1))
        report = seal(tmp_path)
        assert (report.records, report.live) == (2, 1)
        writer.append(an_outcome(3))
    assert seal(tmp_path).records == 2
    assert sorted(read_ids(tmp_path)) == [record.id for record in numbered(4)]
    assert verify(tmp_path).ok


def test_the_chain_of_a_writer_runs_through_sealed_and_open_segments(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, segment_bytes=500, durability="power") as writer:
        for record in numbered(20):
            writer.append(record)
        writer._sync.stop()  # flushed, so the finished segments are let go
        assert seal(tmp_path).segments > 2
        report = verify(tmp_path)
        assert report.ok
        assert (report.sealed_files, report.segments, report.records) == (1, 1, 20)


def test_a_killed_writers_torn_segment_is_recovered_and_sealed(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    for record in numbered(3):
        writer.append(record)
    abandon(writer)
    (path,) = segments(tmp_path)
    with path.open("ab") as file:
        file.write(b"\x80\x00\x00\x00half")
    assert not verify(tmp_path).ok
    report = seal(tmp_path)
    assert (report.records, report.cut) == (3, (path.name,))
    assert read_ids(tmp_path) == [record.id for record in numbered(3)]
    after = verify(tmp_path)
    assert after.ok
    assert after.unclosed == (path.name,)
    assert after.cuts == (path.name + ".cut",)


def test_nothing_to_seal_writes_nothing(tmp_path: Path) -> None:
    assert seal(tmp_path).state == "nothing to seal"
    write(tmp_path, [])
    assert seal(tmp_path).state == "nothing to seal"
    assert sealed_files(tmp_path) == []


def test_a_second_sealer_is_told_that_another_holds_it(tmp_path: Path) -> None:
    write(tmp_path, numbered(1))
    with layout(tmp_path).seal_lock.open("w") as lock:
        assert try_lock(lock.fileno())
        assert seal(tmp_path).state == "held by another"
    assert seal(tmp_path).state == "sealed"


def test_a_run_is_bounded_and_the_rest_waits(tmp_path: Path) -> None:
    write(tmp_path, numbered(40), segment_bytes=500)
    first = seal(tmp_path, max_bytes=1_500)
    assert first.waiting > 0
    while seal(tmp_path, max_bytes=1_500).state == "sealed":
        pass
    assert read_ids(tmp_path) == [record.id for record in numbered(40)]
    assert verify(tmp_path).ok


@pytest.mark.parametrize("at", [4, 200, -20])
def test_a_changed_sealed_file_is_named(tmp_path: Path, at: int) -> None:
    write(tmp_path, numbered(20))
    seal(tmp_path)
    (path,) = sealed_files(tmp_path)
    flip(path, at % path.stat().st_size)
    fault = verify(tmp_path).fault
    assert fault is not None
    assert fault.file == path.name


def test_a_sealed_file_with_its_digest_forged_still_breaks_the_chain(tmp_path: Path) -> None:
    import duckdb
    import msgspec

    from pointsman.journal.sealed import file_sha256

    write(tmp_path, numbered(20))
    seal(tmp_path)
    (path,) = sealed_files(tmp_path)
    other = path.with_name("other")
    duckdb.execute(
        f"COPY (SELECT * REPLACE (replace(payload, 'oc_000007', 'oc_000070') AS payload)"
        f" FROM '{path}') TO '{other}' (FORMAT parquet)"
    )
    other.rename(path)
    where = layout(tmp_path)
    manifest = read_manifest(where)
    forged = msgspec.structs.replace(manifest.files[0], sha256=file_sha256(path))
    replace_manifest(where, msgspec.structs.replace(manifest, files=(forged,)))
    fault = verify(tmp_path).fault
    assert fault is not None
    assert (fault.offset, "chain breaks at record 7" in fault.reason) == (7, True)


def test_a_missing_sealed_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, numbered(2))
    seal(tmp_path)
    (path,) = sealed_files(tmp_path)
    path.unlink()
    fault = verify(tmp_path).fault
    assert fault is not None
    assert fault.file == path.name


def test_what_does_not_read_back_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pointsman.domain.errors import CheckFailed
    from pointsman.journal import parquet
    from pointsman.journal.faults import Fault

    write(tmp_path, numbered(2))
    fault = Fault(file="x", offset=0, reason="a bad bit")
    monkeypatch.setattr(parquet, "check_sealed", lambda where, file: fault)
    with pytest.raises(CheckFailed, match="does not hold"):
        seal(tmp_path)
    assert len(segments(tmp_path)) == 1
    assert sealed_files(tmp_path) == []


@pytest.mark.parametrize("point", [*POINTS, KILL_BEFORE_RENAME])
def test_a_seal_killed_anywhere_loses_and_doubles_nothing(tmp_path: Path, point: str) -> None:
    write(tmp_path, numbered(10))
    seal(tmp_path)
    write(tmp_path, numbered(30, start=10), segment_bytes=1_000)
    killed = subprocess.run(
        [sys.executable, str(CHILD), "seal-and-die", str(tmp_path), point],
        env=child_environment(),
        check=False,
    )
    assert killed.returncode == -9
    everything = [record.id for record in numbered(40)]
    assert read_ids(tmp_path) == everything
    assert verify(tmp_path).ok
    seal(tmp_path)
    assert read_ids(tmp_path) == everything
    assert verify(tmp_path).ok
    assert segments(tmp_path) == []
    named = {file.name for file in read_manifest(layout(tmp_path)).files}
    assert {path.name for path in layout(tmp_path).sealed.iterdir()} == named


def test_a_reader_goes_on_over_a_seal(tmp_path: Path) -> None:
    with JournalReader(tmp_path) as reader:
        write(tmp_path, numbered(3))
        assert len(reader.query("outcomes")) == 3
        seal(tmp_path)
        assert len(reader.query("outcomes")) == 3
        write(tmp_path, numbered(2, start=3))
        assert len(reader.query("outcomes")) == 5
        seal(tmp_path)
        assert len(reader.query("outcomes")) == 5


def test_an_open_snapshot_outlives_the_seal_that_removes_its_files(tmp_path: Path) -> None:
    write(tmp_path, numbered(5))
    reading = iter_records(tmp_path)
    first = next(reading)
    seal(tmp_path)
    assert [first, *reading] == numbered(5)
