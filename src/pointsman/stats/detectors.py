"""Alarms on a stream: it has changed, with a stated average run length between false alarms.

An e-detector (Shin, Ramdas and Rinaldo, arXiv 2203.03532): for every moment at which the change
may have happened an e-process bets from there on that the mean is another; their sum is compared
with a threshold c. While nothing changes the alarm comes on average after c values or later, and
within n values with probability n / c at most. The bets are on the mean of values in [0, 1], so
that rates need no more assumptions than scores do.

The baseline is learned from a leading window and goes on being learned; each e-process bets
against the edge of what was known of it when it began, so that an uncertain baseline does not
turn into an alarm.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

DEFAULT_REFERENCE = 200
_BLOCK = 100  # values after which the baseline of new e-processes is looked at again
_BLOCKS = 24  # e-processes of older blocks are dropped: that makes the sum smaller, never larger
_EDGE = 1.0  # standard errors of the baseline that an e-process gives away
# Shifts that are bet on, as parts of the way from the baseline to 0 or to 1, and their weights.
_SHIFTS = (0.12, 0.2, 0.32, 0.45)
_DOWN = 0.9  # of the stake is on falls: what gets better seldom wakes anybody
_LOOK_BACK = 4000  # values over which the beginning of a change is looked for


class Alarm(NamedTuple):
    """The stream has changed."""

    at: int  # position of the value at which it was noticed, from 0
    started: int  # the likeliest position of the first changed value
    before: float  # the mean until then
    after: float  # and since


class DriftState(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream stands."""

    n: int
    baseline: float | None  # None: still being learned
    evidence: float  # the sum of the e-processes; an alarm at `arl`
    alarms: int


class DriftDetector:
    """Watches one stream of values in [0, 1]. O(1) time and memory for each value.

    Args: arl is the average run length, in values, that false alarms are apart at least;
    reference is how many values the baseline is first learned from (no alarm falls into them,
    and after each alarm it is learned anew).
    Raises: ValueError for an arl below 10 or a reference below 20.
    """

    def __init__(self, *, arl: float, reference: int = DEFAULT_REFERENCE) -> None:
        if not arl >= 10:
            raise ValueError(f"arl must be 10 or more values, got {arl}")
        if reference < 20:
            raise ValueError(f"a baseline is learned from 20 values or more, got {reference}")
        self.arl, self.reference = float(arl), reference
        self.n = self._alarms = 0
        self._recent: deque[float] = deque(maxlen=_LOOK_BACK)
        self._restart()

    @property
    def begun(self) -> int:
        """The position at which it began, or began anew after its last alarm."""
        return self._begun

    @property
    def state(self) -> DriftState:
        """How it stands."""
        learned = self._count >= self.reference
        return DriftState(
            n=self.n,
            baseline=self._total / self._count if learned else None,
            evidence=sum(block.total for block in self._blocks),
            alarms=self._alarms,
        )

    def add(self, value: float) -> Alarm | None:
        """Take one value; the alarm, where this is the one that raises it.

        Raises: ValueError outside [0, 1].
        """
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"a value must lie in [0, 1], got {value}")
        self.n += 1
        self._recent.append(value)
        alarm = None
        if self._count >= self.reference:
            if self._until_next == 0:
                self._begin_block()
            self._until_next -= 1
            evidence = 0.0
            for block in self._blocks:
                evidence += block.add(value)
            if evidence >= self.arl:
                alarm = self._raise()
        if alarm is None:
            self._count += 1
            self._total += value
            self._square += value * value
        return alarm

    def dump(self) -> "DetectorState":
        """All that it knows, to go on from later."""
        return DetectorState(
            arl=self.arl, reference=self.reference, n=self.n, alarms=self._alarms,
            recent=list(self._recent), begun=self._begun, count=self._count, total=self._total,
            square=self._square, until_next=self._until_next,
            blocks=[block.dump() for block in self._blocks],
        )  # fmt: skip

    @classmethod
    def load(cls, state: "DetectorState") -> "DriftDetector":
        """One that goes on from there. Raises: ValueError for a state that cannot be."""
        made = cls(arl=state.arl, reference=state.reference)
        made.n, made._alarms = state.n, state.alarms
        made._recent.extend(state.recent)
        made._begun, made._count, made._total = state.begun, state.count, state.total
        made._square, made._until_next = state.square, state.until_next
        made._blocks = [_Block.load(block) for block in state.blocks]
        return made

    def _begin_block(self) -> None:
        mean = self._total / self._count
        # shrunk as if half a success and half a failure had been seen: never exactly 0 or 1
        mean = (mean * self._count + 0.5) / (self._count + 1)
        variance = max(self._square / self._count - mean * mean, mean * (1 - mean) / self._count)
        edge = _EDGE * math.sqrt(variance / self._count)
        for block in self._blocks:
            block.open = False
        self._blocks.append(_Block(max(mean - edge, 1e-4), min(mean + edge, 1 - 1e-4)))
        if len(self._blocks) > _BLOCKS:
            del self._blocks[0]
        self._until_next = _BLOCK

    def _raise(self) -> Alarm:
        self._alarms += 1
        since = self.n - self._begun
        seen = list(self._recent)[-min(since, _LOOK_BACK) :]
        back, before, after = change_point(seen)
        alarm = Alarm(self.n - 1, self.n - len(seen) + back, before, after)
        self._restart()
        return alarm

    def _restart(self) -> None:
        self._begun = self.n
        self._count, self._total, self._square = 0, 0.0, 0.0
        self._blocks: list[_Block] = []
        self._until_next = 0


