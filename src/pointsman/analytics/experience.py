"""What came of the arm that a request asked first: one row to learn routers from; pure."""

from collections.abc import Sequence

import msgspec

from pointsman.analytics.acceptance import AcceptanceJudge, OutcomeRow
from pointsman.domain.records import Admission, Attempt, End


class Experience(msgspec.Struct, frozen=True, kw_only=True):
    """One request's first arm: accepted or not, at which cost, and how probable it was asked.

    A cascade's later arms are left out: they saw only what the first could not do.
    """

    trace: str
    at_us: int
    task: str | None
    arm: str
    accepted: bool
    propensity: float  # that this arm was asked first
    explored: bool
    cost_usd_picos: int
    input_tokens: int
    output_tokens: int
    latency_ms: int


def experience(
    admission: Admission,
    end: End | None,
    outcomes: Sequence[OutcomeRow],
    *,
    judge: AcceptanceJudge,
    now_us: int,
) -> Experience | None:
    """The row of one request; None where its first arm failed, or nobody knows yet what came of
    its answer. What a gate refused was not accepted: nobody will say more of it."""
    attempt = _first(end)
    if end is None or attempt is None:
        return None
    refused = attempt.gate is not None and attempt.gate.verdict != "accept"
    delivered = end.delivered is not None and end.attempts[end.delivered] is attempt
    if refused:
        accepted = False
    elif delivered:
        said = judge.judge_request(
            outcomes, status=end.status, delivered=end.delivered, at_us=admission.at_us,
            now_us=now_us,
        )  # fmt: skip
        if said == "unknown":
            return None
        accepted = said == "accepted"
    else:
        return None
    arm = attempt.arm or attempt.deployment
    usage = attempt.usage
    return Experience(
        trace=admission.trace,
        at_us=admission.at_us,
        task=admission.task,
        arm=arm,
        accepted=accepted,
        propensity=_propensity(admission, arm),
        explored=admission.decision.explored,
        cost_usd_picos=attempt.cost_usd_picos,
        input_tokens=usage.prompt_tokens if usage is not None else 0,
        output_tokens=usage.completion_tokens if usage is not None else 0,
        latency_ms=attempt.total_ms,
    )


def _first(end: End | None) -> Attempt | None:
    """The answer of the plan's first step; None where it gave none."""
    for attempt in end.attempts if end is not None else ():
        if attempt.failure is None:
            return attempt if attempt.step == 0 else None
    return None


def _propensity(admission: Admission, arm: str) -> float:
    """Over every plan that begins with the arm."""
    decision = admission.decision
    if decision.learned is None:
        return 1.0
    return sum(each.propensity for each in decision.candidates if each.steps[:1] == (arm,))
