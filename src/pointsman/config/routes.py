"""Routes: steps that exist, rules that compile, a gate wherever there is a step to go on to."""

from collections.abc import Mapping

from pointsman.config.gates import DEFAULT, has_thresholds, resolve_gate
from pointsman.config.schema import RawDeployment, RawGate, RawRoute, RawRule
from pointsman.config.scope import Place, Scope
from pointsman.domain.messages import Features
from pointsman.domain.task import Route, RouteRule

VARIABLES = {"request": Features.__struct_fields__}
IMPLICIT = "direct"  # the route of a file that has none


def resolve_route(
    name: str, raw: RawRoute, deployments: Mapping[str, RawDeployment], scope: Scope
) -> Route:
    """One route, every problem with it kept."""
    place: Place = ("routes", name)
    _check_steps(raw.steps, (*place, "steps"), scope)
    _check_steps(raw.fallbacks, (*place, "fallbacks"), scope)
    check_logprobs(raw.gate, raw.steps, (*place, "gate"), deployments, scope)
    rules = tuple(
        _rule(rule, raw.gate, (*place, "rules", index), deployments, scope)
        for index, rule in enumerate(raw.rules)
    )
    gate = resolve_gate(raw.gate, (*place, "gate"), scope) if raw.gate else None
    if gate is None and any(len(steps) > 1 for steps in (raw.steps, *(r.steps for r in raw.rules))):
        gate = DEFAULT
    return Route(
        name=name,
        steps=tuple(raw.steps),
        rules=rules,
        gate=gate,
        fallbacks=tuple(raw.fallbacks),
        stream=raw.stream,
        hold_usd_per_s=raw.hold_usd_per_s,
    )


def check_logprobs(
    gate: RawGate | None,
    steps: list[str],
    place: Place,
    deployments: Mapping[str, RawDeployment],
    scope: Scope,
) -> None:
    """A threshold on logprobs behind a deployment that gives none would always escalate."""
    if not has_thresholds(gate):
        return
    for step in steps[:-1]:
        if step in deployments and not deployments[step].logprobs:
            scope.problem(place, f"{step} gives no logprobs, so this gate would never accept it")


def _rule(
    raw: RawRule,
    above: RawGate | None,
    place: Place,
    deployments: Mapping[str, RawDeployment],
    scope: Scope,
) -> RouteRule:
    scope.expression((*place, "when"), raw.when, VARIABLES)
    _check_steps(raw.steps, (*place, "steps"), scope)
    check_logprobs(raw.gate or above, raw.steps, (*place, "gate"), deployments, scope)
    gate = resolve_gate(raw.gate, (*place, "gate"), scope) if raw.gate else None
    return RouteRule(when=raw.when, steps=tuple(raw.steps), gate=gate)


def _check_steps(steps: list[str], place: Place, scope: Scope) -> None:
    for index, step in enumerate(steps):
        scope.reference((*place, index), "deployment", step, scope.names("deployments"))
