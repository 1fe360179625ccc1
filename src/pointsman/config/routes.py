"""Routes: steps that exist, rules that compile, a gate wherever there is a step to go on to."""

from collections.abc import Mapping

import msgspec

from pointsman.config.arms import deployments_of
from pointsman.config.gates import DEFAULT, has_thresholds, resolve_gate
from pointsman.config.learning import resolve_learning
from pointsman.config.schema import RawConfiguration, RawGate, RawRoute, RawRule
from pointsman.config.scope import Place, Scope
from pointsman.domain.messages import Features
from pointsman.domain.task import Arm, Route, RouteRule

VARIABLES = {"request": Features.__struct_fields__}
IMPLICIT = "direct"  # the route of a file that has none


def resolve_route(
    name: str, raw: RawRoute, file: RawConfiguration, arms: Mapping[str, Arm], scope: Scope
) -> Route:
    """One route, every problem with it kept."""
    place: Place = ("routes", name)
    _check_steps(raw.steps, (*place, "steps"), scope)
    _check_steps(raw.fallbacks, (*place, "fallbacks"), scope)
    check_logprobs(raw.gate, raw.steps, (*place, "gate"), file, scope)
    rules = tuple(
        _rule(rule, raw.gate, (*place, "rules", index), file, scope)
        for index, rule in enumerate(raw.rules)
    )
    gate = resolve_gate(raw.gate, (*place, "gate"), scope) if raw.gate else None
    if gate is None and any(len(steps) > 1 for steps in (raw.steps, *(r.steps for r in raw.rules))):
        gate = DEFAULT
    route = Route(
        name=name,
        steps=tuple(raw.steps),
        rules=rules,
        gate=gate,
        fallbacks=tuple(raw.fallbacks),
        stream=raw.stream,
        hold_usd_per_s=raw.hold_usd_per_s,
        learn=resolve_learning(name, raw, scope),
    )
    own = {each: arms[each] for each in route.named if each in arms}
    return msgspec.structs.replace(route, arms=own) if own else route


def check_logprobs(
    gate: RawGate | None,
    steps: list[str],
    place: Place,
    file: RawConfiguration,
    scope: Scope,
) -> None:
    """A threshold on logprobs behind a deployment that gives none would always escalate."""
    if not has_thresholds(gate):
        return
    behind = deployments_of(file)
    for step in steps[:-1]:
        deployment = file.deployments.get(behind.get(step, ""))
        if deployment is not None and not deployment.logprobs:
            scope.problem(place, f"{step} gives no logprobs, so this gate would never accept it")


def _rule(
    raw: RawRule,
    above: RawGate | None,
    place: Place,
    file: RawConfiguration,
    scope: Scope,
) -> RouteRule:
    scope.expression((*place, "when"), raw.when, VARIABLES)
    _check_steps(raw.steps, (*place, "steps"), scope)
    check_logprobs(raw.gate or above, raw.steps, (*place, "gate"), file, scope)
    gate = resolve_gate(raw.gate, (*place, "gate"), scope) if raw.gate else None
    return RouteRule(when=raw.when, steps=tuple(raw.steps), gate=gate)


def _check_steps(steps: list[str], place: Place, scope: Scope) -> None:
    known = (*scope.names("deployments"), *scope.names("arms"))
    what = "deployment or arm" if scope.names("arms") else "deployment"
    for index, step in enumerate(steps):
        scope.reference((*place, index), what, step, known)
