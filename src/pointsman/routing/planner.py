"""From a route and a request's features to a plan and the reason; no I/O, clock or chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from pointsman.domain.learned import Learned, Objective
from pointsman.domain.messages import Features
from pointsman.domain.money import PICOS_PER_USD
from pointsman.domain.plan import ArmState, Candidate, Decision, Plan, Step, Unwell
from pointsman.domain.task import GateSpec, Route, RouteRule, Task
from pointsman.expressions import Expression, compile_expression
from pointsman.routing.choosing import choose

RULE_VARIABLES: Final[Mapping[str, Any]] = {"request": Features.__struct_fields__}
# Below this many attempts a running mean of an arm is not trusted to price a plan.
_ENOUGH_ATTEMPTS: Final = 20
_MOST_PLANS: Final = 1024  # kept of a route; which deployments are well makes other ones
_PLAIN: Final = ("no rule matched", "steps")  # reasons that say nothing where more is said
_NO_STEPS: Final = Plan(steps=())
_NOBODY: Final[Mapping[str, Unwell]] = {}


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
    unwell: Mapping[str, Unwell] = _NOBODY,
    learned: Learned | None = None,
) -> Decision:
    """The plan for one request.

    The first matching rule gives the steps, else the route does; a route that learns chooses
    among its own (`choosing.py`), those of a rule stand as they are. Every step but the last
    carries the gate (the rule's, else the task's, else the route's). A streamed request behind a
    gate is held, goes direct to the last step, or takes whichever of the two is expected to cost
    less with waiting priced at `hold_usd_per_s`, as the task or the route says.

    Deployments that may not be asked now are left out. Where nothing else is left the least bad
    of those with `last_resort` is the plan; where there is none, the plan has no step.

    Args: state holds running means by arm; draw in [0, 1) is recorded, and used where a route
        explores (else the propensity is 1); unwell are the deployments that are not simply called
        now; learned is what is believed of the arms, where the route learns.
    Raises: EvaluationError if a rule's condition cannot be evaluated on these features.
    """
    names, gate, reason, ruled = _steps(compiled, features, task)
    fallbacks = compiled.route.fallbacks
    ailing: tuple[Unwell, ...] = ()
    if unwell:
        ailing, names, fallbacks, reason = _well(compiled.route, names, unwell, reason)
    if not names and not fallbacks:
        return Decision(plan=_NO_STEPS, route=compiled.route.name, reason=reason, draw=draw,
                        unwell=ailing)  # fmt: skip
    objective = None if ruled or learned is None else _objective(compiled.route, task)
    if objective is not None and learned is not None and names:
        decision = _learned(
            compiled, features, names, fallbacks, gate, reason, learned, objective,
            task=task, state=state, draw=draw,
        )  # fmt: skip
        return msgspec.structs.replace(decision, unwell=ailing) if ailing else decision
    decision = _decide(
        compiled, features, names, fallbacks, gate, reason, task=task, state=state, draw=draw
    )
    return msgspec.structs.replace(decision, unwell=ailing) if ailing else decision


def _objective(route: Route, task: Task | None) -> Objective | None:
    """What a learned choice aims at: the task's own, else the route's."""
    own = task.objective if task is not None else None
    return own or (route.learn.objective if route.learn is not None else None)


def _learned(
    compiled: CompiledRoute,
    features: Features,
    names: tuple[str, ...],
    fallbacks: tuple[str, ...],
    gate: GateSpec | None,
    reason: str,
    learned: Learned,
    objective: Objective,
    *,
    task: Task | None,
    state: Mapping[str, ArmState],
    draw: float,
) -> Decision:
    """The plan that was learned, over these steps; failures fall to the strong arm first."""
    route = compiled.route
    mode = (task.stream if task else None) or route.stream
    gated = gate is not None and not (features.stream and mode == "direct")
    chosen = choose(
        route, names, learned, objective, gated=gated, features=features, state=state, draw=draw
    )
    others = tuple(dict.fromkeys((names[-1], *fallbacks)))
    held = features.stream and len(chosen.steps) > 1
    plan = _known_plan(compiled, chosen.steps, others, gate, task, held=held)
    hold_ms = chosen.expected.expected_hold_ms if plan.held else None
    plan = msgspec.structs.replace(
        plan,
        expected_cost_usd_picos=chosen.expected.expected_cost_usd_picos,
        expected_hold_ms=hold_ms,
    )
    return Decision(
        plan=plan,
        route=route.name,
        reason=chosen.reason if reason in _PLAIN else f"{reason}; {chosen.reason}",
        propensity=chosen.propensity,
        draw=draw,
        candidates=chosen.candidates,
        state=tuple(state[name] for name in names if name in state),
        learned=learned,
        explored=chosen.explored,
    )


def _well(
    route: Route, names: tuple[str, ...], unwell: Mapping[str, Unwell], reason: str
) -> tuple[tuple[Unwell, ...], tuple[str, ...], tuple[str, ...], str]:
    """Who is unwell of those it needs; steps and fallbacks without those that may not be asked
    now, and why."""
    fallbacks, of = route.fallbacks, route.deployment_of
    needed = dict.fromkeys(of(name) for name in (*names, *fallbacks))
    ailing = tuple(unwell[name] for name in needed if name in unwell)
    out = {each.deployment: each for each in ailing if not each.admits}
    if not out:
        return ailing, names, fallbacks, reason
    steps = tuple(name for name in names if of(name) not in out)
    others = tuple(name for name in fallbacks if of(name) not in out)
    without = ", ".join(f"{name} ({each.state})" for name, each in out.items())
    if steps or others:
        return ailing, steps, others, f"{reason}; without {without}"
    able = [each for each in ailing if each.last_resort or each.state == "resting"]
    if not able:
        return ailing, (), (), f"{reason}; without {without}: nothing is left"
    least_bad = min(able, key=lambda each: (each.state != "resting", each.back_in_ms))
    name = next(each for each in (*names, *fallbacks) if of(each) == least_bad.deployment)
    return ailing, (name,), (), f"{reason}; without {without}: {name} as the last resort"


def _decide(
    compiled: CompiledRoute,
    features: Features,
    steps: tuple[str, ...],
    fallbacks: tuple[str, ...],
    gate: GateSpec | None,
    reason: str,
    *,
    task: Task | None,
    state: Mapping[str, ArmState],
    draw: float,
) -> Decision:
    """The plan over these steps and fallbacks."""
    route = compiled.route
    held = features.stream and len(steps) > 1
    cascade = _known_plan(compiled, steps, fallbacks, gate, task, held=held)
    if not cascade.held:
        return Decision(plan=cascade, route=route.name, reason=reason, draw=draw)
    mode = (task.stream if task else None) or route.stream
    direct = _known_plan(compiled, steps[-1:], fallbacks, None, task, held=False)
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
) -> tuple[tuple[str, ...], GateSpec | None, str, bool]:
    """Steps and their gate, why, and whether a rule said so."""
    route = compiled.route
    task_gate = task.gate if task else None
    for condition, rule in compiled.rules:
        if condition.test({"request": features}):
            gate = rule.gate or task_gate or route.gate
            return rule.steps, gate, f"rule: {rule.when}", True
    why = _PLAIN[0] if compiled.rules else _PLAIN[1]
    return route.steps, task_gate or route.gate, why, False


def _known_plan(
    compiled: CompiledRoute,
    names: tuple[str, ...],
    fallbacks: tuple[str, ...],
    gate: GateSpec | None,
    task: Task | None,
    *,
    held: bool,
) -> Plan:
    key = (names, fallbacks, gate.accept if gate else None, gate.checks if gate else (),
           task.name if task else None, held)  # fmt: skip
    plan = compiled.plans.get(key)
    if plan is None:
        if len(compiled.plans) >= _MOST_PLANS:
            compiled.plans.clear()
        plan = compiled.plans[key] = _plan(compiled.route, names, fallbacks, gate, task, held=held)
    return plan


def _plan(
    route: Route,
    names: Sequence[str],
    others: Sequence[str],
    gate: GateSpec | None,
    task: Task | None,
    *,
    held: bool,
) -> Plan:
    checks = gate.checks if gate and gate.checks else _all_checks(task)
    steps = tuple(
        _step(route, name, gate=gate.accept, checks=checks)
        if gate is not None and position < len(names) - 1
        else _step(route, name)
        for position, name in enumerate(names)
    )
    fallbacks = tuple(_step(route, name, role="fallback") for name in others if name not in names)
    return Plan(steps=steps + fallbacks, held=held and any(step.gate for step in steps))


def _step(route: Route, name: str, **known: Any) -> Step:
    arm = name if name in route.arms else None
    return Step(deployment=route.deployment_of(name), arm=arm, **known)


def _all_checks(task: Task | None) -> tuple[str, ...]:
    return tuple(spec.name for spec in task.verifiers) if task else ()


def _priced(
    name: str, plan: Plan, state: Mapping[str, ArmState], hold_usd_per_s: float
) -> Candidate:
    """Expected cost and expected time to the first byte, where every arm is known well enough."""
    names = tuple(step.name for step in plan.steps if step.role == "step")
    reach, cost, wait, first_byte = 1.0, 0.0, 0.0, 0.0
    for step in plan.steps:
        if step.role == "fallback":
            break
        arm = state.get(step.name)
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
