"""A map over processes of our own: each has one item at a time, so that a death blames one item."""

import contextlib
import os
import pickle
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from pointsman.executor.child import LENGTH, MOST_BYTES, packed, unpacked
from pointsman.executor.work import Bounds, Job, Outcome, R, Source, T, died

_READ = 1 << 20
_DYING_S = 1.0  # from the end of its output to that of the process


class _Worker:
    """One child process, with at most one item."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "pointsman.executor.child"]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.job: Job[Any] | None = None
        self.deadline: float | None = None
        self._read = bytearray()
        assert self._process.stdin is not None, "it was asked for"
        assert self._process.stdout is not None, "it was asked for"
        self._input, self.output = self._process.stdin, self._process.stdout
        self._send(pickle.dumps(sys.path))

    def give(self, job: Job[Any], deadline: float | None) -> None:
        """A dead worker is noticed when its output ends."""
        self.job, self.deadline = job, deadline
        job.attempts += 1
        self._send(job.payload)

    def _send(self, payload: bytes) -> None:
        data = memoryview(LENGTH.pack(len(payload)) + payload)
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._input.fileno(), data) :]

    def result(self) -> bytes | None:
        """A whole result, where it is there. Raises: EOFError where the process ended."""
        data = os.read(self.output.fileno(), _READ)
        if not data:
            raise EOFError
        self._read += data
        if len(self._read) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self._read)
        if length > MOST_BYTES:
            raise EOFError
        if len(self._read) < LENGTH.size + length:
            return None
        body = bytes(self._read[LENGTH.size :])
        self._read.clear()
        return body

    @property
    def end(self) -> str:
        """How it ended."""
        try:
            code = self._process.wait(timeout=_DYING_S)
        except subprocess.TimeoutExpired:
            return "it closed its output"
        return f"signal {-code}" if code < 0 else f"exit {code}"

    def stop(self) -> None:
        """At once: what it is doing is lost, and it holds nothing."""
        with contextlib.suppress(OSError):
            self._input.close()
        self._process.kill()
        self._process.wait()
        self.output.close()


def map_processes(
    fn: Callable[[T], R],
    items: Iterable[T],
    bounds: Bounds,
    *,
    key: Callable[[T], Hashable] | None = None,
    known: Callable[[Hashable], R | None] | None = None,
) -> Iterator[Outcome[R]]:
    """Outcomes as they come; see `mapping.map_unordered`. Closing it ends the workers at once.

    Raises: TypeError where the function or an item cannot be sent.
    """
    source: Source[T, R] = Source(items, key, known)
    again: deque[Job[T]] = deque()
    workers: set[_Worker] = set()
    idle: list[_Worker] = []
    with selectors.DefaultSelector() as selector:
        try:
            while True:
                yield from _fill(fn, source, again, workers, idle, selector, bounds)
                if len(idle) == len(workers):
                    return
                for worker in _ready(selector, workers):
                    job = worker.job
                    if job is None:  # an idle one says nothing: it was killed
                        _remove(worker, workers, selector)
                        idle.remove(worker)
                        continue
                    try:
                        result = None if _overdue(worker) else worker.result()
                    except EOFError:
                        result = None
                    else:
                        if result is None and not _overdue(worker):
                            continue
                    if result is not None:
                        worker.job = None
                        idle.append(worker)
                        yield from source.finished(_told(job, result))
                        continue
                    why = (
                        f"it took longer than {bounds.timeout_s:g} s"
                        if bounds.timeout_s is not None and _overdue(worker)
                        else f"its worker died ({worker.end})"
                    )
                    _remove(worker, workers, selector)
                    if job.attempts < bounds.attempts:
                        again.append(job)
                    else:
                        yield from source.finished(died(job, why))
        finally:
            for worker in workers:
                worker.stop()


def _fill(
    fn: Callable[[T], R],
    source: Source[T, R],
    again: deque[Job[T]],
    workers: set[_Worker],
    idle: list[_Worker],
    selector: selectors.BaseSelector,
    bounds: Bounds,
) -> Iterator[Outcome[R]]:
    """Give every free worker an item; start workers only where there are items for them."""
    while idle or len(workers) < bounds.workers:
        job = again.popleft() if again else source.next()
        if job is None:
            return
        if isinstance(job, Outcome):
            yield job
            continue
        if not job.payload:
            job.payload = packed(fn, job.item)
        if idle:
            worker = idle.pop()
        else:
            worker = _Worker()
            workers.add(worker)
            selector.register(worker.output, selectors.EVENT_READ, worker)
        limit = bounds.timeout_s
        worker.give(job, None if limit is None else time.monotonic() + limit)


def _remove(
    worker: _Worker, workers: set[_Worker], selector: selectors.BaseSelector
) -> None:  # fmt: skip
    selector.unregister(worker.output)
    workers.discard(worker)
    worker.stop()


def _ready(selector: selectors.BaseSelector, workers: set[_Worker]) -> list[_Worker]:
    """Workers with something to read, and those that are overdue."""
    deadlines = [each.deadline for each in workers if each.job and each.deadline is not None]
    wait = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
    said: list[_Worker] = [event.data for event, _ in selector.select(wait)]
    return said or [each for each in workers if _overdue(each)]


def _overdue(worker: _Worker) -> bool:
    return (
        worker.job is not None
        and worker.deadline is not None
        and time.monotonic() >= worker.deadline
    )


def _told(job: Job[T], result: bytes) -> Outcome[R]:
    done, value = unpacked(result)
    if done:
        return Outcome(job.index, job.key, value, attempts=job.attempts)
    return Outcome(job.index, job.key, error=str(value), attempts=job.attempts)
