"""Two streams of yes/no outcomes: exact evidence that their rates differ, at every look."""

import math

import msgspec
from msgspec.structs import replace

_PRIOR = 0.18  # successes and failures each rate is begun with; Turner and Grünwald's choice
_LARGEST = 600.0  # log of the evidence, not counted further
_MOST_WAITING = 1_000_000


class TwoStreams(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence against "both arms succeed equally often", exact at any number of cases.

    A pair of outcomes, one of each arm in order of arrival, is a bet: what its rates so far
    promise against the best common rate. Outcomes that have no partner yet wait. While the rates
    are equal, the chance that `e_value` ever reaches 1 / alpha is alpha at most, however often one
    looks; rates may drift, as long as they drift together.

    Source: Turner, Ly and Grünwald (2024), J. Stat. Plan. Inference 230, 106116.
    """

    pairs: int = 0
    successes_a: int = 0
    successes_b: int = 0
    log_e: float = 0.0
    log_peak: float = 0.0
    waiting_a: tuple[bool, ...] = ()
    waiting_b: tuple[bool, ...] = ()

    @property
    def e_value(self) -> float:
        """How often the stake has been multiplied by now."""
        return math.exp(self.log_e)

    @property
    def p_value(self) -> float:
        """One over the largest evidence so far: valid at any time."""
        return min(1.0, math.exp(-self.log_peak))

    def after(self, *, in_a: bool | None = None, in_b: bool | None = None) -> "TwoStreams":
        """With an outcome of one arm, or of both. Raises: OverflowError where a million wait."""
        waiting_a = self.waiting_a if in_a is None else (*self.waiting_a, in_a)
        waiting_b = self.waiting_b if in_b is None else (*self.waiting_b, in_b)
        if max(len(waiting_a), len(waiting_b)) > _MOST_WAITING:
            raise OverflowError("one arm has a million outcomes more than the other")
        if not waiting_a or not waiting_b:
            return replace(self, waiting_a=waiting_a, waiting_b=waiting_b)
        paired = self._with_pair(waiting_a[0], waiting_b[0])
        return replace(paired, waiting_a=waiting_a[1:], waiting_b=waiting_b[1:])

    def _with_pair(self, in_a: bool, in_b: bool) -> "TwoStreams":
        total = self.pairs + 2 * _PRIOR
        rate_a = (self.successes_a + _PRIOR) / total
        rate_b = (self.successes_b + _PRIOR) / total
        common = (rate_a + rate_b) / 2.0
        gain = (
            _log_chance(in_a, rate_a)
            + _log_chance(in_b, rate_b)
            - _log_chance(in_a, common)
            - _log_chance(in_b, common)
        )
        log_e = min(_LARGEST, self.log_e + gain)
        return replace(
            self,
            pairs=self.pairs + 1,
            successes_a=self.successes_a + in_a,
            successes_b=self.successes_b + in_b,
            log_e=log_e,
            log_peak=max(self.log_peak, log_e),
        )


def _log_chance(happened: bool, rate: float) -> float:
    return math.log(rate if happened else 1.0 - rate)
