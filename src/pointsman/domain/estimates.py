"""What is expected of an arm for a request before it is called; no estimating lives here."""

import msgspec


class ArmEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """The chance that an arm's answer is accepted, what the call costs and how long it gets.

    `low` and `high` bound the chance (95 %); `n` is the number of comparable outcomes behind it,
    0 where nothing comparable was ever seen: then the estimate is the arm's plain mean.
    """

    arm: str
    accepted: float  # in [0, 1]
    cost_usd_picos: int  # of one call, in pico-dollars
    output_tokens: float
    low: float
    high: float
    n: int
