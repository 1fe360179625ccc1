"""What each step of a route did, what deployments do alone, and how attempts failed."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from pointsman.analytics.figures import Figures, JudgedRequest, accepted_share, figures
from pointsman.domain.records import Attempt
from pointsman.stats.estimate import Estimate
from pointsman.stats.proportions import wilson


class StepFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a route: how far requests came and where their answer was good enough."""

    step: int
    deployment: str
    reached: int  # requests with an attempt here
    failed: int  # of them, those whose last attempt here gave no answer
    delivered: Estimate  # share of the ended requests whose answer came from here
    accepted: Estimate  # share of those answers, where it is known
    passed: Estimate  # share of the answers looked at by the gate that it accepted
    escalated: Estimate  # share of the requests that reached this step and were sent on


class SingleFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one deployment did alone, where a route of the task had no other step."""

    deployment: str
    figures: Figures


class FailureCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often attempts on a deployment failed in one way."""

    deployment: str
    kind: str
    attempts: int


def steps(requests: Sequence[JudgedRequest], *, level: float = 0.95) -> tuple[StepFigures, ...]:
    """One entry per step and deployment that was tried, in the order of the plan."""
    keys = {(a.step, a.deployment) for request in requests for a in request.attempts}
    return tuple(_step(requests, *key, level=level) for key in sorted(keys))


def singles(requests: Sequence[JudgedRequest], *, level: float = 0.95) -> tuple[SingleFigures, ...]:
    """Figures of deployments that answered alone, by name; requests of one task.

    A route counts when every attempt of every request on it went to one deployment and met no
    gate. Single requests of a longer route do not count: its gate chose them, and an answer that
    passed a gate is a better answer than the deployment's average.
    """
    routes: dict[str, list[JudgedRequest]] = {}
    for request in requests:
        routes.setdefault(str(request.columns["route"]), []).append(request)
    alone: dict[str, list[JudgedRequest]] = {}
    for members in routes.values():
        attempts = [attempt for request in members for attempt in request.attempts]
        names = {attempt.deployment for attempt in attempts}
        if len(names) == 1 and all(attempt.gate is None for attempt in attempts):
            alone.setdefault(names.pop(), []).extend(members)
    return tuple(
        SingleFigures(deployment=name, figures=figures(alone[name], level=level))
        for name in sorted(alone)
    )


def failures(requests: Sequence[JudgedRequest]) -> tuple[FailureCount, ...]:
    """Failed attempts by deployment and kind, most frequent first."""
    counts = Counter(
        (attempt.deployment, attempt.failure.kind)
        for request in requests
        for attempt in request.attempts
        if attempt.failure is not None
    )
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        FailureCount(deployment=deployment, kind=kind, attempts=count)
        for (deployment, kind), count in ordered
    )


def unpriced(requests: Sequence[JudgedRequest]) -> tuple[str, ...]:
    """Deployments that used tokens and never cost anything: their cost is missing, not low."""
    spent: dict[str, int] = {}
    for request in requests:
        for attempt in request.attempts:
            usage = attempt.usage
            if usage is not None and usage.prompt_tokens + usage.completion_tokens > 0:
                before = spent.get(attempt.deployment, 0)
                spent[attempt.deployment] = before + attempt.cost_usd_picos
    return tuple(sorted(name for name, picos in spent.items() if picos == 0))


def _step(
    requests: Sequence[JudgedRequest], step: int, deployment: str, *, level: float
) -> StepFigures:
    def here(attempt: Attempt) -> bool:
        return attempt.step == step and attempt.deployment == deployment

    def delivered_here(request: JudgedRequest) -> bool:
        return request.deployment is not None and here(request.attempts[request.delivered or 0])

    ended = [request for request in requests if request.status is not None]
    lasts = [tried[-1] for r in requests if (tried := [a for a in r.attempts if here(a)])]
    gates = [attempt.gate.verdict for attempt in lasts if attempt.gate is not None]
    answered = [request for request in ended if delivered_here(request)]
    return StepFigures(
        step=step,
        deployment=deployment,
        reached=len(lasts),
        failed=sum(attempt.failure is not None for attempt in lasts),
        delivered=wilson(len(answered), len(ended), level=level),
        accepted=accepted_share(answered, level=level),
        passed=wilson(gates.count("accept"), len(gates), level=level),
        escalated=wilson(gates.count("escalate"), len(lasts), level=level),
    )
