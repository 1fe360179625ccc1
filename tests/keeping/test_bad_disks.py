"""A full or read-only disk: jobs fail, say so, change nothing; reading goes on."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from keeping_kit import DAY_US, FakeLeases, FakeSchedules, SetClock

sys.path.insert(0, str(Path(__file__).parent.parent / "journal"))
from journal_facts import numbered, read_ids, write
from test_keeper import Kept

from pointsman.journal import JournalReader, seal, verify
from pointsman.journal.layout import layout
from pointsman.journal.manifest import read_manifest

FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (200, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sys.path.insert(0, sys.argv[2])
from test_keeper import Kept
from keeping_kit import *
from pathlib import Path
kept = Kept(Path(sys.argv[1]), SetClock(20_000 * DAY_US), FakeLeases(), FakeSchedules())
told = kept.keeper.round()
print(sorted(told.errors))
"""


def test_a_full_disk_fails_the_jobs_and_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, numbered(50))
    before = read_manifest(layout(tmp_path))
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), str(Path(__file__).parent)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "journal.seal" in ran.stdout, ran.stderr
    assert read_manifest(layout(tmp_path)) == before
    assert read_ids(tmp_path) == [record.id for record in numbered(50)]
    kept = Kept(tmp_path, SetClock(20_000 * DAY_US), FakeLeases(), FakeSchedules())
    assert kept.keeper.round().did["journal.seal"] == ["sealed 50 records"]
    assert verify(tmp_path).ok


def test_a_read_only_directory_is_read_and_verified(tmp_path: Path) -> None:
    write(tmp_path, numbered(5))
    seal(tmp_path)
    write(tmp_path, numbered(5, start=5))
    if os.getuid() == 0:
        pytest.skip("root writes anywhere")
    for folder, _, _ in os.walk(tmp_path):
        os.chmod(folder, 0o500)
    try:
        with JournalReader(tmp_path) as reader:
            assert len(reader.query("outcomes")) == 10
        assert verify(tmp_path).ok
        kept = Kept(tmp_path, SetClock(20_000 * DAY_US), FakeLeases(), FakeSchedules())
        assert kept.keeper.round().errors
    finally:
        for folder, _, _ in os.walk(tmp_path):
            os.chmod(folder, 0o700)


def test_writing_and_sealing_go_by_no_clock(tmp_path: Path) -> None:
    times = [20_000 * DAY_US, 20_365 * DAY_US, 20_365 * DAY_US - 3_600_000_000, 20_000 * DAY_US]
    facts = [numbered(1, start=n)[0] for n in range(4)]

    facts = [msgspec.structs.replace(f, at_us=at) for f, at in zip(facts, times, strict=True)]
    write(tmp_path, facts)
    clock = SetClock(times[1])
    kept = Kept(tmp_path, clock, FakeLeases(), FakeSchedules())
    kept.keeper.round()
    clock.wall_us = times[0]
    kept.keeper.round()
    assert read_ids(tmp_path) == [fact.id for fact in facts]
    assert verify(tmp_path).ok
