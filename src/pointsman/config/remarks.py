"""What loads, works and will still surprise: gates that cannot say no, costs that are not whole."""

from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from types import MappingProxyType

from pointsman.config.gates import VARIABLES
from pointsman.domain.messages import Operation
from pointsman.domain.portfolio import Deployment, Engine
from pointsman.domain.task import Configuration, GateSpec, Route, Task
from pointsman.expressions import ExpressionError, compile_expression

_LONG_DAYS = 365
# What a gate reads when it has neither checks nor logprobs; of these only a cut answer says no.
_EMPTY = frozenset({"verified", "unjudged", "finish_reason"})


def remarks(
    config: Configuration,
    *,
    without_logprobs: Collection[Engine] = (),
    operations: Mapping[Engine, Collection[Operation]] = MappingProxyType({}),
    without_bounds: Collection[Engine] = (),
) -> list[str]:
    """Sentences for people, each beginning with the place it is about.

    Args: without_logprobs are the engines that never give token logprobs; operations are those
        that an engine has a path for, of engines that are known; without_bounds are the engines
        that have no field to bound thinking.
    """
    found = chain(
        _unpriced(config),
        _blind_gates(config, without_logprobs),
        _gates_that_cannot_say_no(config),
        _long_retention(config),
        _budgets(config),
        _files_in_the_clear(config),
        _asked_for_nothing(config),
        _asked_in_vain(config, operations),
        _unbounded_thinking(config, without_bounds),
        _never_learns(config),
    )
    return list(dict.fromkeys(found))


def _unpriced(config: Configuration) -> Iterator[str]:
    """A cost is a sum: one part that counts as free makes the whole of it wrong."""
    told = set()
    for route in config.routes.values():
        names = list(dict.fromkeys(route.deployment_of(name) for name in route.named))
        priced = [name for name in names if config.deployments[name].price]
        for name in names:
            if priced and config.deployments[name].price is None:
                told.add(name)
                yield (
                    f"routes.{route.name}: {name} has no price beside {priced[0]}, which has one: "
                    "the route's costs, and any choice by cost, count it as free"
                )
    for each in config.deployments.values():
        if each.price is None and each.name not in told:
            yield f"deployments.{each.name} has no price: its answers count as free"


def _blind_gates(config: Configuration, engines: Collection[Engine]) -> Iterator[str]:
    for place, _, steps, gate, _ in _gates(config):
        if not gate.needs_logprobs:
            continue
        for name in steps[:-1]:
            arm = config.arms.get(name)
            behind = config.deployments[name if arm is None else arm.deployment]
            if not _gives_logprobs(behind, engines):
                yield (
                    f"{place} reads logprobs, and {name} gives none: "
                    "its answers are escalated every time"
                )


def _gives_logprobs(deployment: Deployment, engines: Collection[Engine]) -> bool:
    return deployment.logprobs and deployment.engine not in engines


def _gates_that_cannot_say_no(config: Configuration) -> Iterator[str]:
    used = {task.route for task in config.tasks.values()}
    for place, route, steps, gate, task in _gates(config):
        if gate.needs_logprobs or len(steps) < 2 or not _reads_nothing(gate):
            continue
        if task is None and route in used:
            continue  # its tasks are told of, or have checks
        if task is not None and task.verifiers:
            continue
        who = f"tasks.{task.name} has" if task is not None else f"{place} is asked by name and has"
        yield (
            f"{who} no checks and its gate reads no logprobs: the gate cannot say no, "
            f"so {steps[-1]} is never asked; add `verify:` or a min_logprob"
        )


def _reads_nothing(gate: GateSpec) -> bool:
    try:
        read = compile_expression(gate.accept, variables=VARIABLES).references
    except ExpressionError:
        return False
    return {path.split(".")[0] for path in read} <= _EMPTY


def _long_retention(config: Configuration) -> Iterator[str]:
    for task in config.tasks.values():
        if task.capture == "bodies" and task.retention_days > _LONG_DAYS:
            yield (
                f"tasks.{task.name} keeps every body for {task.retention_days} days: "
                "what people wrote is there for over a year; `capture: digests` keeps none"
            )


