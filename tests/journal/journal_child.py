"""What the tests run in another process, to be killed there: a writer, a sealer, a full disk."""

import asyncio
import os
import resource
import signal
import sys

from journal_facts import an_outcome, numbered

from pointsman.domain.errors import JournalUnavailable
from pointsman.journal import JournalWriter, compact, seal

KILL_BEFORE_RENAME = "rename"


def write_and_acknowledge(root: str, name: str) -> None:
    """Append for ever; say each number once append has returned."""
    writer = JournalWriter(root, segment_bytes=16_384)
    os.write(1, b"ready\n")
    n = 0
    while True:
        if n % 7 == 0:
            writer.put_body(b"body of %d " % n * 20)
        writer.append(an_outcome(n, id=f"{name}:{n}"))
        os.write(1, b"%d\n" % n)
        n += 1


def write_in_step_with_the_disk(root: str, name: str) -> None:
    """Append until stdin ends, waiting for the disk now and then; say how far."""

    async def go() -> int:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(0, done.set)
        n = 0
        with JournalWriter(root, segment_bytes=8_192) as writer:
            while not done.is_set():
                for _ in range(5):
                    writer.append(an_outcome(n, id=f"{name}:{n}"))
                    n += 1
                await writer.durable()
                os.write(1, b"%d\n" % n)
        return n

    asyncio.run(go())


def seal_until_told(root: str) -> None:
    """Seal again and again until stdin ends; say how many records each run sealed."""
    os.set_blocking(0, False)
    while _stdin_is_open():
        report = seal(root)
        os.write(1, b"%d\n" % report.records)


def _stdin_is_open() -> bool:
    try:
        return os.read(0, 1) != b""
    except BlockingIOError:
        return True


def seal_and_die(root: str, point: str) -> None:
    """Seal, and be killed at a named point of it."""

    def reached(now: str) -> None:
        if now == point:
            os.kill(os.getpid(), signal.SIGKILL)

    if point == KILL_BEFORE_RENAME:
        os.rename = lambda *paths: reached(point)  # the new manifest is whole, but not in force
    seal(root, reached=reached)


def compact_and_die(root: str, point: str) -> None:
    """Compact, and be killed at a named point of it."""

    def reached(now: str) -> None:
        if now == point:
            os.kill(os.getpid(), signal.SIGKILL)

    compact(root, reached=reached)


def fill_the_disk(root: str) -> None:
    """Append until the file may not grow, then on once it may; say how many went in before."""
    writer = JournalWriter(root)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    taken = 0
    try:
        for record in numbered(1_000):
            writer.append(record)
            taken += 1
    except JournalUnavailable as error:
        os.write(1, b"%b\n" % error.why.encode())
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    for record in numbered(5, start=taken):
        writer.append(record)
    os.write(1, b"%d\n" % taken)
    writer.close()


if __name__ == "__main__":
    {
        "write": write_and_acknowledge,
        "pace": write_in_step_with_the_disk,
        "seal": seal_until_told,
        "seal-and-die": seal_and_die,
        "fill": fill_the_disk,
        "compact-and-die": compact_and_die,
    }[sys.argv[1]](*sys.argv[2:])
