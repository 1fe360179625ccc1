"""kill -9 and crowds: what was acknowledged is read exactly once, whoever else is at work."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import pytest
from journal_facts import CHILD, child_environment, read_ids, write

from pointsman.journal import JournalReader, iter_records, recover_all, seal, verify


@pytest.mark.parametrize("seed", range(20))
def test_every_acknowledged_record_survives_kill_9(tmp_path: Path, seed: int) -> None:
    kill_a_writer(tmp_path, random.Random(seed))


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(100, 400))
def test_every_acknowledged_record_survives_kill_9_hundreds_of_times(
    tmp_path: Path, seed: int
) -> None:
    kill_a_writer(tmp_path, random.Random(seed))


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(100))
def test_a_seal_killed_at_a_random_moment_loses_and_doubles_nothing(
    tmp_path: Path, seed: int
) -> None:
    from journal_facts import numbered

    write(tmp_path, numbered(400), segment_bytes=4_000)
    sealer = start("seal", str(tmp_path))
    time.sleep(random.Random(seed).uniform(0.2, 0.6))  # the moment is the point of this test
    sealer.kill()
    sealer.wait()
    everything = [record.id for record in numbered(400)]
    assert read_ids(tmp_path) == everything
    seal(tmp_path)
    assert read_ids(tmp_path) == everything
    assert verify(tmp_path).ok


def test_two_writers_a_sealer_and_a_reader_agree_at_every_moment(tmp_path: Path) -> None:
    crowd(tmp_path, for_s=3)


@pytest.mark.deep
def test_two_writers_a_sealer_and_a_reader_agree_for_a_minute(tmp_path: Path) -> None:
    crowd(tmp_path, for_s=60)


def kill_a_writer(root: Path, chance: random.Random) -> None:
    writer = start("write", str(root), "w")
    out = writer.stdout
    assert out is not None
    assert out.readline() == b"ready\n"
    for _ in range(chance.randrange(400)):
        out.readline()
    writer.kill()
    acknowledged = [line for line in out.read().split(b"\n") if line]
    writer.wait()
    last = int(acknowledged[-1]) if acknowledged else -1
    ids = read_ids(root)
    assert ids == [f"w:{n}" for n in range(len(ids))]
    assert len(ids) > last
    recover_all(root)
    assert verify(root).ok
    assert read_ids(root) == ids


def crowd(root: Path, *, for_s: float) -> None:
    writers = {name: start("pace", str(root), name) for name in ("a", "b")}
    sealer = start("seal", str(root))
    acknowledged = {name: Latest(child.stdout) for name, child in writers.items()}
    sealed = Latest(sealer.stdout)
    reads, until = 0, time.monotonic() + for_s
    with JournalReader(root) as reader:
        while reads < 5 or time.monotonic() < until:
            before = {name: latest.value for name, latest in acknowledged.items()}
            check_prefixes([row["id"] for row in reader.query("outcomes")], before)
            before = {name: latest.value for name, latest in acknowledged.items()}
            check_prefixes(read_ids(root), before)
            assert reader.faults == ()
            reads += 1
        for child in (*writers.values(), sealer):
            finish(child)
        final = {name: latest.join() for name, latest in acknowledged.items()}
        check_prefixes([row["id"] for row in reader.query("outcomes")], final)
    report = verify(root)
    assert report.ok, report
    assert report.records == sum(final.values())
    assert sum(1 for _ in iter_records(root)) == report.records
    assert sealed.join() >= 0
    assert report.sealed_files > 0


def check_prefixes(ids: list[str], at_least: dict[str, int]) -> None:
    """Of each writer exactly the first n records are there, n no less than it acknowledged."""
    assert len(ids) == len(set(ids))
    for name, acknowledged in at_least.items():
        numbers = sorted(int(id.split(":")[1]) for id in ids if id.startswith(name + ":"))
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= acknowledged


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=child_environment(),
    )


def finish(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(60) == 0


class Latest:
    """The last number that a child said, kept by a thread."""

    def __init__(self, out: IO[bytes] | None) -> None:
        assert out is not None
        self.value = 0
        self._out = out
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for line in self._out:
            self.value = int(line)

    def join(self) -> int:
        self._thread.join(30)
        self._out.close()
        return self.value
