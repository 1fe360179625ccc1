"""The keeper: one at a time, every job by its schedule, and nothing done twice."""

import asyncio
import os
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from keeping_kit import DAY_US, FakeKeys, FakeLeases, FakeSchedules, SetClock, admitted

sys.path.insert(0, str(Path(__file__).parent.parent / "journal"))
from journal_days import FIRST_DAY, days
from journal_facts import numbered, read_ids, write

from pointsman.audit import parse_notes, verify_journal
from pointsman.domain.errors import StateUnavailable
from pointsman.domain.ports import Lease
from pointsman.domain.records import ConfigRecord, RetentionRecord
from pointsman.domain.task import (
    AnchorSettings,
    AuditSettings,
    Configuration,
    JournalSettings,
    KeepingSettings,
    StateSettings,
)
from pointsman.journal import JournalReader, JournalWriter, iter_records, read_manifest, verify
from pointsman.journal.layout import layout
from pointsman.keeping import child
from pointsman.keeping.child import KeeperProcess, written
from pointsman.keeping.jobs import JOBS, Work
from pointsman.keeping.keeper import Keeper, Told, run
from pointsman.keeping.status import journal_status

NOON_US = (FIRST_DAY + 3) * DAY_US + DAY_US // 2


class Kept:
    """One keeper of a journal, with ports that several may share."""

    def __init__(
        self, root: Path, clock: SetClock, leases: FakeLeases, schedules: FakeSchedules,
        holder: str = "a", keep_records_days: int | None = None,
    ) -> None:  # fmt: skip
        self.keys, self.stop = FakeKeys(), threading.Event()
        self.work = Work(
            root=root, tasks={}, keys=self.keys, keep_records_days=keep_records_days,
            allowed=lambda: False, wall_us=clock.now_us, monotonic=clock.monotonic,
        )  # fmt: skip
        self.keeper = Keeper(
            self.work, leases, schedules, holder=holder, every_s=60, stop=self.stop
        )


def test_a_round_seals_compacts_and_sums_up(tmp_path: Path) -> None:
    facts = list(days(1, count=3, requests_a_day=30))
    write(tmp_path, facts, segment_bytes=20_000)
    kept = Kept(tmp_path, SetClock(NOON_US), FakeLeases(), FakeSchedules())
    told = kept.keeper.round()
    assert (told.role, told.errors, set(told.ran)) == ("keeper", {}, set(JOBS))
    assert {"journal.seal", "journal.roll-up"} <= set(told.did)
    manifest = read_manifest(layout(tmp_path))
    assert [each.day - FIRST_DAY for each in manifest.rollups] == [0, 1, 2]
    assert list(iter_records(tmp_path)) == facts
    assert verify(tmp_path).ok


def test_each_round_takes_what_was_written_into_the_audit_log(tmp_path: Path) -> None:
    write(tmp_path, numbered(3))
    clock, kept_elsewhere = SetClock(NOON_US), tmp_path / "elsewhere.txt"
    kept = Kept(tmp_path, clock, FakeLeases(), FakeSchedules())
    lost = AnchorSettings(file=str(tmp_path / "not-mounted" / "kept.txt"))
    kept.work.audit = AuditSettings(anchors=(lost, AnchorSettings(file=str(kept_elsewhere))))
    told = kept.keeper.round()
    assert told.did["journal.audit"] == ["took 3 records into the audit log"]
    assert "not-mounted" in told.errors["journal.audit"]  # and the other anchor has it all the same
    clock.passes(61)
    assert "journal.audit" not in kept.keeper.round().did  # nothing new: no checkpoint
    write(tmp_path, numbered(2))
    clock.passes(61)
    kept.keeper.round()
    given = list(parse_notes(kept_elsewhere.read_text()))
    assert [each.size for each in given] == [3, 5]
    assert verify_journal(tmp_path, checkpoints=given).ok


def test_what_is_not_due_is_not_done(tmp_path: Path) -> None:
    clock = SetClock(NOON_US)
    kept = Kept(tmp_path, clock, FakeLeases(), FakeSchedules())
    assert kept.keeper.round().ran == list(JOBS)
    write(tmp_path, numbered(3))
    assert kept.keeper.round().ran == []
    clock.passes(61)
    assert kept.keeper.round().did["journal.seal"] == ["sealed 3 records"]


