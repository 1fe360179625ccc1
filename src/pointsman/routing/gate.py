"""A gate: from what a step answered to accept or escalate. Knows no step but its own."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pointsman.domain.messages import Reply
from pointsman.domain.verdict import CheckResult, GateResult
from pointsman.expressions import EvaluationError, Expression, compile_expression

GATE_VARIABLES: Final[Mapping[str, Any]] = {
    "verified": None,
    "unjudged": None,
    "logprob": ("min", "mean", "known"),
    "finish_reason": None,
    "completion_tokens": None,
}

_COVERAGE: Final = 0.9  # of the counted tokens must have a logprob


def compile_gate(text: str) -> Expression:
    """The acceptance expression of a gate, ready to judge.

    Raises: ExpressionError with the position, for unknown names or bad syntax.
    """
    return compile_expression(text, variables=GATE_VARIABLES)


def judge(
    gate: Expression,
    replies: Sequence[Reply],
    results: Sequence[Sequence[CheckResult]],
    *,
    completion_tokens: int,
    choices: int = 1,
) -> GateResult:
    """Accept when every choice passes; what cannot be judged escalates.

    Args: results holds the check results of each reply, in the order of replies;
        completion_tokens counts the visible ones of all replies, 0 where nobody counted;
        choices is how many replies were asked for.
    Returns: the verdict with its reason, all check results, and the worst choice's logprobs.
    """
    checks = tuple(result for group in results for result in group)
    low = _worst(replies)
    if len(replies) < choices:
        missing = f"{len(replies)} of {choices} choices came"
        return GateResult(verdict="escalate", reason=missing, checks=checks)
    covered = _covered(replies, completion_tokens)
    for reply, group in zip(replies, results, strict=True):
        reason = _objection(gate, reply, group, completion_tokens, covered=covered)
        if reason is not None:
            return GateResult(
                verdict="escalate",
                reason=reason,
                checks=checks,
                logprob_min=low[0],
                logprob_mean=low[1],
            )
    if not replies:
        return GateResult(verdict="escalate", reason="no choice to judge", checks=checks)
    return GateResult(
        verdict="accept",
        reason=f"passed: {gate.text}",
        checks=checks,
        logprob_min=low[0],
        logprob_mean=low[1],
    )


def _objection(
    gate: Expression,
    reply: Reply,
    results: Sequence[CheckResult],
    completion_tokens: int,
    *,
    covered: bool,
) -> str | None:
    known = reply.logprobs is not None and covered
    env = {
        "verified": all(result.status == "clear" for result in results),
        "unjudged": any(result.status == "unjudged" for result in results),
        "logprob": {
            "known": known,
            "min": reply.logprobs.minimum if reply.logprobs and covered else float("-inf"),
            "mean": reply.logprobs.mean if reply.logprobs and covered else float("-inf"),
        },
        "finish_reason": reply.finish_reason or "",
        "completion_tokens": completion_tokens,
    }
    try:
        if gate.test(env):
            return None
    except EvaluationError as error:
        return f"the gate could not be evaluated: {error}"
    failed = [f"{result.check} {result.status}" for result in results if result.status != "clear"]
    if failed:
        return "checks failed: " + ", ".join(failed)
    if not known and any(name.startswith("logprob") for name in gate.references):
        return (
            "the engine gave logprobs for a part only"
            if reply.logprobs
            else ("the engine gave no logprobs")
        )
    return f"not met: {gate.text}"


def _covered(replies: Sequence[Reply], completion_tokens: int) -> bool:
    """Whether logprobs came for the answer and not only for some of it.

    Engines count end tokens differently, hence the tolerance.
    """
    seen = sum(reply.logprobs.tokens for reply in replies if reply.logprobs is not None)
    return seen >= _COVERAGE * completion_tokens - 2 * len(replies)


def _worst(replies: Sequence[Reply]) -> tuple[float | None, float | None]:
    known = [reply.logprobs for reply in replies if reply.logprobs is not None]
    if not known:
        return None, None
    return min(item.minimum for item in known), min(item.mean for item in known)
