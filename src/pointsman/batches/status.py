"""How a batch goes from `validating` to its end: pure, and deaf to what comes too late.

```
validating ──> in_progress ──> finalizing ──> completed | expired | failed
     │  │           │               ^
     │  │           └──────┐        │ (its window or its key was over before it began)
     │  └── failed         v        │
     └─────────────> cancelling ──> cancelled
```

A change that no longer fits gives the batch back as it is: runners that were replaced and clients
that cancel may come at any time. Times are microseconds since 1970, UTC.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from pointsman.domain.batches import Batch, Ending, LineProblem
from pointsman.domain.errors import InvalidRequest

PROBLEMS_MOST = 100


def begun(batch: Batch, *, total: int, at_us: int) -> Batch:
    """Its input holds `total` lines that can be asked."""
    if batch.status != "validating":
        return batch
    return replace(batch, status="in_progress", total=total, in_progress_us=at_us)


def rejected(batch: Batch, problems: Sequence[LineProblem], *, at_us: int) -> Batch:
    """Its input is none: nothing of it was asked."""
    assert problems, "a batch fails for a reason"
    if batch.status != "validating":
        return batch
    told = tuple(problems[:PROBLEMS_MOST])
    return replace(batch, status="failed", ending="failed", problems=told, over_us=at_us)


def cancelled(batch: Batch, *, at_us: int) -> Batch:
    """A client wants it to stop. Raises: InvalidRequest where it is too late for that."""
    if batch.status in ("cancelling", "cancelled"):
        return batch
    if batch.status not in ("validating", "in_progress"):
        raise InvalidRequest(
            f"the batch is {batch.status}: it can be cancelled no more", code="batch_over"
        )
    return replace(batch, status="cancelling", ending="cancelled", cancelling_us=at_us)


def winding_up(
    batch: Batch, ending: Ending, *, at_us: int, problems: Sequence[LineProblem] = ()
) -> Batch:
    """No line is asked any more, and its files are to be written."""
    assert ending != "cancelled", "only a client cancels"
    if batch.status not in ("validating", "in_progress"):
        return batch
    return replace(
        batch,
        status="finalizing",
        ending=ending,
        finalizing_us=at_us,
        problems=tuple(problems[:PROBLEMS_MOST]),
    )


def counted(batch: Batch, *, completed: int, failed: int) -> Batch:
    """So many lines were answered; counts never go down."""
    if batch.over or batch.status == "validating":
        return batch
    completed, failed = max(batch.completed, completed), max(batch.failed, failed)
    if completed + failed > batch.total:
        return batch  # told by two runners: the files will say what is true
    return replace(batch, completed=completed, failed=failed)


def concluded(
    batch: Batch,
    *,
    completed: int,
    failed: int,
    output_file: str | None,
    error_file: str | None,
    at_us: int,
) -> Batch:
    """Its files are written; nothing of it changes from now on."""
    if batch.status not in ("finalizing", "cancelling"):
        return batch
    assert batch.ending is not None, "what winds up knows its end"
    return replace(
        batch,
        status=batch.ending,
        total=max(batch.total, completed + failed),
        completed=completed,
        failed=failed,
        output_file=output_file,
        error_file=error_file,
        over_us=at_us,
    )
