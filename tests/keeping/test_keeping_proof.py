"""kill -9 at random over writing, keeping and erasing; and a crowd that must agree meanwhile."""

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from keeping_kit import DAY_US

from pointsman.domain.records import OutcomeRecord
from pointsman.journal import JournalReader, iter_records, verify
from pointsman.journal.layout import layout

CHILD = Path(__file__).with_name("keeping_child.py")


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def ids(root: Path) -> list[str]:
    return [each.id for each in iter_records(root) if isinstance(each, OutcomeRecord)]


def finish(child: subprocess.Popen[bytes]) -> bytes:
    assert child.stdin is not None
    child.stdin.close()
    said = child.stdout.read() if child.stdout else b""
    assert child.wait(60) == 0
    return said


def kill_again(root: Path, chance: random.Random, *, kills: int) -> None:
    """Writers, a keeper and an eraser, one of them killed at a time; then all is counted."""
    acknowledged: dict[str, int] = {}
    for number in range(kills):
        name = f"w{number}"
        writer, keeper = start("write", str(root), name), start("keep", str(root))
        others = [start("erase", str(root))] if chance.random() < 0.4 else []
        everybody = [writer, keeper, *others]
        for child in everybody:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0.0, 0.4))  # the moment of the kill is the point
        for child in chance.sample(everybody, chance.randint(1, len(everybody))):
            child.kill()
        said = b""
        for child in everybody:
            assert child.stdin is not None
            child.stdin.close()
            heard = child.stdout.read() if child.stdout else b""
            said = heard if child is writer else said
            child.wait(60)
        numbers = [int(line) for line in said.split(b"\n") if line]
        acknowledged[name] = numbers[-1] + 1 if numbers else 0
    check(root, acknowledged)
    finish_keeping(root)
    check(root, acknowledged)
    assert layout(root).sealed.exists()


def finish_keeping(root: Path) -> None:
    keeper = start("keep", str(root))
    assert keeper.stdout is not None
    while keeper.stdout.readline() not in (b"3\n", b""):
        continue
    finish(keeper)


def check(root: Path, acknowledged: dict[str, int]) -> None:
    found = ids(root)
    assert len(found) == len(set(found))
    for name, count in acknowledged.items():
        numbers = sorted(int(each.split(":")[1]) for each in found if each.startswith(name + ":"))
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= count
    with JournalReader(root) as reader:
        assert sorted(row["id"] for row in reader.query("outcomes")) == sorted(found)
        assert reader.faults == ()


def test_twenty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    kill_again(tmp_path, random.Random(1), kills=20)
    assert verify(tmp_path).ok


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(20))
def test_five_hundred_kills_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    kill_again(tmp_path, random.Random(100 + seed), kills=25)
    assert verify(tmp_path).ok


def test_two_writers_three_readers_and_a_keeper_agree(tmp_path: Path) -> None:
    crowd(tmp_path, for_s=10)


@pytest.mark.deep
def test_two_writers_three_readers_and_a_keeper_agree_for_ten_minutes(tmp_path: Path) -> None:
    crowd(tmp_path, for_s=600)


def crowd(root: Path, *, for_s: float) -> None:
    pace = os.environ.get("POINTSMAN_CROWD_PACE_S", "0.004")
    writers = {name: start("write", str(root), name, pace, "5000") for name in ("a", "b")}
    keeper = start("keep", str(root))
    latest = {name: Latest(child) for name, child in writers.items()}
    rounds = Latest(keeper)
    troubles: list[str] = []
    readers = [Reading(root, latest, time.monotonic() + for_s, troubles) for _ in range(3)]
    for reading in readers:
        reading.join()
    for child in (*writers.values(), keeper):
        assert child.stdin is not None
        child.stdin.close()
    assert troubles == []
    final = {name: each.join() + 1 for name, each in latest.items()}
    assert rounds.join() > 0
    assert [child.wait(60) for child in (*writers.values(), keeper)] == [0, 0, 0]
    assert all(reading.reads > 0 for reading in readers)
    check(root, final)
    assert verify(root).ok
    assert len(ids(root)) == sum(final.values())


class Latest:
    """The last number that a child said, kept by a thread."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.value, self._out = -1, child.stdout
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        assert self._out is not None
        for line in self._out:
            if line != b"ready\n":
                self.value = int(line)

    def join(self) -> int:
        self._thread.join(60)
        return self.value


class Reading(threading.Thread):
    """Asks again and again, and checks that each record counts once."""

    def __init__(
        self, root: Path, latest: dict[str, Latest], until: float, troubles: list[str]
    ) -> None:
        super().__init__(daemon=True)
        self._root, self._latest, self._until, self._troubles = root, latest, until, troubles
        self.reads = 0
        self.start()

    def run(self) -> None:
        try:
            with JournalReader(self._root) as reader:
                while self.reads == 0 or time.monotonic() < self._until:
                    before = {name: each.value + 1 for name, each in self._latest.items()}
                    found = [row["id"] for row in reader.query("outcomes")]
                    assert len(found) == len(set(found)), "a record counts twice"
                    for name, count in before.items():
                        seen = sum(each.startswith(name + ":") for each in found)
                        assert seen >= count, f"{seen} of {count} records of {name}"
                    days = reader.query("rolled_days", {"since_day": 20_000 * DAY_US // DAY_US})
                    assert len(days) == len({row["day"] for row in days})
                    self.reads += 1
        except Exception as error:
            self._troubles.append(repr(error))
