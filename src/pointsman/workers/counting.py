"""The counts of all workers, those that are gone included: a counter never goes down."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pointsman.workers.messages import Count, Counted

if TYPE_CHECKING:
    from pointsman.workers.crew import Slot

_COUNT_S = 2.0


class Counts:
    """The latest snapshot of each worker, and the sum of those whose process is gone.

    What a killed worker counted after its last snapshot, at most a second, is nowhere but in the
    journal; what was once told is told again.
    """

    def __init__(self) -> None:
        self._retired: bytes | None = None
        self._latest: dict[int, bytes] = {}

    def take(self, slot: int, snapshot: bytes) -> None:
        """What the worker in this place has counted so far."""
        self._latest[slot] = snapshot

    def retire(self, slot: int) -> None:
        """The worker in this place is gone; what it counted stays."""
        last = self._latest.pop(slot, None)
        if last is None:
            return
        from pointsman.telemetry import combine  # loads what nobody needs before

        self._retired = combine([last] if self._retired is None else [self._retired, last])

    async def all(self, slots: Sequence["Slot"]) -> Counted:
        """Snapshots that add up to everything counted; a worker that hangs by its last one."""
        await asyncio.gather(*(self._ask(slot) for slot in slots))
        gone = () if self._retired is None else (self._retired,)
        return Counted(snapshots=(*gone, *self._latest.values()))

    async def _ask(self, slot: "Slot") -> None:
        from pointsman.domain.errors import WorkerFailed

        member = slot.member
        if member is None:
            return
        try:
            said = await member.ask(Count(), timeout_s=_COUNT_S)
        except WorkerFailed:
            return
        # Between, it may have died and been counted as gone: counting it again would be twice.
        if isinstance(said, Counted) and slot.member is member:
            self.take(slot.index, said.snapshots[0])