class BlockState(msgspec.Struct, frozen=True, kw_only=True):
    """What one block of e-processes knows."""

    low: float
    high: float
    gains: list[float]
    open: bool
    total: float


class DetectorState(msgspec.Struct, frozen=True, kw_only=True):
    """What a detector knows, as it can be kept and gone on from."""

    arl: float
    reference: int
    n: int
    alarms: int
    recent: list[float]
    begun: int
    count: int
    total: float
    square: float
    until_next: int
    blocks: list[BlockState]


class _Block:
    """The e-processes that began while the baseline was known as it was then, for every shift."""

    __slots__ = ("_bets", "_edges", "_gains", "open", "total")

    def __init__(self, low: float, high: float) -> None:
        self._edges = (low, high)
        # A bet b at the null m pays 1 + b (m - x) of the stake, which x in [0, 1] never makes < 0.
        weight = 1.0 / len(_SHIFTS)
        self._bets: list[tuple[float, float, float]] = []  # bet, null, weight
        for part in _SHIFTS:
            down = low * (1 - part)
            up = high + part * (1 - high)
            self._bets.append((_bet(low, down), low, _DOWN * weight))
            self._bets.append((_bet(high, up), high, (1 - _DOWN) * weight))
        self._gains = [0.0] * len(self._bets)
        self.open = True
        self.total = 0.0

    def dump(self) -> BlockState:
        low, high = self._edges
        return BlockState(
            low=low, high=high, gains=list(self._gains), open=self.open, total=self.total
        )

    @classmethod
    def load(cls, state: BlockState) -> "_Block":
        made = cls(state.low, state.high)
        if len(state.gains) != len(made._gains):
            raise ValueError(f"{len(state.gains)} bets were kept, {len(made._gains)} are made now")
        made._gains, made.open, made.total = list(state.gains), state.open, state.total
        return made

    def add(self, value: float) -> float:
        fresh = 1.0 if self.open else 0.0
        gains, total = self._gains, 0.0
        for at, (bet, null, weight) in enumerate(self._bets):
            gain = (gains[at] + fresh) * (1.0 + bet * (null - value))
            gains[at] = gain
            total += weight * gain
        self.total = total
        return total


def _bet(null: float, alternative: float) -> float:
    """The bet that grows fastest where yes/no values have the alternative's rate."""
    return (null - alternative) / (null * (1.0 - null))


def change_point(values: Sequence[float]) -> tuple[int, float, float]:
    """Where the mean most likely changed once: the position of the first changed value.

    Returns: position, mean before it, mean from it on; (0, mean, mean) for fewer than two values.
    Source: the likelihood ratio of one change in a mean of known spread (Hinkley 1970).
    """
    n, total = len(values), math.fsum(values)
    if n < 2:
        return 0, total / n if n else 0.0, total / n if n else 0.0
    best, where, head, kept = -1.0, 1, 0.0, 0.0
    for at in range(1, n):
        head += values[at - 1]
        gap = head / at - (total - head) / (n - at)
        gain = gap * gap * at * (n - at)
        if gain > best:
            best, where, kept = gain, at, head
    return where, kept / where, (total - kept) / (n - where)


def alarms_of(
    values: Iterable[float], *, arl: float, reference: int = DEFAULT_REFERENCE
) -> list[Alarm]:
    """Every alarm of a whole stream, as `DriftDetector` raises them."""
    detector = DriftDetector(arl=arl, reference=reference)
    return [alarm for value in values if (alarm := detector.add(value)) is not None]
