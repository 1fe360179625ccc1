"""Two counts over the latest seconds, in a bounded number of slices; the clock is an argument."""

_SLICES = 10


class Window:
    """How many there were in the latest `window_s` seconds, and how many of a certain kind.

    Kept in ten slices, so that a count leaves the window up to a tenth of it early; never late.
    Times are monotonic seconds; one that goes back counts as the latest.
    """

    __slots__ = ("_alls", "_at", "_slice_s", "_somes", "all", "some")

    def __init__(self, window_s: float) -> None:
        self._slice_s = window_s / _SLICES
        self._at = 0
        self._alls = [0] * _SLICES
        self._somes = [0] * _SLICES
        self.all = 0
        self.some = 0

    def add(self, now: float, *, all: int = 0, some: int = 0) -> None:
        """Count."""
        self.roll(now)
        at = self._at % _SLICES
        self._alls[at] += all
        self._somes[at] += some
        self.all += all
        self.some += some

    def roll(self, now: float) -> None:
        """Let go of what is too old: `all` and `some` are right until time goes on."""
        at = int(now / self._slice_s)
        passed = at - self._at
        if passed <= 0:
            return
        for step in range(1, min(passed, _SLICES) + 1):
            slot = (self._at + step) % _SLICES
            self.all -= self._alls[slot]
            self.some -= self._somes[slot]
            self._alls[slot] = self._somes[slot] = 0
        self._at = at

    def clear(self) -> None:
        """Start anew."""
        self._alls = [0] * _SLICES
        self._somes = [0] * _SLICES
        self.all = self.some = 0
