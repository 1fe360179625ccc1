"""How long to wait before a process that ended is started again; decides without a clock."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """At once after a first death; then longer and longer, until one life was steady."""

    first_s: float = 0.5
    longest_s: float = 30.0
    steady_s: float = 60.0  # a life of this length forgives the deaths before it

    def deaths(self, before: int, *, lived_s: float) -> int:
        """Deaths in a row, after one more that ended a life of this length."""
        return 1 if lived_s >= self.steady_s else before + 1

    def delay_s(self, deaths: int) -> float:
        """Seconds to wait after that many deaths in a row (at least one)."""
        if deaths <= 1:
            return 0.0
        # 2 ** 64 times anything is beyond every bound, and a float
        return float(min(self.first_s * 2.0 ** min(deaths - 2, 64), self.longest_s))
