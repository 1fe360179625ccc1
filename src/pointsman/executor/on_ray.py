"""The same map on a Ray cluster (the extra `ray`): a worker or node that dies costs no item."""

import importlib.util
import os
import pickle
import sys
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from pointsman.domain.errors import ExtraMissing, UpstreamError
from pointsman.executor.child import extend_path, packed, performed, unpacked
from pointsman.executor.work import Bounds, Job, Outcome, R, Source, T, died

_AHEAD = 2  # items under way for each worker, so that none waits for us


def perform(paths: bytes, payload: bytes) -> bytes:
    """What a worker of the cluster runs; it must have Pointsman installed."""
    extend_path(pickle.loads(paths))  # noqa: S301 - from the driver
    return performed(payload)


def map_ray(
    fn: Callable[[T], R],
    items: Iterable[T],
    bounds: Bounds,
    *,
    address: str | None = None,
    key: Callable[[T], Hashable] | None = None,
    known: Callable[[Hashable], R | None] | None = None,
) -> Iterator[Outcome[R]]:
    """Outcomes as they come; see `mapping.map_unordered`.

    Args: address of a running cluster (`auto`, `ray://host:10001`); None starts one on this
    machine, with so many workers, and ends it with the map.
    Raises: ExtraMissing without Ray; UpstreamError where no cluster answers.
    """
    ray = _ray()
    started = not ray.is_initialized()
    if started:
        _connect(ray, address, bounds)
    try:
        yield from _mapped(ray, fn, Source(items, key, known), bounds)
    finally:
        if started:
            ray.shutdown()


def _ray() -> Any:
    if importlib.util.find_spec("ray") is None:
        raise ExtraMissing(
            "work on a cluster needs the extra 'ray'", next="pip install 'pointsman[ray]'"
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    return ray


def _connect(ray: Any, address: str | None, bounds: Bounds) -> None:
    try:
        if address is None:
            ray.init(
                address="local", num_cpus=bounds.workers, include_dashboard=False,
                log_to_driver=False, configure_logging=False,
            )  # fmt: skip
        else:
            ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UpstreamError(
            f"no Ray cluster answers at {address or 'this machine'}",
            why=str(error).splitlines()[0][:300],
            next="start one (`ray start --head`), or leave `--on` at processes",
        ) from error


def _mapped(
    ray: Any, fn: Callable[[T], R], source: Source[T, R], bounds: Bounds
) -> Iterator[Outcome[R]]:
    paths = ray.put(pickle.dumps(sys.path))
    # Its own retries would run an item again without our count of how often it was given away.
    remote = ray.remote(num_cpus=1, max_retries=0)(perform)
    died_of = (
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.NodeDiedError,
        ray.exceptions.OutOfMemoryError,
        ray.exceptions.ObjectLostError,
        ray.exceptions.LocalRayletDiedError,
    )
    under_way: dict[Any, Job[T]] = {}
    again: deque[Job[T]] = deque()
    try:
        while True:
            while len(under_way) < bounds.workers * _AHEAD:
                job = again.popleft() if again else source.next()
                if job is None:
                    break
                if isinstance(job, Outcome):
                    yield job
                    continue
                if not job.payload:
                    job.payload = packed(fn, job.item)
                job.attempts += 1
                under_way[remote.remote(paths, job.payload)] = job
            if not under_way:
                return
            ready, _ = ray.wait(list(under_way), num_returns=1, timeout=bounds.timeout_s)
            if not ready:
                # Nothing at all came in the time that one item may take: the oldest is stuck.
                stuck = next(iter(under_way))
                ray.cancel(stuck, force=True)
                job = under_way.pop(stuck)
                yield from _again(job, again, source, bounds, "it took too long")
                continue
            reference = ready[0]
            job = under_way.pop(reference)
            try:
                done, value = unpacked(ray.get(reference))
            except died_of as error:
                why = f"its worker died ({type(error).__name__})"
                yield from _again(job, again, source, bounds, why)
                continue
            except ray.exceptions.RayError as error:
                said = f"{type(error).__name__}: {str(error).splitlines()[0][:500]}"
                outcome: Outcome[R] = Outcome(
                    job.index, job.key, error=said, attempts=job.attempts
                )  # fmt: skip
                yield from source.finished(outcome)
                continue
            yield from source.finished(
                Outcome(job.index, job.key, value, attempts=job.attempts)
                if done
                else Outcome(job.index, job.key, error=str(value), attempts=job.attempts)
            )
    finally:
        for reference in under_way:
            ray.cancel(reference, force=True)


def _again(
    job: Job[T], again: deque[Job[T]], source: Source[T, R], bounds: Bounds, why: str
) -> Iterator[Outcome[R]]:
    if job.attempts < bounds.attempts:
        again.append(job)
        return
    yield from source.finished(died(job, why))
