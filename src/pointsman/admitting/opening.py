"""From a configuration to who lets in: which store counts, which journal says what was spent."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.admitting.admitting import Admitting
from pointsman.admitting.counters import Counters, LocalCells
from pointsman.admitting.gone import Home
from pointsman.domain.ports import Cells
from pointsman.domain.task import Configuration
from pointsman.journal import JournalReader, JournalWriter, identity, is_writing

if TYPE_CHECKING:
    from pointsman.state import State

# A Redis that is well answers in a millisecond; a database's commit waits for its disk.
REDIS_WAIT_S = 0.2
DATABASE_WAIT_S = 2.0


def open_admitting(
    config: Configuration,
    *,
    state: "State | None",
    journal: JournalWriter,
    reports: JournalReader,
    now_us: Callable[[], int],
    monotonic: Callable[[], float],
    workers: int,
) -> Admitting:
    """Who lets in. Counts in Redis where the configuration names one, else in the state, else here.

    Rates are counted together where there may be others to count with.
    Raises: ExtraMissing, ConfigurationError; OSError where the journal's folder takes no file.
    """
    cells: Cells
    wait_s = DATABASE_WAIT_S
    if config.state.counters is not None:
        from pointsman.state.redis_cells import RedisCells

        cells, wait_s = RedisCells(config.state.counters, wait_s=REDIS_WAIT_S), REDIS_WAIT_S
    elif state is not None:
        cells = state.cells
    else:
        cells = LocalCells(now_us)
    root = Path(config.journal_path)
    return Admitting(
        Counters(cells, wait_s=wait_s, monotonic=monotonic),
        config.budgets,
        home=Home(
            name=identity(root),
            holder=journal.writer,
            is_writing=partial(is_writing, root),
            spent=partial(_spent, reports),
        ),
        now_us=now_us,
        monotonic=monotonic,
        shared=workers > 1 or config.state.counters is not None or config.state.url is not None,
        workers=workers,
    )


def _spent(reports: JournalReader, writer: str | None, since_us: int) -> list[Mapping[str, Any]]:
    return list(reports.query("spent", {"writer": writer, "since_us": since_us}))
