"""Bets against a stated mean: confidence and evidence that hold at every look, not only at one."""

import math
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from pointsman.stats.estimate import Estimate, check_level

# Shares of the largest bet that cannot lose all. A mixture needs no guess of what is to be found:
# small ones find small shifts late, large ones large shifts at once.
_SHARES = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
_LARGEST = 1e12  # evidence is not counted further than this


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence against "the mean is at most `null`", for values in [low, high].

    `value` is an e-value: while the statement holds, each value having at most that mean given
    those before it, the chance that it ever reaches 1 / delta is at most delta, however often it
    is looked at. `peak` is the largest so far; `total` and `n` give the mean that was seen.
    """

    null: float
    low: float
    high: float
    wealths: tuple[float, ...] = (1.0,) * len(_SHARES)
    n: int = 0
    total: float = 0.0
    peak: float = 1.0

    @property
    def value(self) -> float:
        """The mean of the wealths of all bets."""
        return sum(self.wealths) / len(self.wealths)

    def after(self, seen: float) -> "Evidence":
        """With one more value. Raises: ValueError outside [low, high].

        Source: Waudby-Smith and Ramdas (2024), JRSS-B 86, 1-27, section 4; fixed bets, mixed.
        """
        return _after(self, seen, fresh=0.0)


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence that the mean went over `null` at some time, whenever that was.

    While it did not, the expected number of values until `value` first reaches c is at least c:
    the rate of false alarms is a choice.
    """

    null: float
    low: float
    high: float
    wealths: tuple[float, ...] = (0.0,) * len(_SHARES)
    n: int = 0
    total: float = 0.0
    peak: float = 0.0

    @property
    def value(self) -> float:
        """The mean over bets of what each won since every time it may have begun."""
        return sum(self.wealths) / len(self.wealths)

    def after(self, seen: float) -> "Alarm":
        """With one more value. Raises: ValueError outside [low, high].

        Source: Shin, Ramdas and Rinaldo (2023), arXiv 2203.03532: the e-detector of
        Shiryaev-Roberts kind, M_n = (1 + M_(n-1)) L_n.
        """
        return _after(self, seen, fresh=1.0)


_State = TypeVar("_State", Evidence, Alarm)


def _after(state: _State, seen: float, *, fresh: float) -> _State:
    gain = _gain(state.null, state.low, state.high, seen)
    wealths = tuple(
        min(_LARGEST, (fresh + wealth) * (1.0 + share * gain))
        for share, wealth in zip(_SHARES, state.wealths, strict=True)
    )
    return replace(
        state,
        wealths=wealths,
        n=state.n + 1,
        total=state.total + seen,
        peak=max(state.peak, sum(wealths) / len(wealths)),
    )


def _gain(null: float, low: float, high: float, seen: float) -> float:
    """What the whole stake wins: -1 at the least value, mean zero under the null."""
    if not low <= seen <= high:  # nan as well
        raise ValueError(f"{seen} lies outside [{low}, {high}]")
    if not low < null < high:
        raise ValueError(f"a mean of {null} cannot be tested for values in [{low}, {high}]")
    return (seen - null) / (null - low)


class BettingSequence:
    """An interval for the mean of bounded values that covers it at all times at once.

    With confidence `level` the mean lies in every interval ever shown, however often one looks
    and whenever one stops. Values need a common mean given those before them; no other form.

    Source: hedged capital with predictable plug-in bets (Waudby-Smith and Ramdas 2024, JRSS-B 86,
    1-27, theorem 3), on a grid of means whose refuted neighbours are the limits.
    """

    def __init__(
        self, *, low: float = 0.0, high: float = 1.0, level: float = 0.95, grid: int = 1000
    ) -> None:
        """Args: values lie in [low, high]; `grid` cells divide that range.

        Raises: ValueError for an empty range or a level outside (0, 1).
        """
        check_level(level)
        if not low < high:
            raise ValueError(f"values in [{low}, {high}] have no range")
        self._low, self._width, self._level, self._grid = low, high - low, level, grid
        self._error = 1.0 - level
        self._bound = math.log(2.0 / self._error)  # half the stake on either side
        self._means = [(i + 0.5) / grid for i in range(grid)]
        self._rises = [0.0] * grid  # log capital of bets that the mean is higher
        self._falls = [0.0] * grid
        self._first, self._last = 0, grid - 1  # cells that stand
        self._n, self._sum, self._squares = 0, 0.0, 0.0

    def add(self, value: float) -> None:
        """One more value. Raises: ValueError outside [low, high]."""
        x = (value - self._low) / self._width
        if not 0.0 <= x <= 1.0:
            raise ValueError(f"{value} is outside the range of the sequence")
        self._n += 1
        n = self._n
        spread = (0.25 + self._squares) / n  # of the values before this one
        bet = math.sqrt(2.0 * math.log(2.0 / self._error) / (spread * n * math.log(n + 1.0)))
        for i in range(self._first, self._last + 1):
            mean = self._means[i]
            self._rises[i] += math.log1p(min(bet, 0.5 / mean) * (x - mean))
            self._falls[i] += math.log1p(-min(bet, 0.5 / (1.0 - mean)) * (x - mean))
        while self._first <= self._last and self._rises[self._first] >= self._bound:
            self._first += 1
        while self._last >= self._first and self._falls[self._last] >= self._bound:
            self._last -= 1
        self._sum += x
        centre = (0.5 + self._sum) / (n + 1)
        self._squares += (x - centre) ** 2

    @property
    def estimate(self) -> Estimate:
        """The mean so far and the interval, in the values' unit.

        Where no mean stands any more the values had no common one: low is then over high.
        """
        low = 0.0 if self._first == 0 else self._means[self._first - 1]
        high = 1.0 if self._last == self._grid - 1 else self._means[self._last + 1]
        return Estimate(
            value=self._low + self._width * self._sum / self._n if self._n else None,
            low=self._low + self._width * low,
            high=self._low + self._width * high,
            n=self._n,
            level=self._level,
        )
