"""One batch, from where it is to its end: checked, asked line by line, its files written."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import NamedTuple

from pointsman.batches.asking import Given
from pointsman.batches.desk import Desk
from pointsman.batches.lines import Line, answered, lines_of, unasked
from pointsman.batches.makers import Caller
from pointsman.batches.parts import Part, Written, check, done, raw_lines, write_files
from pointsman.batches.room import Room, Seat
from pointsman.batches.status import begun, concluded, counted, rejected, winding_up
from pointsman.domain.batches import Batch, BatchStatus, Ending, FileEntry, LineProblem, Purpose
from pointsman.domain.errors import PointsmanError, StateUnavailable
from pointsman.surfaces.errors import error_object

log = logging.getLogger("pointsman.batches")
_READ_AHEAD = 64  # lines
CANCEL_GRACE_S = 10.0  # for lines in flight, which are paid for, when a client cancels
_TOLD_EVERY_S = 1.0  # counts in the state
# Again: a rate that is used up, a full house, a store that is away. Until the window is over.
_LATER = frozenset({429, 503})
_TWICE = frozenset({500, 502, 504})  # the engines' trouble, which may pass
_EXPIRED = "This request could not be executed before the completion window expired."

_LATENESS: Mapping[BatchStatus, int] = {
    "validating": 0,
    "in_progress": 1,
    "finalizing": 2,
    "cancelling": 2,
    "completed": 3,
    "failed": 3,
    "expired": 3,
    "cancelled": 3,
}

Ask = Callable[[Line, Caller], Awaitable[Given]]
Whose = Callable[[Batch], Awaitable[Caller | LineProblem]]


class Pace(NamedTuple):
    """Seconds between tries of one line: of an engine's trouble so often, and of a full house."""

    tries_s: tuple[float, ...] = (1.0, 5.0, 25.0)
    later_s: float = 2.0
    longest_s: float = 60.0


class _Seated(NamedTuple):
    seat: Seat
    caller: Caller


