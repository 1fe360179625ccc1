"""One way to say it, wherever the work is done: `map_unordered` and, for coroutines, its twin."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable, Iterator
from contextlib import suppress

from pointsman.domain.errors import UsageError
from pointsman.executor.child import packed, performed, unpacked
from pointsman.executor.work import Bounds, Job, Outcome, R, Source, T

PLACES = ("here", "processes", "ray")


def map_unordered(
    fn: Callable[[T], R],
    items: Iterable[T],
    *,
    on: str = "processes",
    workers: int | None = None,
    attempts: int = 3,
    timeout_s: float | None = None,
    key: Callable[[T], Hashable] | None = None,
    known: Callable[[Hashable], R | None] | None = None,
) -> Iterator[Outcome[R]]:
    """One outcome for each item, as they come; the same values wherever it runs.

    Args: fn is a function of a module, whose result depends on its item alone: an item whose worker
    died is given to another, up to `attempts` of them. `on` is `here`, `processes`, `ray` (a
    cluster started for this map) or `ray:ADDRESS`. workers None: as many as there are processors.
    key names items: of one key only the first is done, and `known` gives the values of those that
    were done before (None: do it).
    An exception of fn is the item's outcome and ends nothing. Items are drawn as there is room.
    Raises: UsageError for another place; ExtraMissing for Ray without the extra; ValueError for
    bounds that cannot be kept; TypeError for what cannot be sent to a worker.
    """
    bounds = Bounds(workers or min(32, os.cpu_count() or 1), attempts, timeout_s)
    place, _, address = on.partition(":")
    if place == "here" and not address:
        return _map_here(fn, Source(items, key, known))
    if place == "processes" and not address:
        from pointsman.executor.processes import map_processes

        return map_processes(fn, items, bounds, key=key, known=known)
    if place == "ray":
        from pointsman.executor.on_ray import map_ray

        return map_ray(fn, items, bounds, address=address or None, key=key, known=known)
    raise UsageError(
        f"work cannot be done on {on!r}",
        next=f"one of {', '.join(PLACES)} or ray:ADDRESS",
        param="--on",
    )


def _map_here(fn: Callable[[T], R], source: Source[T, R]) -> Iterator[Outcome[R]]:
    """One after another, on copies: nothing that fn changes in its item is seen outside."""
    while (job := source.next()) is not None:
        if isinstance(job, Outcome):
            yield job
            continue
        done, value = unpacked(performed(packed(fn, job.item)))
        yield from source.finished(
            Outcome(job.index, job.key, value)
            if done
            else Outcome(job.index, job.key, error=str(value))
        )


async def map_unordered_async(
    fn: Callable[[T], Awaitable[R]],
    items: Iterable[T],
    *,
    workers: int,
    timeout_s: float | None = None,
    key: Callable[[T], Hashable] | None = None,
    known: Callable[[Hashable], R | None] | None = None,
) -> AsyncIterator[Outcome[R]]:
    """The same on this loop, for what waits rather than computes: `workers` items at once.

    Closing it cancels what is under way.
    """
    bounds, source = Bounds(workers, 1, timeout_s), Source(items, key, known)
    under_way: dict[asyncio.Task[R], Job[T]] = {}
    try:
        while True:
            while len(under_way) < bounds.workers and (job := source.next()) is not None:
                if isinstance(job, Outcome):
                    yield job
                    continue
                waited = asyncio.wait_for(fn(job.item), bounds.timeout_s)
                under_way[asyncio.ensure_future(waited)] = job
            if not under_way:
                return
            ended, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                for outcome in source.finished(_ended(task, under_way.pop(task), timeout_s)):
                    yield outcome
    finally:
        for task in under_way:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*under_way, return_exceptions=True)


def _ended(task: "asyncio.Task[R]", job: "Job[T]", timeout_s: float | None) -> Outcome[R]:
    if task.cancelled():
        return Outcome(job.index, job.key, error="it was cancelled")
    error = task.exception()
    if error is None:
        return Outcome(job.index, job.key, task.result())
    if isinstance(error, TimeoutError) and timeout_s is not None:
        return Outcome(job.index, job.key, error=f"it took longer than {timeout_s:g} s")
    return Outcome(job.index, job.key, error=f"{type(error).__name__}: {error}")
