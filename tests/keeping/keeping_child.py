"""What the proofs run in other processes, to be killed there: a writer, a keeper, an eraser."""

import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from keeping_kit import DAY_US, FakeKeys, FakeLeases, FakeSchedules

sys.path.insert(0, str(Path(__file__).parent.parent / "journal"))
from journal_facts import an_outcome

from pointsman.domain.ids import trace_id
from pointsman.domain.subjects import subject_of
from pointsman.journal import JournalReader, JournalWriter
from pointsman.keeping.erasure import Eraser
from pointsman.keeping.jobs import Work
from pointsman.keeping.keeper import Keeper

FIRST_US = 20_000 * DAY_US


def _open() -> bool:
    try:
        return os.read(0, 1) != b""
    except BlockingIOError:
        return True


def _until_closed(stop: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    stop.set()


def write(root: str, name: str, pace_s: str = "0", a_day: str = "50") -> None:
    """Append outcomes of ever later days until stdin ends; say each number once it is written."""
    os.set_blocking(0, False)
    keys, n = FakeKeys(), 0
    with JournalWriter(root, segment_bytes=16_384) as writer:
        os.write(1, b"ready\n")
        while _open():
            at_us = FIRST_US + n * DAY_US // int(a_day)
            trace = trace_id(at_us // 1000, n.to_bytes(10, "big"))
            writer.put_body(b"words of ada %d" % n, key=keys.key("acme", subject_of("ada", 0)))
            writer.append(an_outcome(n, id=f"{name}:{n}", trace=trace, at_us=at_us))
            os.write(1, b"%d\n" % n)
            n += 1
            time.sleep(float(pace_s))


def keep(root: str) -> None:
    """Keep the journal again and again until stdin ends; say how often."""
    stop = threading.Event()
    threading.Thread(target=_until_closed, args=(stop,), daemon=True).start()
    now = [FIRST_US + 40_000 * DAY_US]
    work = Work(
        root=Path(root), tasks={}, keys=FakeKeys(), keep_records_days=None,
        allowed=lambda: True, wall_us=lambda: now[0],
    )  # fmt: skip
    keeper = Keeper(
        work, FakeLeases(), FakeSchedules(), holder=str(os.getpid()), every_s=1,
        stop=stop,
    )  # fmt: skip
    os.write(1, b"ready\n")
    rounds = 0
    while not stop.is_set():
        told = keeper.round()
        errors = {name: error for name, error in told.errors.items() if name != "journal.retain"}
        if errors:
            raise SystemExit(str(errors))
        rounds += 1
        now[0] += 2_000_000
        os.write(1, b"%d\n" % rounds)


def erase(root: str) -> None:
    """Erase the same person again and again until stdin ends."""
    os.set_blocking(0, False)
    os.write(1, b"ready\n")
    while _open():
        keys = FakeKeys()
        with JournalReader(root, keys=keys) as reader:
            Eraser(root, reader, keys, now_us=lambda: FIRST_US).erase_subject("acme", "ada")


if __name__ == "__main__":
    {"write": write, "keep": keep, "erase": erase}[sys.argv[1]](*sys.argv[2:])
