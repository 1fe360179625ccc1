"""What a client may name as `model`, resolved once per configuration; nothing else is callable."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from pointsman.domain.errors import Forbidden, NotFound
from pointsman.domain.task import Configuration, Key, Route, Task
from pointsman.expressions import Expression
from pointsman.routing.gate import compile_gate
from pointsman.routing.planner import CompiledRoute, compile_route
from pointsman.verifiers import Verifier, compile_verifier

_TASK = "task:"


@dataclass(frozen=True, slots=True)
class Target:
    """A task with its route, or a bare route or deployment, ready to answer."""

    name: str  # as /v1/models lists it
    route: CompiledRoute
    task: Task | None
    gates: Mapping[str, Expression]  # by the gate's text
    verifiers: tuple[Verifier, ...]
    rerouted: bool = False  # `task:NAME@ROUTE`: the task by another route than its own

    def asks_logprobs(self, gate: str | None) -> bool:
        """True where this step's gate reads logprobs."""
        return gate is not None and any(
            name.startswith("logprob") for name in self.gates[gate].references
        )


class Targets:
    """The table from a name to its target."""

    def __init__(self, config: Configuration) -> None:
        self._config = config
        self._table: dict[str, Target] = {}
        self._ways: dict[str, Target] = {}  # those asked for with `@`, as they are asked for
        for task in config.tasks.values():
            self._table[_TASK + task.name] = _target(
                _TASK + task.name, config.routes[task.route], task
            )
        for route in config.routes.values():
            self._table.setdefault(f"route:{route.name}", _target(route.name, route, None))
        for name in config.deployments:
            self._table.setdefault(name, _target(name, Route(name=name, steps=(name,)), None))
        self._aliases = {**config.aliases, "auto": config.default}

    def resolve(self, model: str) -> Target:
        """The target a client named. Raises: NotFound with the nearest names."""
        target = self._table.get(model) or self._ways.get(model)
        if target is not None:
            return target
        if model.startswith(_TASK) and "@" in model:
            target = self._rerouted(model)
            if target is not None:
                return target
        aliased = self._aliases.get(model)
        if aliased is not None:
            return self._named(aliased)
        near = difflib.get_close_matches(model[:100], self.names(), n=1)
        raise NotFound(
            f"model {model[:100]!r} is not known here",
            next=f"did you mean {near[0]!r}?" if near else "GET /v1/models lists what can be asked",
            param="model",
            code="model_not_found",
        )

    def _rerouted(self, model: str) -> Target | None:
        """`task:NAME@ROUTE`: the task, with its prompt and checks, by a route or deployment that
        is named; this is how one task is measured on several."""
        own, _, way = model.partition("@")
        task = self._table.get(own)
        if task is None or task.task is None:
            return None
        route = self._config.routes.get(way)
        if route is None:
            if way not in self._config.deployments:
                return None
            route = Route(name=way, steps=(way,))
        target = _target(model, route, task.task, rerouted=True)
        self._ways[model] = target  # bounded: tasks times routes and deployments
        return target

    def _named(self, name: str) -> Target:
        """A name as the configuration writes it: a task, a route or a deployment."""
        for candidate in (name, _TASK + name, f"route:{name}"):
            if candidate in self._table:
                return self._table[candidate]
        raise AssertionError(f"the configuration let the unresolved name {name!r} through")

    def names(self) -> list[str]:
        """Every name a client may ask for, tasks first."""
        return [*self._table, *self._aliases]


def allow(key: Key | None, target: Target) -> None:
    """Raises: Forbidden when the key is bound to other tasks."""
    if key is None or not key.tasks:
        return
    if target.rerouted or target.task is None or target.task.name not in key.tasks:
        raise Forbidden(
            f"this key may not ask {target.name!r}",
            next=f"it may ask: {', '.join(_TASK + name for name in key.tasks)}",
            param="model",
            code="model_not_allowed",
        )


def _target(name: str, route: Route, task: Task | None, *, rerouted: bool = False) -> Target:
    specs = [route.gate, *(rule.gate for rule in route.rules), task.gate if task else None]
    gates = {spec.accept: compile_gate(spec.accept) for spec in specs if spec is not None}
    return Target(
        name=name,
        route=compile_route(route),
        task=task,
        gates=gates,
        verifiers=tuple(compile_verifier(spec) for spec in task.verifiers) if task else (),
        rerouted=rerouted,
    )
