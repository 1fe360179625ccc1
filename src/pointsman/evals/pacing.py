"""How many requests may run at once: up while answers come, halved where something is full.

Additive increase, multiplicative decrease (Chiu and Jain (1989), Computer Networks and ISDN
Systems 17, 1-14), after a first phase that doubles. No clock: times come in as arguments.
"""


class Pace:
    """The bound on requests at once, in [1, ceiling]."""

    def __init__(self, *, ceiling: int, start: int = 4) -> None:
        if ceiling < 1 or start < 1:
            raise ValueError("at least one request must be able to run")
        self.ceiling = ceiling
        self._limit = float(min(start, ceiling))
        self._climbing = True  # nothing was ever full: each answer lets one more in
        self._cut_s = float("-inf")
        self.cuts = 0

    @property
    def limit(self) -> int:
        """How many may run now."""
        return int(self._limit)

    def fine(self) -> None:
        """An answer came."""
        step = 1.0 if self._climbing else 1.0 / self._limit
        self._limit = min(float(self.ceiling), self._limit + step)

    def full(self, *, at_s: float, took_s: float) -> None:
        """Something was full, or an answer took too long: half of it from now on.

        Answers that were sent before the last cut tell of the time before it: those count once.
        Args: took_s is how long this one was on its way.
        """
        self._climbing = False
        if at_s - took_s < self._cut_s:
            return
        self._limit = max(1.0, self._limit / 2.0)
        self._cut_s = at_s
        self.cuts += 1


class Purse:
    """What a run may still spend, pico-dollars; knows the dearest sample, to stop before it.

    What the first sample costs is not known, so it runs alone.
    """

    def __init__(self, limit_usd_picos: int | None, *, spent_usd_picos: int = 0) -> None:
        self.limit = limit_usd_picos
        self.spent = spent_usd_picos
        self._dearest: int | None = None
        self._running = 0

    @property
    def used_up(self) -> bool:
        """Whether not even one more fits, with nothing on its way."""
        return self.limit is not None and self.spent + (self._dearest or 0) >= self.limit

    def begin(self) -> bool:
        """Whether one more may start; it is then on its way."""
        if self.limit is not None:
            if self._dearest is None:
                if self._running:
                    return False
            elif self.spent + (self._running + 1) * self._dearest > self.limit:
                return False
            if self.spent >= self.limit:
                return False
        self._running += 1
        return True

    def end(self, cost_usd_picos: int, *, paid: bool) -> None:
        """One came back; what was served from the cache was not paid for again."""
        self._running -= 1
        if paid:
            self.spent += cost_usd_picos
            self._dearest = max(self._dearest or 0, cost_usd_picos)
