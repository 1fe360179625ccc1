"""What a check found, and what a gate decided from it."""

from typing import Literal

import msgspec

CheckStatus = Literal["clear", "found", "unjudged"]  # unjudged: could not look, never "clear"


class CheckResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of one verifier on one answer."""

    check: str
    status: CheckStatus
    detail: str = ""  # what was found or why it could not look; never text of the answer


class GateResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a gate decided after an attempt, with everything it looked at."""

    verdict: Literal["accept", "escalate"]
    reason: str
    checks: tuple[CheckResult, ...] = ()
    logprob_min: float | None = None
    logprob_mean: float | None = None
