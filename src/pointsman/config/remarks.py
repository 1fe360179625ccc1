"""What loads, works and will still surprise: gates that cannot say no, costs that are not whole."""

from collections.abc import Collection, Iterator
from itertools import chain

from pointsman.config.gates import VARIABLES
from pointsman.domain.portfolio import Deployment, Engine
from pointsman.domain.task import Configuration, GateSpec, Route, Task
from pointsman.expressions import ExpressionError, compile_expression

_LONG_DAYS = 365
# What a gate reads when it has neither checks nor logprobs; of these only a cut answer says no.
_EMPTY = frozenset({"verified", "unjudged", "finish_reason"})


def remarks(config: Configuration, *, without_logprobs: Collection[Engine] = ()) -> list[str]:
    """Sentences for people, each beginning with the place it is about.

    Args: without_logprobs are the engines that never give token logprobs.
    """
    found = chain(
        _unpriced(config),
        _blind_gates(config, without_logprobs),
        _gates_that_cannot_say_no(config),
        _long_retention(config),
    )
    return list(dict.fromkeys(found))


def _unpriced(config: Configuration) -> Iterator[str]:
    """A cost is a sum: one part that counts as free makes the whole of it wrong."""
    told = set()
    for route in config.routes.values():
        names = list(dict.fromkeys(chain(*_ways(route), route.fallbacks)))
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
            if not _gives_logprobs(config.deployments[name], engines):
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


def _ways(route: Route) -> Iterator[tuple[str, ...]]:
    yield route.steps
    for rule in route.rules:
        yield rule.steps
