"""Running means of what each arm did; the portfolio state that decisions read."""

from collections.abc import Mapping

import msgspec

from pointsman.domain.plan import ArmState
from pointsman.domain.records import Attempt

# Weight of the newest attempt once the plain mean has this many: a half-life of about 70
# attempts follows a change of load within minutes and still averages the noise.
_NEWEST = 0.01


def observe(state: ArmState, attempt: Attempt) -> ArmState:
    """The state after one more attempt; failures count in `attempts` only.

    A plain mean for the first 100 attempts, then an exponentially weighted one.
    """
    count = state.attempts + 1
    if attempt.failure is not None:
        return msgspec.structs.replace(state, attempts=count)
    weight = max(1 / count, _NEWEST)
    passed = state.passed
    if attempt.gate is not None:
        passed = _mean(passed, 1.0 if attempt.gate.verdict == "accept" else 0.0, weight)
    first = attempt.first_token_ms
    return ArmState(
        deployment=state.deployment,
        arm=state.arm,
        attempts=count,
        first_token_ms=_mean(state.first_token_ms, first, weight)
        if first is not None
        else state.first_token_ms,
        total_ms=_mean(state.total_ms, attempt.total_ms, weight),
        cost_usd_picos=_mean(state.cost_usd_picos, attempt.cost_usd_picos, weight),
        passed=passed,
    )


class Arms:
    """The state of every arm, updated in place as attempts end; a plain deployment is one."""

    def __init__(self) -> None:
        self._states: dict[str, ArmState] = {}

    @property
    def states(self) -> Mapping[str, ArmState]:
        """The current state by the name of the arm."""
        return self._states

    def observe(self, attempt: Attempt) -> None:
        """Take one ended attempt into account."""
        name = attempt.arm or attempt.deployment
        state = self._states.get(name)
        if state is None:
            state = ArmState(deployment=attempt.deployment, arm=attempt.arm)
        self._states[name] = observe(state, attempt)


def _mean(old: float | None, new: float, weight: float) -> float:
    return float(new) if old is None else old + weight * (new - old)
