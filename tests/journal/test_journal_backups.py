"""Backups: a copy that verifies, taken while traffic goes on; and a journal from it."""

from pathlib import Path

import pytest
from journal_facts import an_admission, flip, numbered, read_ids, write

from pointsman.domain.errors import CheckFailed, JournalUnavailable, UsageError
from pointsman.journal import JournalReader, JournalWriter, backup, compact, restore, seal, verify
from pointsman.journal.disk import try_lock
from pointsman.journal.layout import layout


def test_a_backup_beside_a_writer_holds_everything_appended_before_it(tmp_path: Path) -> None:
    root, copy = tmp_path / "journal", tmp_path / "copy"
    write(root, numbered(20), segment_bytes=500)
    seal(root)
    with JournalWriter(root) as writer:
        ref = writer.put_body(b"what was said")
        writer.append(an_admission(request=ref))
        for record in numbered(5, start=20):
            writer.append(record)
        report = backup(root, copy)
        writer.append(numbered(1, start=25)[0])
    assert (report.records, report.linked) == (26, 1)
    assert read_ids(copy) == [record.id for record in numbered(25)]
    with JournalReader(copy) as reader:
        assert reader.body(ref) == b"what was said"


def test_erasing_in_the_journal_leaves_a_backup_alone(tmp_path: Path) -> None:
    root, copy = tmp_path / "journal", tmp_path / "copy"
    with JournalWriter(root) as writer:
        ref = writer.put_body(b"what was said")
    backup(root, copy)
    with JournalReader(root) as reader, JournalReader(copy) as other:
        reader.erase_body(ref)
        assert other.body(ref) == b"what was said"


def test_a_restored_journal_goes_on(tmp_path: Path) -> None:
    root, copy, back = tmp_path / "journal", tmp_path / "copy", tmp_path / "back"
    write(root, numbered(10))
    seal(root)
    write(root, numbered(10, start=10))
    backup(root, copy)
    assert restore(copy, back).records == 20
    write(back, numbered(10, start=20))
    seal(back)
    compact(back)
    assert read_ids(back) == [record.id for record in numbered(30)]
    assert verify(back).ok
    assert read_ids(copy) == [record.id for record in numbered(20)]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    root, copy = tmp_path / "journal", tmp_path / "copy"
    write(root, numbered(3))
    backup(root, copy)
    for again in (lambda: backup(root, copy), lambda: restore(copy, root)):
        with pytest.raises(UsageError, match="not empty"):
            again()
    with pytest.raises(UsageError, match="no journal"):
        restore(tmp_path / "nowhere", tmp_path / "new")


def test_a_damaged_backup_is_not_restored(tmp_path: Path) -> None:
    root, copy = tmp_path / "journal", tmp_path / "copy"
    write(root, numbered(3))
    backup(root, copy)
    (segment,) = layout(copy).segments.iterdir()
    flip(segment, 200)
    with pytest.raises(CheckFailed, match="the backup is not whole"):
        restore(copy, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_waits_for_nobody(tmp_path: Path) -> None:
    write(tmp_path / "journal", numbered(3))
    with layout(tmp_path / "journal").seal_lock.open("w") as lock:
        assert try_lock(lock.fileno())
        with pytest.raises(JournalUnavailable, match="being sealed"):
            backup(tmp_path / "journal", tmp_path / "copy")
