"""Cells from an event loop: one thread, short waits, and a store that is gone is not waited on."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pointsman.domain.errors import PointsmanError, StateUnavailable
from pointsman.domain.ports import Cells

_REST_S = 1.0  # for which nobody asks after a failure; doubled by each that follows
_REST_MOST_S = 5.0
_LOCAL_MOST = 100_000


class LocalCells:
    """Cells of this process alone, where there is no state; gone with it."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._cells: dict[str, tuple[int, bytes]] = {}

    def change(self, name: str, change: Callable[[bytes | None], bytes], *, until_us: int) -> bytes:
        """The value after the change."""
        found = self._cells.get(name)
        value = change(found[1] if found is not None else None)
        if found is None and len(self._cells) >= _LOCAL_MOST:
            self.forget(now_us=self._now_us())
        self._cells[name] = (until_us, value)
        return value

    def read(self, prefix: str) -> dict[str, bytes]:
        """The cells whose names begin so."""
        return {name: cell[1] for name, cell in self._cells.items() if name.startswith(prefix)}

    def forget(self, *, now_us: int) -> int:
        """Let go of what is over; how many."""
        before = len(self._cells)
        self._cells = {name: cell for name, cell in self._cells.items() if cell[0] >= now_us}
        return before - len(self._cells)

    def close(self) -> None:
        """Nothing is open."""


class Counters:
    """Cells for one event loop. Changes are made in the order they were asked for.

    Args: wait_s bounds each wait; after one that failed nobody waits for a while: then one does.
    """

    def __init__(self, cells: Cells, *, wait_s: float, monotonic: Callable[[], float]) -> None:
        self.cells = cells
        self.local = isinstance(cells, LocalCells)
        self._wait_s = wait_s
        self._monotonic = monotonic
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pointsman-counters")
        self._rest_s = _REST_S
        self._resting_until = 0.0
        self._trouble: StateUnavailable | None = None
        self._asked = 0

    async def change(
        self, name: str, change: Callable[[bytes | None], bytes], *, until_us: int
    ) -> bytes:
        """The value after the change. Raises: StateUnavailable, within `wait_s`.

        A change that was given up may still be made later; never after one asked for later.
        """
        if self.local:
            return self.cells.change(name, change, until_us=until_us)
        if self._trouble is not None and self._monotonic() < self._resting_until:
            raise _again(self._trouble)
        work = asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self.cells.change(name, change, until_us=until_us)
        )
        self._asked += 1
        try:
            async with asyncio.timeout(self._wait_s):
                value = await asyncio.shield(work)
        except TimeoutError:
            work.add_done_callback(_looked_at)
            late = StateUnavailable(
                "the counters of rates and budgets cannot be used",
                why=f"they did not answer within {self._wait_s:g} s",
                next="look at the load of the database or Redis that `state` names",
            )
            raise self._rest(late) from None
        except asyncio.CancelledError:
            work.add_done_callback(_looked_at)
            raise
        except StateUnavailable as error:
            raise self._rest(error) from error
        except PointsmanError as error:
            trouble = StateUnavailable(error.what, why=error.why, next=error.next)
            raise self._rest(trouble) from error
        self._trouble, self._rest_s = None, _REST_S
        return value

    async def forget(self, now_us: int) -> None:
        """Let go of cells that are over. Raises: PointsmanError."""
        await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self.cells.forget(now_us=now_us)
        )

    def close(self) -> None:
        """Take nothing more; what was asked for is still made."""
        self._thread.shutdown(wait=True)
        self.cells.close()

    def _rest(self, trouble: StateUnavailable) -> StateUnavailable:
        self._trouble = trouble
        self._resting_until = self._monotonic() + self._rest_s
        self._rest_s = min(_REST_MOST_S, 2 * self._rest_s)
        return trouble


def _again(trouble: StateUnavailable) -> StateUnavailable:
    """The same words in an error of its own: each is raised once."""
    return StateUnavailable(trouble.what, why=trouble.why, next=trouble.next)


def _looked_at(work: "asyncio.Future[bytes]") -> None:
    """A late failure was told already."""
    if not work.cancelled():
        work.exception()
