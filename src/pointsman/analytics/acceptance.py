"""Whether a trace was accepted: a task's rule over the outcomes of one request."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import msgspec

from pointsman.domain.errors import ConfigurationError
from pointsman.domain.task import AcceptanceRule
from pointsman.expressions import (
    EvaluationError,
    Expression,
    ExpressionError,
    compile_expression,
)

Acceptance = Literal["accepted", "rejected", "unknown"]

OUTCOME_VARIABLES: Mapping[str, Collection[str] | None] = {"outcome": ("kind", "value", "source")}
_US_PER_H = 3_600_000_000
_UNANSWERED = frozenset({"failed", "refused", "cut"})


class OutcomeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One fact about a trace, as the rule sees it; `outcome` is its kind."""

    at_us: int
    outcome: str
    value: bool | int | float | str | None = None
    source: str = "api"

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "OutcomeRow":
        """From a row of the `outcomes` query, whose value is JSON text or None."""
        text = row["value"]
        value = None if text is None else msgspec.json.decode(text)
        return cls(at_us=row["at_us"], outcome=row["outcome"], value=value, source=row["source"])


class AcceptanceJudge:
    """A compiled acceptance rule; the same facts and moment always give the same answer."""

    def __init__(self, rule: AcceptanceRule) -> None:
        """Raises: ConfigurationError for an expression that cannot be read."""
        self.rule = rule
        self._accepted = _compiled(rule.accepted, "accepted")
        self._rejected = _compiled(rule.rejected, "rejected")
        self._window_us = round(rule.within_h * _US_PER_H)

    def judge(self, outcomes: Sequence[OutcomeRow], *, at_us: int, now_us: int) -> Acceptance:
        """What the product said of an answer, as far as it is known at `now_us`.

        Args: outcomes of one trace in the order they were appended; at_us is the request's time.
        The latest one up to `within_h` after the request that either expression matches decides;
        of two at the same microsecond the later appended. One that matches both is a rejection.
        An expression that has no value for an outcome does not match it. Outcomes after `now_us`
        are not known yet. Nothing matched: unknown until the window closes, then the rule's
        `otherwise`.
        """
        end_us = at_us + self._window_us
        seen = [outcome for outcome in outcomes if outcome.at_us <= min(end_us, now_us)]
        for outcome in reversed(sorted(seen, key=lambda outcome: outcome.at_us)):
            env = {
                "outcome": {
                    "kind": outcome.outcome,
                    "value": outcome.value,
                    "source": outcome.source,
                }
            }
            if _matches(self._rejected, env):
                return "rejected"
            if _matches(self._accepted, env):
                return "accepted"
        return self.rule.otherwise if now_us > end_us else "unknown"

    def judge_request(
        self,
        outcomes: Sequence[OutcomeRow],
        *,
        status: str | None,
        delivered: int | None,
        at_us: int,
        now_us: int,
    ) -> Acceptance:
        """`judge`, for a request whose end is known too.

        A request that ended without a delivered answer is rejected without any outcome; one that
        the client cancelled is unknown, and so is one that has not ended. So is one whose answer
        is held for people, until the window closes: then nothing was delivered in time.
        """
        if status == "held":
            return "rejected" if now_us > at_us + self._window_us else "unknown"
        if status is None or status == "cancelled":
            return "unknown"
        if status in _UNANSWERED and delivered is None:
            return "rejected"
        return self.judge(outcomes, at_us=at_us, now_us=now_us)


def _compiled(text: str, name: str) -> Expression:
    try:
        return compile_expression(text, variables=OUTCOME_VARIABLES)
    except ExpressionError as error:
        raise ConfigurationError(
            f"the expression acceptance.{name} cannot be read", why=str(error)
        ) from None


def _matches(expression: Expression, env: Mapping[str, Any]) -> bool:
    try:
        return expression.test(env)
    except EvaluationError:
        return False
