"""Compacting and dropping: fewer files, the same records once each, a chain that still holds."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest
from journal_days import DAY_US, FIRST_DAY, days
from journal_facts import CHILD, child_environment, numbered, read_ids, sealed_files, write

from pointsman.domain.identity import identity_of
from pointsman.domain.records import (
    ConfigRecord,
    OutcomeRecord,
    Record,
    RetentionRecord,
    ServedRecord,
)
from pointsman.journal import (
    JournalReader,
    Superseded,
    compact,
    drop_records,
    iter_records,
    roll_up,
    seal,
    verify,
)
from pointsman.journal.disk import shared_lock
from pointsman.journal.layout import layout
from pointsman.journal.manifest import read_manifest


def seal_each(root: Path, parts: list[list[Record]]) -> None:
    for part in parts:
        write(root, part)
        seal(root)


def compact_all(root: Path, **settings: int) -> int:
    made = 0
    while compact(root, **settings).state == "compacted":
        made += 1
    return made


def test_small_files_of_one_day_become_one_in_the_same_order(tmp_path: Path) -> None:
    seal_each(tmp_path, [list(numbered(5, start=n)) for n in range(0, 25, 5)])
    report = compact(tmp_path)
    assert (report.files, report.records) == (5, 25)
    assert read_ids(tmp_path) == [record.id for record in numbered(25)]
    compact(tmp_path)  # nobody reads: the old files go
    assert len(sealed_files(tmp_path)) == 1
    assert verify(tmp_path).ok


def test_days_and_the_bound_keep_files_apart(tmp_path: Path) -> None:
    facts = list(days(1, count=2, within_h=0))
    half = next(n for n, fact in enumerate(facts) if fact.at_us >= (FIRST_DAY + 1) * DAY_US)
    seal_each(tmp_path, [facts[:20], facts[20:half], facts[half:-20], facts[-20:]])
    assert compact_all(tmp_path) == 2
    assert len(read_manifest(layout(tmp_path)).files) == 2
    assert list(iter_records(tmp_path)) == facts
    assert compact(tmp_path, max_bytes=1).state == "nothing to compact"


def test_who_reads_keeps_what_was_compacted(tmp_path: Path) -> None:
    seal_each(tmp_path, [list(numbered(5)), list(numbered(5, start=5))])
    reading = iter_records(tmp_path)
    first = next(reading)
    compact(tmp_path)
    compact(tmp_path)
    assert len(sealed_files(tmp_path)) == 3
    assert [first, *reading] == list(numbered(10))
    compact(tmp_path)
    assert len(sealed_files(tmp_path)) == 1


def test_a_reader_goes_on_over_a_compaction(tmp_path: Path) -> None:
    with JournalReader(tmp_path) as reader:
        seal_each(tmp_path, [list(numbered(5)), list(numbered(5, start=5))])
        assert len(reader.query("outcomes")) == 10
        compact(tmp_path)
        compact(tmp_path)
        assert len(reader.query("outcomes")) == 10


@pytest.mark.parametrize("point", ["cleaned", "checked", "published"])
def test_a_compaction_killed_anywhere_loses_and_doubles_nothing(tmp_path: Path, point: str) -> None:
    seal_each(tmp_path, [list(numbered(5)), list(numbered(5, start=5))])
    killed = subprocess.run(
        [sys.executable, str(CHILD), "compact-and-die", str(tmp_path), point],
        env=child_environment(),
        check=False,
    )
    assert killed.returncode == -9
    assert read_ids(tmp_path) == [record.id for record in numbered(10)]
    assert verify(tmp_path).ok
    compact_all(tmp_path)
    assert read_ids(tmp_path) == [record.id for record in numbered(10)]
    assert len(sealed_files(tmp_path)) == 1


def test_who_lost_the_lease_changes_nothing(tmp_path: Path) -> None:
    seal_each(tmp_path, [list(numbered(5)), list(numbered(5, start=5))])
    before = read_manifest(layout(tmp_path))
    write(tmp_path, numbered(1, start=10))
    for change in (seal, compact):
        with pytest.raises(Superseded):
            change(tmp_path, allowed=lambda: False)
    assert read_manifest(layout(tmp_path)) == before
    assert len(read_ids(tmp_path)) == 11


def test_old_files_are_dropped_whole_and_the_rest_still_verifies(tmp_path: Path) -> None:
    facts = list(days(2, count=3, requests_a_day=30, within_h=0))
    borders = [0]
    for day in (1, 2):
        borders.append(
            next(n for n, f in enumerate(facts) if f.at_us >= (FIRST_DAY + day) * DAY_US)
        )
    cuts = [*borders, len(facts)]
    seal_each(tmp_path, [facts[a:b] for a, b in pairwise(cuts)])
    before_us = (FIRST_DAY + 2) * DAY_US
    assert drop_records(tmp_path, before_us=before_us).waiting > 0  # nothing is rolled up yet
    roll_all(tmp_path)
    report = drop_records(tmp_path, before_us=before_us)
    assert report.state == "dropped"
    kept = [
        record
        for record in iter_records(tmp_path)
        if not isinstance(record, ConfigRecord | RetentionRecord)
    ]
    assert kept == [record for record in facts[-len(kept) :]]
    assert verify(tmp_path).ok
    assert [r.digest for r in iter_records(tmp_path) if isinstance(r, ConfigRecord)] == ["abc"]
    with JournalReader(tmp_path) as reader:
        days_left = [row["day"] for row in reader.query("rolled_days")]
        assert days_left == [FIRST_DAY, FIRST_DAY + 1, FIRST_DAY + 2]
        assert sum(row["n"] for row in reader.query("rollups") if row["part"] == "requests") == 90


def test_what_was_served_is_carried_on_where_its_file_goes(tmp_path: Path) -> None:
    identity = identity_of("m", "vllm")
    served = ServedRecord(id="sv_1", at_us=3, deployment="d", identity=identity)
    seal_each(tmp_path, [[served, *numbered(3)]])
    assert drop_records(tmp_path, before_us=4_000).records == 4
    assert [r for r in iter_records(tmp_path) if isinstance(r, ServedRecord)] == [served]


def test_a_file_with_one_younger_record_is_kept(tmp_path: Path) -> None:
    seal_each(tmp_path, [list(numbered(5))])
    assert drop_records(tmp_path, before_us=3_004).state == "nothing to drop"
    assert drop_records(tmp_path, before_us=3_005).records == 5
    assert [r for r in iter_records(tmp_path) if isinstance(r, OutcomeRecord)] == []
    assert verify(tmp_path).ok


class Accepts:
    windows: ClassVar = {"": 0}

    def __call__(self, task: str | None, facts: object) -> str:
        return "accepted"


def roll_all(root: Path) -> None:
    while (
        roll_up(root, judge=Accepts(), rules={"": "r"}, today=FIRST_DAY + 99).state == "rolled up"
    ):
        pass


def test_a_shared_lock_on_a_missing_file_is_none(tmp_path: Path) -> None:
    with shared_lock(tmp_path / "nowhere"):
        pass