class BatchRun:
    """The run of a batch in one turn.

    Args: turn is the epoch of the lease it runs under; heavy is held while whole
        files are read or written: threads are few, and clients need them too.
    """

    def __init__(
        self,
        batch: Batch,
        desk: Desk,
        room: Room,
        *,
        turn: int,
        ask: Ask,
        whose: Whose,
        now_us: Callable[[], int],
        monotonic: Callable[[], float],
        most_lines: int,
        most_at_once: int,
        pace: Pace,
        heavy: asyncio.Semaphore,
    ) -> None:
        self.batch = batch
        self._desk, self._room, self._turn = desk, room, turn
        self._ask, self._whose = ask, whose
        self._now_us, self._monotonic = now_us, monotonic
        self._most_lines, self._pace, self._heavy = most_lines, pace, heavy
        self._most_at_once = most_at_once
        self._lines: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()  # no line begins any more
        self._unwanted = asyncio.Event()  # nobody waits for those in flight either
        self._broken: BaseException | None = None
        self._ending: Ending = "completed"
        self._why: tuple[LineProblem, ...] = ()
        self._pause_until = 0.0
        self._completed = self._failed = 0

    def hear(self, batch: Batch) -> None:
        """What the state says of it by now: a client may have cancelled it."""
        if _LATENESS[batch.status] < _LATENESS[self.batch.status]:
            return  # it was read before we changed it
        self.batch = batch
        if batch.status == "cancelling" or batch.over:
            self._stopped.set()
            self._unwanted.set()

    async def run(self) -> None:
        """To its end, or as far as it comes before `CancelledError`.

        Raises: OSError, StateUnavailable: it can be run again from where it is.
        """
        batches = self._desk.state.batches  # it may be over since it was chosen
        self.hear(await asyncio.to_thread(batches.get, self.batch.id, self.batch.tenant))
        if self.batch.status == "validating":
            await self._check()
        if self.batch.status == "in_progress":
            await self._work()
        if self.batch.status in ("finalizing", "cancelling"):
            await self._conclude()

    async def drain(self, grace_s: float) -> None:
        """Begin no line more, and give those that run a moment."""
        self._stopped.set()
        if self._lines:
            await asyncio.wait(self._lines, timeout=grace_s)

    # Checking

    async def _check(self) -> None:
        batch = self.batch
        if self._over():
            await self._wind_up("expired")
            return
        try:
            async with self._heavy:
                checked = await asyncio.to_thread(
                    check, self._desk.store, batch.input_file, batch.endpoint, most=self._most_lines
                )
            problems, total = checked.problems, checked.total
        except FileNotFoundError:
            gone = LineProblem(code="file_content_missing", message="The input file is gone.")
            problems, total = (gone,), 0
        at_us = self._now_us()
        if problems:
            await self._change(partial(rejected, problems=problems, at_us=at_us))
        else:
            await self._change(partial(begun, total=total, at_us=at_us))

    # Asking

    async def _work(self) -> None:
        batch, store = self.batch, self._desk.store
        async with self._heavy:
            already = await asyncio.to_thread(done, store, batch.id)
        self._completed, self._failed = already.completed, already.failed
        part = await asyncio.to_thread(Part, store.part(batch.id, self._turn))
        telling = asyncio.ensure_future(self._tell())
        try:
            with await asyncio.to_thread(store.open, batch.input_file) as source:
                lines = lines_of(raw_lines(source), batch.endpoint, skip=already.numbers)
                while ahead := await asyncio.to_thread(_some, lines):
                    for line in ahead:
                        if not await self._begin(line, part):
                            break
                    if self._stopped.is_set():
                        break
            await self._last_lines()
        except FileNotFoundError:
            self._stop("failed", "file_content_missing", "The input file is gone.")
        finally:
            left = [telling, *self._lines]
            for task in left:
                task.cancel()
            await asyncio.wait(left)
            part.close()
        if self._broken is not None:
            raise self._broken
        if self._completed + self._failed == self.batch.total:
            self._ending, self._why = "completed", ()  # it was whole before what stopped it
        elif self._ending == "completed" and self.batch.status == "in_progress":
            return  # stopped from without: it goes on where somebody begins it again
        await self._wind_up(self._ending, self._why)

    async def _begin(self, line: Line, part: Part) -> bool:
        """Begin a line once there is room for it; False where none begins any more."""
        while len(self._lines) >= self._most_at_once and not self._stopped.is_set():
            await self._first_of(self._stopped)
        seated = await self._let_in()
        if seated is None:
            return False
        task = asyncio.ensure_future(self._answer(line, seated, part))
        self._lines.add(task)
        task.add_done_callback(partial(self._ended, seated))
        return True

    async def _last_lines(self) -> None:
        """Wait for the lines in flight: for a moment only, once a client cancels."""
        while self._lines and not self._unwanted.is_set():
            await self._first_of(self._unwanted)
        if self._lines:
            await asyncio.wait(self._lines, timeout=CANCEL_GRACE_S)
        for task in self._lines:
            task.cancel()
        if self._lines:
            await asyncio.wait(self._lines)

    async def _first_of(self, event: asyncio.Event) -> None:
        """Return once a line in flight has ended, or the event is there."""
        there = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({there, *self._lines}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            there.cancel()

    def _ended(self, seated: "_Seated", task: "asyncio.Task[None]") -> None:
        seated.seat.leave()  # a task that was cancelled before it began left nothing itself
        self._lines.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._broken = self._broken or task.exception()
            self._stopped.set()

    async def _let_in(self) -> "_Seated | None":
        """A seat in the room, and in whose name; None where no line is asked any more."""
        while await self._waited() and self._in_time():
            seat = await self._room.enter(give_up=self._gives_up)
            if seat is None:
                continue
            caller: Caller | LineProblem | None = None
            try:
                caller = await self._whose(self.batch)
            except StateUnavailable as error:  # nobody can say whose it is: wait, ask nothing
                log.warning("%s waits: %s", self.batch.id, error.what)
                self._pause(self._pace.later_s)
            finally:
                if not isinstance(caller, Caller) or self._gives_up():
                    seat.leave()
            if isinstance(caller, LineProblem):
                self._stop("failed", caller.code, caller.message)
            elif caller is not None and not self._gives_up():
                return _Seated(seat, caller)
        return None

    def _gives_up(self) -> bool:
        """Whether nobody of this batch waits for room any more, or not now."""
        paused = self._monotonic() < self._pause_until
        return self._stopped.is_set() or self._over() or paused

    async def _waited(self) -> bool:
        """After a pause, if there is one; False where no line begins any more."""
        while not self._stopped.is_set():
            pause_s = self._pause_until - self._monotonic()
            left_s = (self.batch.expires_us - self._now_us()) / 1e6
            if pause_s <= 0 or left_s <= 0:
                return True
            try:
                async with asyncio.timeout(min(pause_s, left_s)):
                    await self._stopped.wait()
            except TimeoutError:
                continue
        return False

    async def _answer(self, line: Line, seated: "_Seated", part: Part) -> None:
        """Ask a line until it has an answer that is worth keeping."""
        troubles, tries_s = 0, self._pace.tries_s
        while True:
            try:
                given = await self._asked(line, seated.caller)
            finally:
                seated.seat.leave()
            if given.status in _LATER:
                wait_s = given.retry_after_s or self._pace.later_s
                self._pause(min(wait_s, self._pace.longest_s))
            elif given.status in _TWICE and troubles < len(tries_s):
                troubles += 1
                await self._rest(tries_s[troubles - 1])
            else:
                break
            again = await self._let_in()
            if again is None:
                return  # nothing came of it: where the batch goes on, it is asked again
            seated = again
        good = given.status < 400
        row = answered(
            self.batch.id, line, status=given.status, request_id=given.request_id, body=given.body
        )
        part.append(line.number, row, good=good)
        self._completed += good
        self._failed += not good

    async def _asked(self, line: Line, caller: Caller) -> Given:
        try:
            return await self._ask(line, caller)
        except Exception:
            log.exception("%s: line %d failed", self.batch.id, line.number)
            error = PointsmanError("the server had an error")
            return Given(error.status, "", error_object(error))

    async def _rest(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._stopped.wait()
        except TimeoutError:
            return

    def _pause(self, wait_s: float) -> None:
        """No line of this batch begins before that."""
        self._pause_until = max(self._pause_until, self._monotonic() + wait_s)

    def _over(self) -> bool:
        return self._now_us() >= self.batch.expires_us

    def _in_time(self) -> bool:
        if self._over():
            self._stop("expired")
        return not self._stopped.is_set()

    def _stop(self, ending: Ending, code: str = "", message: str = "") -> None:
        if not self._stopped.is_set():
            self._ending = ending
            self._why = (LineProblem(code=code, message=message),) if code else ()
            self._stopped.set()

    async def _tell(self) -> None:
        """Keep the counts in the state current, without hurry."""
        told = (self.batch.completed, self.batch.failed)
        while True:
            await asyncio.sleep(_TOLD_EVERY_S)
            now = (self._completed, self._failed)
            if now != told:
                try:
                    await self._change(partial(counted, completed=now[0], failed=now[1]))
                    told = now
                except StateUnavailable as error:
                    log.warning("counts of %s wait: %s", self.batch.id, error.what)

    # The end

    async def _wind_up(self, ending: Ending, why: tuple[LineProblem, ...] = ()) -> None:
        at_us = self._now_us()
        await self._change(lambda batch: winding_up(batch, ending, at_us=at_us, problems=why))

    async def _conclude(self) -> None:
        batch, store = self.batch, self._desk.store
        async with self._heavy:
            written = await asyncio.to_thread(
                write_files,
                store,
                batch.id,
                file=batch.input_file,
                endpoint=batch.endpoint,
                rest=self._rest_of(batch),
            )
        await asyncio.to_thread(self._keep, batch, written)

    def _keep(self, batch: Batch, written: Written) -> None:
        """Files and end in one transaction: who comes second leaves nothing behind."""
        store = self._desk.store
        output = self._entry(batch, "output", written.output.size if written.output else 0)
        errors = self._entry(batch, "error", written.errors.size if written.errors else 0)
        kept: list[FileEntry] = []
        for entry, growing in ((output, written.output), (errors, written.errors)):
            if growing is not None:
                store.keep(growing, entry.id)
                kept.append(entry)
        self.batch = self._desk.state.batches.change(
            batch.id,
            lambda now: concluded(
                now,
                completed=written.completed,
                failed=written.failed,
                output_file=output.id if written.output else None,
                error_file=errors.id if written.errors else None,
                at_us=self._now_us(),
            ),
            with_files=tuple(kept),
        )
        for entry in kept:
            if entry.id not in (self.batch.output_file, self.batch.error_file):
                store.remove(entry.id)  # another runner was first
        store.remove_parts(batch.id)

    def _entry(self, batch: Batch, kind: str, size: int) -> FileEntry:
        purpose: Purpose = "batch_output"
        name = f"{batch.id}_{kind}.jsonl"
        return self._desk.mint_file(batch.tenant, name, purpose, size, batch.output_expires_s)

    def _rest_of(self, batch: Batch) -> Callable[[Line], bytes] | None:
        """What becomes of lines that were never answered; None: nothing."""
        if batch.ending == "expired":
            code, message = "batch_expired", _EXPIRED
        elif batch.ending == "failed" and batch.problems:
            code, message = batch.problems[0].code, batch.problems[0].message
        else:
            return None
        return lambda line: unasked(batch.id, line, code=code, message=message)

    async def _change(self, change: Callable[[Batch], Batch]) -> None:
        self.hear(await asyncio.to_thread(self._desk.state.batches.change, self.batch.id, change))


def _some(lines: Iterator[Line]) -> list[Line]:
    """A bounded number of lines more; empty at the end."""
    found: list[Line] = []
    size = 0
    for line in islice(lines, _READ_AHEAD):
        found.append(line)
        size += len(line.body)
        if size > 4 * 1024 * 1024:
            break
    return found
