"""Which time retention goes by: a wall clock that jumped ahead is not believed for a day.

Erasing is for good, and clocks are set wrong by hand, by batteries and by time servers. Time that
passes in steps of less than a day is believed at once. A larger step (a wrong clock, or a machine
that was off for weeks) is believed once the clock has stood by it for a day of a keeper running,
measured by the monotonic clock. A clock that goes back only makes retention wait.
"""

import msgspec

from pointsman.domain.errors import CheckFailed
from pointsman.journal.disk import replace_file
from pointsman.journal.layout import Layout

DAY_US = 86_400_000_000
STEP_US = DAY_US
PROOF_S = 86_400.0


class _Seen(msgspec.Struct, frozen=True):
    """What is remembered between runs."""

    believed_us: int
    proof_s: float = 0.0  # for how long a larger step has stood


class TrustedClock:
    """The time to erase by. Belongs to whoever holds the keeper's lease."""

    def __init__(self, where: Layout) -> None:
        self._path = where.home / "clock.json"
        self._last: tuple[int, float] | None = None  # wall and monotonic of the last look
        self.doubt: str | None = None  # why retention waits

    @property
    def begun(self) -> bool:
        """False in a journal that has not seen a keeper yet."""
        return self._path.exists()

    def now_us(self, wall_us: int, monotonic_s: float, *, newest_us: int) -> int:
        """The believed time, never after `wall_us`.

        Args: newest_us: time of the latest record; with it a journal begins that has none here.
        Raises: OSError when it cannot be remembered; CheckFailed when what is remembered is not
            to be read.
        """
        seen = self._read() or _Seen(min(newest_us or wall_us, wall_us))
        seen = self._advanced(seen, wall_us, monotonic_s)
        self._last = (wall_us, monotonic_s)
        replace_file(self._path, msgspec.json.encode(seen))
        return min(seen.believed_us, wall_us)

    def _advanced(self, seen: _Seen, wall_us: int, monotonic_s: float) -> _Seen:
        self.doubt = None
        ahead_us = wall_us - seen.believed_us
        if ahead_us <= STEP_US:
            return _Seen(max(seen.believed_us, wall_us))
        proof_s = seen.proof_s
        if self._last is not None:
            walled_s = (wall_us - self._last[0]) / 1e6
            passed_s = monotonic_s - self._last[1]
            steady = abs(walled_s - passed_s) < 60  # else it has just jumped: a fresh doubt
            proof_s = proof_s + passed_s if steady else 0.0
        if proof_s >= PROOF_S:
            return _Seen(wall_us)
        self.doubt = (
            f"the clock is {ahead_us / DAY_US:.1f} days ahead of what this journal has seen;"
            f" nothing is erased by it for another {(PROOF_S - proof_s) / 3600:.1f} h"
        )
        return _Seen(seen.believed_us, proof_s)

    def _read(self) -> _Seen | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Seen)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise CheckFailed(
                "the time that retention goes by cannot be read",
                why=f"{error} ({self._path})",
                next="remove that file; retention then goes by the latest record",
            ) from error
