"""Holders that are gone for good: what they really spent is in their journal, and nowhere else."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pointsman.limits.periods import DAY_US, Period, month_of

_REMEMBERED = 100
_ALIVE_S = 1.0  # how long "it lives" is believed

Spent = Callable[[str | None, int], Sequence[Mapping[str, Any]]]  # `spent` of a writer since


class Home(NamedTuple):
    """The journal of this process, as others of the same journal see it."""

    name: str
    holder: str  # its writer
    is_writing: Callable[[str], bool]
    spent: Spent


class Gone:
    """Looks whether holders of the same home live. For one thread at a time."""

    def __init__(self, home: Home, monotonic: Callable[[], float]) -> None:
        self._home = home
        self._monotonic = monotonic
        self._alive: OrderedDict[str, float] = OrderedDict()
        self._rows: OrderedDict[str, Sequence[Mapping[str, Any]]] = OrderedDict()

    def worth_a_look(self, holder: str) -> bool:
        """False for ourselves, and for who lived a moment ago."""
        if holder == self._home.holder:
            return False
        return self._monotonic() - self._alive.get(holder, -_ALIVE_S) >= _ALIVE_S

    def spent(self, holder: str, scope: str, period: Period) -> int | None:
        """What a holder spent in all, once it is gone; None while it lives.

        A writer holds the lock of its newest segment for as long as it can write: no clock says
        so. Raises: PointsmanError, OSError where the journal cannot be read.
        """
        if holder not in self._rows:
            if self._home.is_writing(holder):
                self._alive[holder] = self._monotonic()
                self._alive.move_to_end(holder)
                if len(self._alive) > _REMEMBERED:
                    self._alive.popitem(last=False)
                return None
            self._rows[holder] = self._home.spent(holder, month_of(period.start_us).start_us)
            if len(self._rows) > _REMEMBERED:
                self._rows.popitem(last=False)
        return _sum(self._rows[holder], scope, period)

    def before(self, scope: str, period: Period) -> int:
        """What everyone of this home has spent so far, us included.

        Raises: PointsmanError, OSError where the journal cannot be read.
        """
        return _sum(self._home.spent(None, period.start_us), scope, period)


def _sum(rows: Sequence[Mapping[str, Any]], scope: str, period: Period) -> int:
    return sum(
        int(row["cost_usd_picos"])
        for row in rows
        if _counts(row, scope) and period.start_us <= row["day"] * DAY_US < period.end_us
    )


_COLUMNS = {"key": "principal", "team": "team", "tenant": "tenant"}


def _counts(row: Mapping[str, Any], scope: str) -> bool:
    kind, _, name = scope.partition(":")
    return bool(row[_COLUMNS[kind]] == name)
