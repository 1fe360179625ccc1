"""From a route and a request's features to a plan and the reason; no I/O, clock or chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pointsman.domain.messages import Features
from pointsman.domain.money import PICOS_PER_USD
from pointsman.domain.plan import ArmState, Candidate, Decision, Plan, Step
from pointsman.domain.task import GateSpec, Route, RouteRule, Task
from pointsman.expressions import Expression, compile_expression

RULE_VARIABLES: Final[Mapping[str, Any]] = {"request": Features.__struct_fields__}
# Below this many attempts a running mean of an arm is not trusted to price a plan.
_ENOUGH_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class CompiledRoute:
    """A route with its rules' conditions compiled once."""

    route: Route
    rules: tuple[tuple[Expression, RouteRule], ...]
    # Plans that were made before: the same steps, gate and task give the same plan.
    plans: dict[tuple[object, ...], Plan] = field(default_factory=dict, compare=False)


def compile_route(route: Route) -> CompiledRoute:
    """The route, ready to plan with. Raises: ExpressionError for a condition that cannot be."""
    return CompiledRoute(
        route,
        tuple((compile_expression(r.when, variables=RULE_VARIABLES), r) for r in route.rules),
    )


def decide(
    compiled: CompiledRoute,
    features: Features,
    *,
    task: Task | None,
    state: Mapping[str, ArmState],
    draw: float = 0.0,
) -> Decision:
    """The plan for one request.

    The first matching rule gives the steps, else the route does. Every step but the last carries
    the gate (the rule's, else the task's, else the route's). A streamed request behind a gate is
    held, goes direct to the last step, or takes whichever of the two is expected to cost less
    with waiting priced at `hold_usd_per_s`, as the task or the route says.

    Args: state holds running means by deployment; draw in [0, 1) is recorded, and used by
        routers that explore (this one does not, so its propensity is 1).
    Raises: EvaluationError if a rule's condition cannot be evaluated on these features.
    """
    route = compiled.route
    steps, gate, reason = _steps(compiled, features, task)
    cascade = _known_plan(compiled, steps, gate, task, held=features.stream and len(steps) > 1)
    if not cascade.held:
        return Decision(plan=cascade, route=route.name, reason=reason, draw=draw)
    mode = (task.stream if task else None) or route.stream
    direct = _known_plan(compiled, steps[-1:], None, task, held=False)
    if mode == "direct":
        why = f"{reason}; streams go direct to {steps[-1]}"
        return Decision(plan=direct, route=route.name, reason=why, draw=draw)
    known = tuple(state[name] for name in steps if name in state)
    options = (
        _priced("cascade", cascade, state, route.hold_usd_per_s),
        _priced("direct", direct, state, route.hold_usd_per_s),
    )
    chosen, why = cascade, reason
    if mode == "priced":
        chosen, why = _cheaper((cascade, direct), options, reason)
    return Decision(
        plan=_with_expectation(
            chosen, options[0] if chosen is cascade else options[1], route.hold_usd_per_s
        ),
        route=route.name,
        reason=why,
        draw=draw,
        candidates=options,
        state=known,
    )


def _steps(
    compiled: CompiledRoute, features: Features, task: Task | None
) -> tuple[tuple[str, ...], GateSpec | None, str]:
    route = compiled.route
    task_gate = task.gate if task else None
    for condition, rule in compiled.rules:
        if condition.test({"request": features}):
            gate = rule.gate or task_gate or route.gate
            return rule.steps, gate, f"rule: {rule.when}"
    return route.steps, task_gate or route.gate, "no rule matched" if compiled.rules else "steps"


def _known_plan(
    compiled: CompiledRoute,
    names: tuple[str, ...],
    gate: GateSpec | None,
    task: Task | None,
    *,
    held: bool,
) -> Plan:
    key = (names, gate.accept if gate else None, gate.checks if gate else (),
           task.name if task else None, held)  # fmt: skip
    plan = compiled.plans.get(key)
    if plan is None:
        plan = compiled.plans[key] = _plan(names, gate, task, compiled.route, held=held)
    return plan


def _plan(
    names: Sequence[str], gate: GateSpec | None, task: Task | None, route: Route, *, held: bool
) -> Plan:
    checks = gate.checks if gate and gate.checks else _all_checks(task)
    steps = tuple(
        Step(deployment=name, gate=gate.accept, checks=checks)
        if gate is not None and position < len(names) - 1
        else Step(deployment=name)
        for position, name in enumerate(names)
    )
    fallbacks = tuple(
        Step(deployment=name, role="fallback") for name in route.fallbacks if name not in names
    )
    return Plan(steps=steps + fallbacks, held=held and any(step.gate for step in steps))


def _all_checks(task: Task | None) -> tuple[str, ...]:
    return tuple(spec.name for spec in task.verifiers) if task else ()


def _priced(
    name: str, plan: Plan, state: Mapping[str, ArmState], hold_usd_per_s: float
) -> Candidate:
    """Expected cost and expected time to the first byte, where every arm is known well enough."""
    names = tuple(step.deployment for step in plan.steps if step.role == "step")
    reach, cost, wait, first_byte = 1.0, 0.0, 0.0, 0.0
    for step in plan.steps:
        if step.role == "fallback":
            break
        arm = state.get(step.deployment)
        if arm is None or arm.attempts < _ENOUGH_ATTEMPTS or arm.cost_usd_picos is None:
            return Candidate(name=name, steps=names)
        cost += reach * arm.cost_usd_picos
        wait += (arm.total_ms if step.gate else arm.first_token_ms) or 0.0
        passed = 1.0 if step.gate is None else arm.passed if arm.passed is not None else 1.0
        first_byte += reach * passed * wait
        reach *= 1.0 - passed
    price = first_byte / 1000 * hold_usd_per_s * PICOS_PER_USD
    return Candidate(
        name=name,
        steps=names,
        expected_cost_usd_picos=round(cost),
        expected_hold_ms=round(first_byte),
        total_usd_picos=round(cost + price),
    )


def _cheaper(
    plans: tuple[Plan, Plan], options: tuple[Candidate, Candidate], reason: str
) -> tuple[Plan, str]:
    totals = [option.total_usd_picos for option in options]
    if totals[0] is None or totals[1] is None:
        return plans[0], f"{reason}; held: too little is known to price the wait"
    if totals[1] < totals[0]:
        return plans[1], f"{reason}; direct: cheaper than the cascade once the wait is priced"
    return plans[0], f"{reason}; held: cheaper than direct with the wait priced"


def _with_expectation(plan: Plan, option: Candidate, hold_usd_per_s: float) -> Plan:
    if option.expected_hold_ms is None:
        return plan
    return Plan(
        steps=plan.steps,
        held=plan.held,
        expected_cost_usd_picos=option.expected_cost_usd_picos,
        expected_hold_ms=option.expected_hold_ms,
        hold_price_usd_picos=round(option.expected_hold_ms / 1000 * hold_usd_per_s * PICOS_PER_USD),
    )
