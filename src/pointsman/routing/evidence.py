"""What outcomes say of one arm on one task: sums in which old outcomes fade, pure to update.

The base estimate of an arm (from a router's file, or none) is moved so that its mean agrees with
what was accepted; a change of acceptance is noticed, and then the old outcomes fade at once.
"""

from collections.abc import Mapping
from math import exp, log, sqrt
from typing import Final

import msgspec
from msgspec.structs import replace

from pointsman.domain.learned import Belief
from pointsman.stats.betting import Alarm

PRIOR: Final = 0.5  # the base estimate where nothing else gives one
_PRIOR_WEIGHT: Final = 2.0  # outcomes that it counts as
_FITTED_WEIGHT: Final = 20.0  # outcomes that an estimate of a router's file counts as
_GATE_WEIGHT: Final = 4.0  # gated answers that count before a gate is trusted to tell
_COST_WEIGHT: Final = 10.0
_FALSE_ALARM_EVERY: Final = 2000.0  # outcomes of a steady arm for one false alarm, on average
_NO_SHIFT: Final = 0.05  # acceptance that is off by less is moved, not forgotten
_LEFT: Final = 0.1  # of what is known of the gate, once a shift was noticed
_DIGITS: Final = 6  # of what is believed: more would only make records long
_LEAST: Final = 1e-3  # no estimate claims to be surer than this
_Z: Final = 1.96


_QUIET: Final = Alarm(null=_NO_SHIFT, low=-1.0, high=1.0)


class Since(msgspec.Struct, frozen=True):
    """Sums since a change may have begun: since acceptance last looked as expected (Page 1954)."""

    drift: float = 0.0
    n: float = 0.0
    accepted: float = 0.0
    base: float = 0.0

    def after(self, moved: float, seen: float, base: float) -> "Since":
        """With one more outcome, which was `moved` from what was expected."""
        drift = self.drift + moved - _NO_SHIFT
        if drift <= 0.0:
            return _NOW
        return Since(drift, self.n + 1.0, self.accepted + seen, self.base + base)