def test_a_round_ends_however_fast_segments_come(tmp_path: Path) -> None:
    kept = Kept(tmp_path, SetClock(NOON_US), FakeLeases(), FakeSchedules())
    kept.work.reached = lambda point: write(tmp_path, numbered(1)) if point == "taken" else None
    write(tmp_path, numbered(1))
    told = kept.keeper.round()
    assert len(told.did["journal.seal"]) == 64
    assert "journal.seal" not in told.errors


def test_the_second_stands_by_until_the_lease_runs_out(tmp_path: Path) -> None:
    clock, leases, schedules = SetClock(NOON_US), FakeLeases(), FakeSchedules()
    first = Kept(tmp_path, clock, leases, schedules, "a")
    second = Kept(tmp_path, clock, leases, schedules, "b")
    assert first.keeper.round().role == "keeper"
    assert second.keeper.round().role == "standby"
    clock.passes(61)
    assert second.keeper.round().role == "keeper"
    assert first.keeper.round().role == "standby"


def test_who_leaves_lets_the_next_one_in_at_once(tmp_path: Path) -> None:
    clock, leases, schedules = SetClock(NOON_US), FakeLeases(), FakeSchedules()
    first = Kept(tmp_path, clock, leases, schedules, "a")
    second = Kept(tmp_path, clock, leases, schedules, "b")
    first.keeper.round()
    first.keeper.leave()
    assert second.keeper.round().role == "keeper"


@pytest.mark.parametrize("point", ["checked", "written"])
def test_a_lease_lost_in_the_middle_changes_nothing(tmp_path: Path, point: str) -> None:
    clock, leases, schedules = SetClock(NOON_US), FakeLeases(), FakeSchedules()
    facts = list(days(2, count=2, requests_a_day=20))
    write(tmp_path, facts)
    first = Kept(tmp_path, clock, leases, schedules, "a")

    def lose(now: str) -> None:
        if now == point:
            leases.lease = Lease(name="keeper", holder="b", expires_us=2**62, epoch=99)

    first.work.reached = lose
    told = first.keeper.round()
    assert any("another process" in error for error in told.errors.values())
    manifest = read_manifest(layout(tmp_path))
    assert (len(manifest.files), manifest.rollups) == ((0, ()) if point == "checked" else (1, ()))
    assert list(iter_records(tmp_path)) == facts


def test_a_job_that_fails_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    clock, schedules = SetClock(NOON_US), FakeSchedules()
    write(tmp_path, numbered(3))
    kept = Kept(tmp_path, clock, FakeLeases(), schedules)
    kept.work.clock._path.write_bytes(b"no time")
    told = kept.keeper.round()
    assert set(told.errors) == {"journal.retain"}
    assert "journal.seal" in told.did
    status = journal_status(tmp_path, schedules=schedules, now_us=NOON_US)
    errors = {job.name: job.error for job in status.jobs}
    assert errors["journal.retain"]
    assert errors["journal.seal"] is None
    assert status.sealed_records == 3


def test_records_go_after_their_days_and_sums_stay(tmp_path: Path) -> None:
    clock = SetClock(NOON_US)
    write(tmp_path, days(3, count=3, requests_a_day=30, within_h=0))
    kept = Kept(tmp_path, clock, FakeLeases(), FakeSchedules(), keep_records_days=10)
    for _ in range(15):
        told = kept.keeper.round()
        clock.passes(86_000)
    assert told.errors == {}
    assert all(isinstance(each, ConfigRecord | RetentionRecord) for each in iter_records(tmp_path))
    with JournalReader(tmp_path) as reader:
        rows = reader.query("rollups")
    assert sum(row["n"] for row in rows if row["part"] == "requests") == 90
    assert verify(tmp_path).ok


