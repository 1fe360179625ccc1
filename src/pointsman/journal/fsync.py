"""Group fsync: one thread that flushes what was written, and wakes those who wait for it."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pointsman.domain.errors import JournalUnavailable
from pointsman.journal.disk import Disk, sync_directory
from pointsman.journal.growing import GrowingFile, unavailable

_NEXT = "check the disk, then restart: after a failed fsync nothing more is promised"


@dataclass(frozen=True, slots=True)
class Batch:
    """What one round flushes, in this order; `upto` counts the writes that it makes durable."""

    upto: int
    packs: Sequence[GrowingFile]  # before segments: a record never outlives the body it names
    segments: Sequence[GrowingFile]
    directories: Sequence[Path]  # where names were created since the last round
    retired: Sequence[GrowingFile]  # flushed for the last time: closed after it


@dataclass(slots=True)
class _Waiter:
    upto: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class GroupSync:
    """Flushes at most `window_s` after a write, sooner when someone waits.

    A round starts half a window after the first write, so that the disk has the other half.
    The first error of an fsync is final: the kernel may have dropped the pages it could not
    write and reports clean ones next time, so asking again would be a lie.
    Source: Rebello et al. (2020), "Can Applications Recover from fsync Failures?", USENIX ATC.
    """

    def __init__(self, batch: Callable[[], Batch], *, window_s: float, disk: Disk) -> None:
        self.fault: JournalUnavailable | None = None
        self.synced = 0  # writes that are on the disk
        self.awake = False  # the thread knows that something was written
        self._batch = batch
        self._delay_s = window_s / 2
        self._disk = disk
        self._stop = False
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._waiters: deque[_Waiter] = deque()
        self._thread = threading.Thread(target=self._run, name="journal-fsync", daemon=True)
        self._thread.start()

    def touched(self) -> None:
        """Something was written, and `awake` is False: it is looked at after every write, so
        that this takes its lock only then."""
        self.awake = True
        self._wake.set()

    def check(self) -> None:
        """Raises: JournalUnavailable once an fsync has failed, and for ever after."""
        if self.fault is not None:
            raise _copy(self.fault)

    async def reached(self, upto: int) -> None:
        """Return once the first `upto` writes are on the disk. Raises: JournalUnavailable."""
        self.check()
        if self.synced >= upto:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiters.append(_Waiter(upto, loop, future))
        if self.fault is not None:  # set between the check above and our place in the queue
            future.cancel()
            self.check()
        self._hurry()
        await future

    def stop(self) -> None:
        """Flush what is left and end the thread; afterwards `fault` says whether it worked."""
        self._stop = True
        self._hurry()
        self._thread.join()

    def _hurry(self) -> None:
        self._urgent.set()
        self.awake = True
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if self._delay_s:
                self._urgent.wait(self._delay_s)
            last = self._stop
            self._wake.clear()
            self._urgent.clear()
            self.awake = False  # a write from here on wakes us again
            try:
                self._round(self._batch())
            except JournalUnavailable as fault:
                self.fault = fault
            except Exception as error:  # a thread that died unseen would leave waiters for ever
                self.fault = _final(error)
            self._release()
            if last or self.fault is not None:
                return

    def _round(self, batch: Batch) -> None:
        for directory in batch.directories:
            with _named(directory):
                sync_directory(directory, self._disk.fsync)
        for file in (*batch.packs, *batch.segments):
            length = file.length
            if length != file.synced:
                with _named(file.path):
                    self._disk.fsync(file.fd)
                file.synced = length
        for file in batch.retired:
            with _named(file.path):
                file.close()
        self.synced = batch.upto

    def _release(self) -> None:
        waiters = self._waiters
        while waiters and (self.fault is not None or waiters[0].upto <= self.synced):
            waiter = waiters.popleft()
            try:
                waiter.loop.call_soon_threadsafe(_settle, waiter.future, self.fault)
            except RuntimeError:
                continue  # its loop has ended, and with it whoever waited


def _settle(future: asyncio.Future[None], fault: JournalUnavailable | None) -> None:
    if future.done():  # whoever waited was cancelled meanwhile
        return
    if fault is None:
        future.set_result(None)
    else:
        future.set_exception(_copy(fault))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """An OSError inside becomes the fault of that path."""
    try:
        yield
    except OSError as error:
        fault = unavailable("could not flush", path, error)
        fault.next = _NEXT
        raise fault from error


def _final(error: Exception) -> JournalUnavailable:
    return JournalUnavailable("The journal could not flush", why=repr(error), next=_NEXT)


def _copy(fault: JournalUnavailable) -> JournalUnavailable:
    """A fresh error each time: one instance would gather a traceback with every raise."""
    return JournalUnavailable(fault.what, why=fault.why, next=fault.next)
