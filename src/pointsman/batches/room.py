"""How much of this gateway batches may have: few lines at once, while clients leave room."""

import asyncio
from collections import deque
from collections.abc import Callable

_LOOK_S = 0.1  # while clients leave none: nobody tells us when they do


class Seat:
    """A place in the room; `leave` it, once or more often."""

    __slots__ = ("_room",)

    def __init__(self, room: "Room") -> None:
        self._room: Room | None = room

    def leave(self) -> None:
        """Somebody else may enter."""
        room, self._room = self._room, None
        if room is not None:
            room.inside -= 1
            room.wake()


class Room:
    """For one event loop. Who comes first enters first, so batches take turns line by line.

    Args: most is how many may be in; free says whether clients leave room just now.
    """

    def __init__(self, *, most: Callable[[], int], free: Callable[[], bool]) -> None:
        self._most = most
        self._free = free
        self._line: deque[object] = deque()  # bounded by the lines that batches may have at once
        self._left = asyncio.Event()
        self.inside = 0

    async def enter(self, *, give_up: Callable[[], bool]) -> Seat | None:
        """A seat once there is one; None once `give_up` says so, which is looked at often."""
        place = object()
        self._line.append(place)
        try:
            while not give_up():
                if self._line[0] is place and self.inside < self._most() and self._free():
                    self.inside += 1
                    return Seat(self)
                try:
                    async with asyncio.timeout(_LOOK_S):
                        await self._left.wait()
                except TimeoutError:
                    continue
            return None
        finally:
            self._line.remove(place)
            self.wake()

    def wake(self) -> None:
        """Something changed: whoever waits looks again."""
        self._left.set()
        self._left.clear()  # those who waited go on all the same