def test_bodies_of_a_killed_writer_are_erased_by_their_own_word(tmp_path: Path) -> None:
    clock = SetClock(FIRST_DAY * DAY_US)
    kept = Kept(tmp_path, clock, FakeLeases(), FakeSchedules())
    with JournalWriter(tmp_path) as writer:
        orphan = writer.put_body(b"no record names it", until_us=clock.wall_us + DAY_US)
        admitted(writer, kept.keys, "tr_1", at_us=clock.wall_us)
    for _ in range(3):
        kept.keeper.round()
        clock.passes(43_300)
    with JournalReader(tmp_path) as reader:
        assert reader.body(orphan) is None


def test_a_state_that_fails_is_told_and_tried_again() -> None:
    stop, told = threading.Event(), list[Told]()

    class Failing:
        def round(self) -> Told:
            if len(told) == 2:
                stop.set()
            raise StateUnavailable("no database")

        def leave(self) -> None:
            raise StateUnavailable("no database")

    run(Failing(), stop=stop, pause_s=0, say=told.append)  # type: ignore[arg-type]
    assert [each.errors["state"] for each in told] == ["no database."] * 3


def a_configuration(root: Path, **changes: object) -> Configuration:
    return msgspec.structs.replace(
        Configuration(
            digest="d", deployments={}, routes={}, tasks={}, prompts={}, aliases={}, default="x",
            journal=JournalSettings(path=str(root)), keeping=KeepingSettings(every_s=1),
            state=StateSettings(url=f"sqlite:///{root}/state.sqlite"),
        ),
        **changes,
    )  # fmt: skip


async def until(done: object, *, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not done():  # type: ignore[operator]
            await asyncio.sleep(0.02)


def test_a_child_process_keeps_the_journal_and_ends_with_its_parent(tmp_path: Path) -> None:
    write(tmp_path, numbered(5))

    async def go() -> None:
        process = KeeperProcess()
        process.start(a_configuration(tmp_path))
        try:
            await until(lambda: read_manifest(layout(tmp_path)).files)
            await until(lambda: process.status["status"] == "keeper")
            assert "journal.seal" in process.status["jobs"]
            pid = process._process.pid  # type: ignore[union-attr]
        finally:
            await process.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    asyncio.run(go())
    assert read_ids(tmp_path) == [record.id for record in numbered(5)]


def test_between_distant_rounds_there_is_no_process(tmp_path: Path) -> None:
    write(tmp_path, numbered(5))

    async def go() -> None:
        process = KeeperProcess()
        process.start(a_configuration(tmp_path, keeping=KeepingSettings(every_s=60)))
        try:
            await until(lambda: process._process and process._process.returncode is not None)
            assert process._process.returncode == 0  # type: ignore[union-attr]
            assert process.status["status"] == "keeper"
            assert "journal.seal" in process.status["jobs"]
        finally:
            await process.stop()

    asyncio.run(go())
    assert read_manifest(layout(tmp_path)).files


@pytest.mark.parametrize("writes", [True, False])
def test_a_distant_round_comes_when_something_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: bool
) -> None:
    write(tmp_path, numbered(5))
    process = KeeperProcess()
    process._every_s, process._journal = 0.01, tmp_path
    monkeypatch.setattr(child, "_LONGEST_S", 0.05)

    async def go() -> float:
        before, started = written(tmp_path), asyncio.get_running_loop().time()
        waiting = asyncio.ensure_future(process._wait_for_work(before))
        if writes:
            write(tmp_path, numbered(1, start=5))
        await asyncio.wait_for(waiting, 30)
        return asyncio.get_running_loop().time() - started

    assert asyncio.run(go()) >= (0.01 if writes else 0.05)


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    async def go() -> None:
        process = KeeperProcess()
        process.start(a_configuration(tmp_path))
        try:
            await until(lambda: process.status["status"] == "keeper")
            first = process._process
            assert first is not None
            first.kill()
            await until(lambda: process._process is not first)
            await until(lambda: process.status["status"] == "standby")  # until the lease runs out
        finally:
            await process.stop()

    asyncio.run(go())


def test_it_is_off_where_the_configuration_says_so(tmp_path: Path) -> None:
    process = KeeperProcess()
    process.start(a_configuration(tmp_path, keeping=KeepingSettings(enabled=False)))
    assert process.status == {"status": "off", "reason": "keeping.enabled is false"}