def _budgets(config: Configuration) -> Iterator[str]:
    """A budget bounds what has a price and an end."""
    if not (config.virtual_keys.enabled or config.bounds_money):
        return
    for each in config.deployments.values():
        if each.price is None and config.bounds_money:
            yield f"deployments.{each.name} has no price: no budget bounds it"
        if each.price is not None and each.limits.max_output_tokens is None:
            yield (
                f"deployments.{each.name}.limits has no max_output_tokens: a key with a budget is "
                "refused there unless the client sends max_tokens"
            )


def _files_in_the_clear(config: Configuration) -> Iterator[str]:
    if config.journal.encryption is not None and config.batches.enabled:
        yield (
            "batches: what clients upload and the answers lie in the clear, journal.encryption "
            "does not reach them; put batches.path on an encrypted disk, or set batches.enabled: "
            "false"
        )


_Gate = tuple[str, str, tuple[str, ...], GateSpec, Task | None]


def _gates(config: Configuration) -> Iterator[_Gate]:
    """Every gate that can decide: place, route, the steps it stands between, itself, the task."""
    for task in config.tasks.values():
        for place, steps, gate in _of_route(config.routes[task.route], task):
            yield place, task.route, steps, gate, task
    for route in config.routes.values():
        for place, steps, gate in _of_route(route, None):
            yield place, route.name, steps, gate, None


def _of_route(route: Route, task: Task | None) -> Iterator[tuple[str, tuple[str, ...], GateSpec]]:
    own = task.gate if task is not None else None
    general = f"tasks.{task.name}.gate" if task is not None and own else f"routes.{route.name}.gate"
    for index, rule in enumerate(route.rules):
        gate = rule.gate or own or route.gate
        if gate is not None and len(rule.steps) > 1:
            place = f"routes.{route.name}.rules[{index}].gate" if rule.gate else general
            yield place, rule.steps, gate
    gate = own or route.gate
    if gate is not None and len(route.steps) > 1:
        yield general, route.steps, gate


def _asked_for_nothing(config: Configuration) -> Iterator[str]:
    """A route answers what all its steps can; steps that share nothing leave nothing to ask."""
    for route in config.routes.values():
        names = [route.deployment_of(name) for name in route.named]
        shared = set.intersection(*(set(config.deployments[name].operations) for name in names))
        if not shared:
            yield f"routes.{route.name}: its deployments share no operation: it answers nothing"


def _asked_in_vain(
    config: Configuration, operations: Mapping[Engine, Collection[Operation]]
) -> Iterator[str]:
    for each in config.deployments.values():
        able = operations.get(each.engine, each.operations)
        missing = [operation for operation in each.operations if operation not in able]
        if missing:
            yield (
                f"deployments.{each.name}.operations: no version of {each.engine} that we know "
                f"answers {' and '.join(missing)}; it will refuse"
            )


def _unbounded_thinking(config: Configuration, engines: Collection[Engine]) -> Iterator[str]:
    for arm in config.arms.values():
        engine = config.deployments[arm.deployment].engine
        if arm.thinking_tokens is not None and engine in engines:
            yield (
                f"arms.{arm.name}.thinking_tokens: {engine} has no field for it that we know, so "
                "nothing is bounded; write the engine's own words under `fields`"
            )


def _never_learns(config: Configuration) -> Iterator[str]:
    for route in config.routes.values():
        learn = route.learn
        if learn is None:
            continue
        place = f"routes.{route.name}.learn"
        if learn.router is not None and learn.digest is None:
            yield f"{place}.router: there is no file {learn.router}; until there is, outcomes teach"
        elif learn.router is None and not learn.explore.share:
            yield (
                f"{place} has no router and explores nothing: nothing is learned of any arm but "
                f"{route.steps[-1]}, which answers always; set explore.share"
            )
        floors = [
            task.name
            for task in config.tasks.values()
            if task.route == route.name
            and (aim := task.objective or learn.objective) is not None
            and aim.has_floor
            and aim.certified
        ]
        if floors and learn.certificates is None:
            yield (
                f"{place}: the floor of {', '.join(floors)} has no certificate: "
                f"{route.steps[-1]} answers always; `pointsman route certify` makes one"
            )