_NOW: Final = Since()


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the answers of one arm on one task; `base` is what was estimated before them.

    `gated` answers were judged by a gate first: those it `passed` may come to be `told`.
    """

    n: float = 0.0
    accepted: float = 0.0
    base: float = 0.0
    gated: float = 0.0
    passed: float = 0.0
    told: float = 0.0
    told_accepted: float = 0.0
    calls: float = 0.0
    cost: float = 0.0  # pico-dollars, of `calls`
    cost_base: float = 0.0
    rise: Alarm = _QUIET  # more was accepted than expected
    fall: Alarm = _QUIET
    rising: Since = _NOW
    falling: Since = _NOW
    shifts: int = 0
    since: float = 0.0  # outcomes since the latest shift was noticed


def after_call(cell: Cell, *, cost: float, base: float, memory: int) -> Cell:
    """With one more paid call; `base` is what its cost was estimated at, 0 where it was not."""
    keep = 1.0 - 1.0 / memory
    return replace(
        cell,
        calls=keep * cell.calls + 1.0,
        cost=keep * cell.cost + cost,
        cost_base=keep * cell.cost_base + base,
    )


def after_gate(cell: Cell, *, passed: bool, memory: int) -> Cell:
    """With one more verdict of a gate."""
    keep = 1.0 - 1.0 / memory
    return replace(
        cell, gated=keep * cell.gated + 1.0, passed=keep * cell.passed + (1.0 if passed else 0.0)
    )


def after_outcome(
    cell: Cell, *, accepted: bool, base: float, expected: float, told: bool, memory: int
) -> Cell:
    """With one more answer that was accepted or not; what a gate refused counts as not.

    Args: base is the estimate before this cell moved it, expected the one after; told where the
        answer had passed a gate; memory is about how many outcomes count.
    """
    keep, seen = 1.0 - 1.0 / memory, 1.0 if accepted else 0.0
    told_keep = keep if told else 1.0
    moved = seen - expected
    rise, fall = cell.rise.after(moved), cell.fall.after(-moved)
    rising = cell.rising.after(moved, seen, base)
    falling = cell.falling.after(-moved, seen, base)
    after = replace(
        cell,
        n=keep * cell.n + 1.0,
        accepted=keep * cell.accepted + seen,
        base=keep * cell.base + base,
        told=told_keep * cell.told + (1.0 if told else 0.0),
        told_accepted=told_keep * cell.told_accepted + (seen if told else 0.0),
        rise=rise,
        fall=fall,
        rising=rising,
        falling=falling,
        since=cell.since + 1.0,
    )
    if max(rise.value, fall.value) < _FALSE_ALARM_EVERY:
        return after
    return _forgotten(after, rising if rise.value > fall.value else falling)


def corrected(cell: Cell, *, accepted: bool, told: bool) -> Cell:
    """A verdict that was counted the other way is turned round."""
    by = 1.0 if accepted else -1.0
    told_by = by if told else 0.0
    return replace(
        cell,
        accepted=min(cell.n, max(0.0, cell.accepted + by)),
        told_accepted=min(cell.told, max(0.0, cell.told_accepted + told_by)),
    )


def _forgotten(cell: Cell, since: Since) -> Cell:
    """Only what came since the change began counts; the alarm begins anew."""
    gate = ("gated", "passed", "told", "told_accepted")
    return replace(
        cell,
        n=since.n,
        accepted=since.accepted,
        base=since.base,
        **{name: _LEFT * getattr(cell, name) for name in gate},
        rise=_QUIET,
        fall=_QUIET,
        rising=_NOW,
        falling=_NOW,
        shifts=cell.shifts + 1,
        since=0.0,
    )


def believe(
    arm: str,
    cell: Cell,
    *,
    base: float | None,
    base_n: float = 0.0,
    base_cost: float | None = None,
    cost_else: float = 0.0,
) -> Belief:
    """What to expect of an arm now.

    Args: base and base_cost are a router's estimates for this request, with the outcomes behind
        them; None where there is none. cost_else stands in for a cost that nobody knows.
    """
    weight = _PRIOR_WEIGHT if base is None else _FITTED_WEIGHT
    start = PRIOR if base is None else base
    accepted = round(_moved(start, cell, weight), _DIGITS)
    n = base_n + cell.n
    half = _Z * sqrt(accepted * (1.0 - accepted) / max(1.0, n))
    right, wrong = _gate_quality(cell, accepted)
    return Belief(
        arm=arm,
        accepted=accepted,
        low=round(max(0.0, accepted - half), _DIGITS),
        high=round(min(1.0, accepted + half), _DIGITS),
        n=round(n, 2),
        cost_usd_picos=round(_cost(cell, base_cost, cost_else)),
        passes_right=right,
        passes_wrong=wrong,
        base=base,
        base_cost_usd_picos=None if base_cost is None else round(base_cost),
    )


def _moved(start: float, cell: Cell, weight: float) -> float:
    """The estimate, its log odds shifted by as much as the mean was off."""
    if not cell.n:
        return start
    mean = cell.base / cell.n
    seen = (cell.accepted + weight * mean) / (cell.n + weight)
    odds = _logit(start) + _logit(seen) - _logit(mean)
    return 1.0 / (1.0 + exp(-odds))


def _gate_quality(cell: Cell, accepted: float) -> tuple[float, float]:
    """The shares of good and of bad answers that a gate lets through.

    Before verdicts are known the gate is taken to tell nothing: it lets everything through. What
    it refuses is taken for bad where no outcome can say otherwise.
    """
    if not cell.gated:
        return 1.0, 1.0
    passed = (cell.passed + _GATE_WEIGHT) / (cell.gated + _GATE_WEIGHT)
    told = (cell.told_accepted + _GATE_WEIGHT * accepted) / (cell.told + _GATE_WEIGHT)
    right = passed * told / max(_LEAST, accepted)
    wrong = passed * (1.0 - told) / max(_LEAST, 1.0 - accepted)
    return round(min(1.0, right), _DIGITS), round(min(1.0, wrong), _DIGITS)


def _cost(cell: Cell, base: float | None, otherwise: float) -> float:
    if base is None or base <= 0.0:
        return cell.cost / cell.calls if cell.calls else otherwise
    if not cell.cost_base:
        return base
    mean = cell.cost_base / cell.calls
    return base * (cell.cost + _COST_WEIGHT * mean) / (cell.cost_base + _COST_WEIGHT * mean)


def _logit(share: float) -> float:
    inside = min(1.0 - _LEAST, max(_LEAST, share))
    return log(inside / (1.0 - inside))


class Evidence:
    """The cells of a portfolio by task and arm; bounded, the longest untouched go first."""

    def __init__(self, most: int = 4096) -> None:
        self._cells: dict[tuple[str, str], Cell] = {}
        self._most = most

    def cell(self, task: str, arm: str) -> Cell:
        """What is known of an arm on a task."""
        return self._cells.get((task, arm), _NOTHING)

    def put(self, task: str, arm: str, cell: Cell) -> None:
        """The new cell in place of the old."""
        key = (task, arm)
        self._cells.pop(key, None)
        self._cells[key] = cell
        if len(self._cells) > self._most:
            del self._cells[next(iter(self._cells))]

    @property
    def cells(self) -> Mapping[tuple[str, str], Cell]:
        """Every cell by task and arm."""
        return self._cells


_NOTHING = Cell()
