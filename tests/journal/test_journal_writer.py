"""The writer: what append and durable promise, on a good disk and on a bad one."""

import asyncio
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from journal_facts import (
    CHILD,
    an_outcome,
    child_environment,
    numbered,
    read_ids,
    segments,
    write,
)

from pointsman.domain.errors import JournalUnavailable
from pointsman.domain.task import JournalSettings
from pointsman.journal import JournalWriter, iter_records, open_journal, read_segment, verify
from pointsman.journal.disk import Disk
from pointsman.journal.layout import layout


def test_a_record_is_readable_as_soon_as_append_returns(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as writer:
        for n, record in enumerate(numbered(5), 1):
            writer.append(record)
            assert len(read_ids(tmp_path)) == n


def test_segments_rotate_and_each_goes_on_from_the_one_before(tmp_path: Path) -> None:
    write(tmp_path, numbered(40), segment_bytes=1_000)
    assert len(segments(tmp_path)) > 3
    assert read_ids(tmp_path) == [record.id for record in numbered(40)]
    assert verify(tmp_path).ok


def test_a_closed_segment_bears_its_mark_and_a_second_close_does_nothing(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    writer.append(an_outcome())
    writer.close()
    writer.close()
    with read_segment(segments(tmp_path)[0]) as reader:
        assert len(list(reader)) == 1
        assert reader.stop is not None
        assert reader.stop.kind == "closed"


def test_a_closed_writer_takes_nothing_more(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    writer.close()
    with pytest.raises(JournalUnavailable, match="closed"):
        writer.append(an_outcome())


def test_two_writers_never_share_a_file(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as one, JournalWriter(tmp_path) as two:
        one.append(an_outcome(1))
        two.append(an_outcome(2))
        assert len(segments(tmp_path)) == 2
    assert sorted(read_ids(tmp_path)) == ["oc_000001", "oc_000002"]


def test_a_forked_child_may_not_use_its_parents_writer(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as writer:
        child = os.fork()
        if child == 0:
            try:
                writer.append(an_outcome())
            except AssertionError as error:
                os._exit(0 if "belongs to the process" in str(error) else 2)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        writer.append(an_outcome())


def test_open_journal_follows_the_settings(tmp_path: Path) -> None:
    settings = JournalSettings(path=str(tmp_path), durability="power", segment_bytes=600)
    with open_journal(settings) as writer:
        assert writer.durability == "power"
        for record in numbered(10):
            writer.append(record)
    assert len(segments(tmp_path)) > 1


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as writer:
        writer.put_body(b"a secret")
        writer.append(an_outcome())
    where = layout(tmp_path)
    for path in (where.home, *where.home.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_importing_the_journal_and_writing_does_not_load_duckdb() -> None:
    code = (
        "import sys, pointsman.journal as j\n"
        "j.JournalWriter, j.open_journal, j.JournalReader, j.seal, j.verify\n"
        "sys.exit('duckdb' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# A disk without room.


class FillingDisk:
    """Writes until `room` bytes are used; then takes what fits, and next time ENOSPC."""

    def __init__(self, room: int, *, truncates: bool = True) -> None:
        self.room = room
        self.truncates = truncates

    def write(self, fd: int, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = os.write(fd, data[: self.room])
        self.room -= done
        return done

    def writev(self, fd: int, parts: Sequence[bytes]) -> int:
        return self.write(fd, b"".join(parts))

    def ftruncate(self, fd: int, length: int) -> None:
        if not self.truncates:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.ftruncate(fd, length)

    def disk(self) -> Disk:
        return Disk(write=self.write, writev=self.writev, ftruncate=self.ftruncate)


def test_a_full_disk_refuses_with_what_why_next_and_keeps_no_half_record(tmp_path: Path) -> None:
    filling = FillingDisk(room=700)
    with JournalWriter(tmp_path, disk=filling.disk()) as writer:
        taken = append_until_refused(writer)
        length = segments(tmp_path)[0].stat().st_size
        with pytest.raises(JournalUnavailable) as refused:
            writer.append(an_outcome(999))
        assert "ENOSPC" in refused.value.why
        assert "free space" in refused.value.next
        assert segments(tmp_path)[0].stat().st_size == length
        assert len(read_ids(tmp_path)) == taken
        filling.room = 10**6
        writer.append(an_outcome(taken))
    assert read_ids(tmp_path) == [record.id for record in numbered(taken + 1)]
    assert verify(tmp_path).ok


def test_a_writer_is_unfit_after_a_failed_write_until_one_can_be_made(tmp_path: Path) -> None:
    filling = FillingDisk(room=700)
    with JournalWriter(tmp_path, disk=filling.disk()) as writer:
        writer.check_fitness()
        append_until_refused(writer)
        writer.check_fitness()  # a write was tried, and this disk took it
        home = layout(tmp_path).home
        moved = home.rename(tmp_path / "elsewhere")
        with pytest.raises(JournalUnavailable, match="lost its file"):
            writer.check_fitness()
        moved.rename(home)
        writer.check_fitness()


def test_a_part_that_could_not_be_cut_is_no_record_and_is_cut_later(tmp_path: Path) -> None:
    filling = FillingDisk(room=700, truncates=False)
    with JournalWriter(tmp_path, disk=filling.disk()) as writer:
        taken = append_until_refused(writer)
        assert len(read_ids(tmp_path)) == taken
        with pytest.raises(JournalUnavailable, match="cut back"):
            writer.append(an_outcome(999))
        filling.room, filling.truncates = 10**6, True
        writer.append(an_outcome(taken))
    assert read_ids(tmp_path) == [record.id for record in numbered(taken + 1)]
    assert verify(tmp_path).ok


@pytest.mark.parametrize("room", range(0, 330, 30))
def test_a_rotation_without_room_loses_nothing_and_is_tried_again(
    tmp_path: Path, room: int
) -> None:
    filling = FillingDisk(room=10**6)
    with JournalWriter(tmp_path, disk=filling.disk(), segment_bytes=400) as writer:
        taken = 0
        while writer._segment.length < 400:
            writer.append(an_outcome(taken))
            taken += 1
        filling.room = room  # the header, the closing mark or the record will not fit
        while True:
            try:
                writer.append(an_outcome(taken))
                taken += 1
            except JournalUnavailable:
                break
        filling.room = 10**6
        for record in numbered(10, start=taken):
            writer.append(record)
    assert read_ids(tmp_path) == [record.id for record in numbered(taken + 10)]
    assert verify(tmp_path).ok


def test_a_body_without_room_leaves_no_part_in_the_pack(tmp_path: Path) -> None:
    filling = FillingDisk(room=700)
    with JournalWriter(tmp_path, disk=filling.disk()) as writer:
        first = writer.put_body(b"a" * 100)
        assert first.pack is not None
        pack = layout(tmp_path).bodies / first.pack
        length = pack.stat().st_size
        with pytest.raises(JournalUnavailable):
            writer.put_body(b"b" * 1_000)
        assert pack.stat().st_size == length


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(CHILD), "fill", str(tmp_path)],
        env=child_environment(),
        capture_output=True,
        check=True,
    )
    why, said = done.stdout.splitlines()
    assert b"EFBIG" in why
    taken = int(said)
    assert 0 < taken < 1_000
    assert read_ids(tmp_path) == [record.id for record in numbered(taken + 5)]
    assert verify(tmp_path).ok


def append_until_refused(writer: JournalWriter) -> int:
    for taken, record in enumerate(numbered(100)):
        try:
            writer.append(record)
        except JournalUnavailable:
            return taken
    raise AssertionError("the disk never filled")


# fsync.


class Fsync:
    """Counts, remembers what was flushed (by inode), and can be held back or made to fail."""

    def __init__(self) -> None:
        self.flushed: list[int] = []
        self.open = threading.Event()
        self.open.set()
        self.asked = threading.Event()
        self.error: Exception | None = None

    def __call__(self, fd: int) -> None:
        self.asked.set()
        assert self.open.wait(30)
        if self.error is not None:
            raise self.error
        self.flushed.append(os.fstat(fd).st_ino)


def test_durable_returns_only_once_the_flush_is_done(tmp_path: Path) -> None:
    fsync = Fsync()

    async def go() -> None:
        with JournalWriter(tmp_path, disk=Disk(fsync=fsync), fsync_window_s=60) as writer:
            fsync.open.clear()
            writer.append(an_outcome())
            waiting = asyncio.ensure_future(writer.durable())
            await asyncio.to_thread(fsync.asked.wait, 30)
            assert not waiting.done()
            fsync.open.set()
            await asyncio.wait_for(waiting, 30)
            assert segments(tmp_path)[0].stat().st_ino in fsync.flushed

    asyncio.run(go())


def test_many_who_wait_share_a_flush(tmp_path: Path) -> None:
    fsync = Fsync()

    async def go() -> None:
        with JournalWriter(tmp_path, disk=Disk(fsync=fsync), fsync_window_s=60) as writer:
            waiting = []
            for record in numbered(50):
                writer.append(record)
                waiting.append(asyncio.ensure_future(writer.durable()))
            await asyncio.wait_for(asyncio.gather(*waiting), 30)
            inode = segments(tmp_path)[0].stat().st_ino
            assert fsync.flushed.count(inode) <= 3

    asyncio.run(go())


def test_durable_with_nothing_new_asks_the_disk_nothing(tmp_path: Path) -> None:
    fsync = Fsync()

    async def go() -> None:
        with JournalWriter(tmp_path, disk=Disk(fsync=fsync), fsync_window_s=60) as writer:
            writer.append(an_outcome())
            await writer.durable()
            before = len(fsync.flushed)
            await writer.durable()
            assert len(fsync.flushed) == before

    asyncio.run(go())


def test_what_was_written_is_flushed_within_the_window_unasked(tmp_path: Path) -> None:
    fsync = Fsync()
    with JournalWriter(tmp_path, disk=Disk(fsync=fsync), fsync_window_s=0.02) as writer:
        assert not fsync.asked.is_set()
        writer.append(an_outcome())
        assert fsync.asked.wait(10)


def test_a_pack_is_flushed_before_the_segment_that_names_its_bodies(tmp_path: Path) -> None:
    fsync = Fsync()

    async def go() -> None:
        with JournalWriter(tmp_path, disk=Disk(fsync=fsync), fsync_window_s=60) as writer:
            ref = writer.put_body(b"body")
            writer.append(an_outcome())
            await writer.durable()
            assert ref.pack is not None
            pack = (layout(tmp_path).bodies / ref.pack).stat().st_ino
            segment = segments(tmp_path)[0].stat().st_ino
            assert fsync.flushed.index(pack) < fsync.flushed.index(segment)
            assert layout(tmp_path).segments.stat().st_ino in fsync.flushed

    asyncio.run(go())


def test_every_segment_of_a_rotation_is_flushed_and_let_go(tmp_path: Path) -> None:
    fsync = Fsync()

    async def go() -> None:
        with JournalWriter(
            tmp_path, disk=Disk(fsync=fsync), fsync_window_s=60, segment_bytes=500
        ) as writer:
            for record in numbered(20):
                writer.append(record)
            await writer.durable()
            assert {path.stat().st_ino for path in segments(tmp_path)} <= set(fsync.flushed)
            assert verify(tmp_path).live == (segments(tmp_path)[-1].name,)

    asyncio.run(go())


def fail_durable(writer: JournalWriter) -> None:
    asyncio.run(writer.durable())


@pytest.mark.parametrize(
    "use",
    [
        lambda writer: writer.append(an_outcome(2)),
        lambda writer: writer.put_body(b"body"),
        fail_durable,
    ],
    ids=["append", "put_body", "durable"],
)
def test_after_a_failed_fsync_nothing_more_is_promised(
    tmp_path: Path, use: Callable[[JournalWriter], object]
) -> None:
    fsync = Fsync()
    writer = JournalWriter(tmp_path, disk=Disk(fsync=fsync), fsync_window_s=60)
    writer.append(an_outcome(1))
    fsync.error = OSError(errno.EIO, os.strerror(errno.EIO))
    with pytest.raises(JournalUnavailable, match="could not flush"):
        fail_durable(writer)
    fsync.error = None  # the disk says it is well again; the lost pages are still lost
    for _ in range(2):
        with pytest.raises(JournalUnavailable, match="could not flush"):
            use(writer)
    with pytest.raises(JournalUnavailable):
        writer.close()
    assert len(list(iter_records(tmp_path))) == 1


def test_a_flush_that_fails_in_an_unforeseen_way_leaves_nobody_waiting(tmp_path: Path) -> None:
    fsync = Fsync()
    writer = JournalWriter(tmp_path, disk=Disk(fsync=fsync), fsync_window_s=60)
    writer.append(an_outcome(1))
    fsync.error = RuntimeError("a mistake of our own")
    with pytest.raises(JournalUnavailable, match="a mistake of our own"):
        fail_durable(writer)
    with pytest.raises(JournalUnavailable):
        writer.close()
