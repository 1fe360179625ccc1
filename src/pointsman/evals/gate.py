"""What a run must show to pass, as a suite says it."""

import msgspec


class Gate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every bound that is set must hold; each is held against an interval, not a number alone."""

    accepted_at_least: float | None = None  # share of samples; the interval's lower end
    cost_per_accepted_usd_at_most: float | None = None  # the interval's upper end
    not_worse_than: str | None = None  # a run: its id, or `baseline`
    margin: float = 0.02  # what counts as the same there, as a share
    missing_at_most: float | None = None  # share of samples without an answer
    level: float = 0.95  # of every interval
