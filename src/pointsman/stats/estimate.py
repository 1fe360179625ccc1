"""The one shape a measured number travels in; how it is computed lives beside it."""

from typing import Any

import msgspec


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A number with its doubt, in the unit of the function that gave it.

    `value` is None where the data hold no number (no case, nothing accepted). `low` or `high` is
    None where the interval has no bound on that side: the data do not exclude any number there.
    `n` counts the independent cases behind it; `level` is the coverage of [low, high].
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    level: float = 0.95

    def as_dict(self) -> dict[str, Any]:
        """The estimate as plain values, as JSON and tables carry it."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "level": self.level,
        }


def check_level(level: float) -> None:
    """Raises: ValueError unless level is in (0, 1)."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie in (0, 1), got {level}")
