"""What a client may name as `model`, resolved once per configuration; nothing else is callable."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pointsman.domain.errors import Forbidden, InvalidRequest, NotFound
from pointsman.domain.messages import WRITING, Operation
from pointsman.domain.task import Configuration, Key, Route, Task
from pointsman.expressions import Expression
from pointsman.routing.gate import compile_gate
from pointsman.routing.planner import CompiledRoute, compile_route
from pointsman.verifiers import Verifier, compile_verifier

_TASK = "task:"
# The id of the record that says what a deployment serves, by its name; None: not known.
Served = Callable[[str], str | None]


def _nothing_known(name: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Target:
    """A task with its route, or a bare route or deployment, ready to answer."""

    name: str  # as /v1/models lists it
    route: CompiledRoute
    task: Task | None
    gates: Mapping[str, Expression]  # by the gate's text
    verifiers: tuple[Verifier, ...]
    operations: frozenset[Operation]  # that it can be asked for
    why_not: str = ""  # the reason where it cannot be asked for others
    rerouted: bool = False  # `task:NAME@ROUTE`: the task by another route than its own
    served: Served = _nothing_known  # what a deployment is, for the record of what it answered

    def check(self, operation: Operation) -> None:
        """Raises: InvalidRequest where this target does not answer such requests."""
        if operation not in self.operations:
            able = ", ".join(sorted(self.operations)) or "nothing"
            raise InvalidRequest(
                f"{self.name!r} cannot be asked for {operation}: it answers {able}",
                why=self.why_not,
                next="name a deployment whose `operations` list it",
                param="model",
                code="operation_not_supported",
            )

    def asks_logprobs(self, gate: str | None) -> bool:
        """True where this step's gate reads logprobs."""
        return gate is not None and any(
            name.startswith("logprob") for name in self.gates[gate].references
        )


class Targets:
    """The table from a name to its target."""

    def __init__(self, config: Configuration, *, served: Served = _nothing_known) -> None:
        self._config = config
        self._served = served
        self._table: dict[str, Target] = {}
        self._ways: dict[str, Target] = {}  # those asked for with `@`, as they are asked for
        for task in config.tasks.values():
            self._table[_TASK + task.name] = self._target(
                _TASK + task.name, config.routes[task.route], task
            )
        for route in config.routes.values():
            self._table.setdefault(f"route:{route.name}", self._target(route.name, route, None))
        for name in (*config.deployments, *config.arms):
            self._table.setdefault(name, self._target(name, self._alone(name), None))
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
        near = self._near(model[:100])
        raise NotFound(
            f"model {model[:100]!r} is not known here",
            next=f"did you mean {near!r}?" if near else "GET /v1/models lists what can be asked",
            param="model",
            code="model_not_found",
        )

    def _near(self, model: str) -> str | None:
        """The nearest name that can be asked for, `@` and what follows it looked at apart."""
        own, at, way = model.partition("@")
        if not (model.startswith(_TASK) and at):
            return _nearest(model, self.names())
        tasks = [name for name in self._table if name.startswith(_TASK)]
        own_near = own if own in self._table else _nearest(own, tasks)
        ways = {**self._config.routes, **self._config.deployments, **self._config.arms}
        way_near = way if way in ways else _nearest(way, ways)
        if own_near is None or way_near is None:
            return own_near
        return f"{own_near}@{way_near}"

    def _rerouted(self, model: str) -> Target | None:
        """`task:NAME@ROUTE`: the task, with its prompt and checks, by a route or deployment that
        is named; this is how one task is measured on several."""
        own, _, way = model.partition("@")
        task = self._table.get(own)
        if task is None or task.task is None:
            return None
        config = self._config
        route = config.routes.get(way)
        if route is None:
            if way not in config.deployments and way not in config.arms:
                return None
            route = self._alone(way)
        target = self._target(model, route, task.task, rerouted=True)
        self._ways[model] = target  # bounded: tasks times routes, deployments and arms
        return target

    def _alone(self, name: str) -> Route:
        """A deployment or arm as a route of its own."""
        arm = self._config.arms.get(name)
        return Route(name=name, steps=(name,), arms={} if arm is None else {name: arm})

    def _target(
        self, name: str, route: Route, task: Task | None, *, rerouted: bool = False
    ) -> Target:
        specs = [route.gate, *(rule.gate for rule in route.rules), task.gate if task else None]
        gates = {spec.accept: compile_gate(spec.accept) for spec in specs if spec is not None}
        verifiers = tuple(compile_verifier(spec) for spec in task.verifiers) if task else ()
        operations, why_not = self._operations(route, task, judged=bool(gates or verifiers))
        return Target(
            name=name,
            route=compile_route(route),
            task=task,
            gates=gates,
            verifiers=verifiers,
            operations=operations,
            why_not=why_not,
            rerouted=rerouted,
            served=self._served,
        )

    def _operations(
        self, route: Route, task: Task | None, *, judged: bool
    ) -> tuple[frozenset[Operation], str]:
        """What every step can be asked for, less what a prompt, gate or check has no sense for."""
        named = list(dict.fromkeys(route.deployment_of(name) for name in route.named))
        can = frozenset.intersection(
            *(frozenset(self._config.deployments[name].operations) for name in named)
        )
        own = next((arm for arm in route.arms.values() if arm.prompt is not None), None)
        if own is not None:
            return can & {"chat"}, f"the arm {own.name} puts a prompt into its messages"
        if task is not None and task.prompt is not None:
            return can & {"chat"}, f"the task {task.name} puts a prompt into its messages"
        if judged:
            return can & WRITING, "its gate and checks judge text"
        return can, f"its deployments: {', '.join(named)}"

    def _named(self, name: str) -> Target:
        """A name as the configuration writes it: a task, a route or a deployment."""
        for candidate in (name, _TASK + name, f"route:{name}"):
            if candidate in self._table:
                return self._table[candidate]
        raise AssertionError(f"the configuration let the unresolved name {name!r} through")

    def names(self) -> list[str]:
        """Every name a client may ask for, tasks first."""
        return [*self._table, *self._aliases]


def _nearest(word: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def allow(key: Key | None, target: Target) -> None:
    """Raises: Forbidden when the key is bound to other tasks or models."""
    if key is None or not (key.tasks or key.models):
        return
    way = target.name.partition("@")[2] if target.rerouted else target.name
    allowed = target.task is None or target.task.name in key.tasks
    if target.task is None or target.rerouted:
        allowed = allowed and way in key.models
    if not allowed:
        names = (*(_TASK + name for name in key.tasks), *key.models)
        raise Forbidden(
            f"this key may not ask {target.name!r}",
            next=f"it may ask: {', '.join(names)}",
            param="model",
            code="model_not_allowed",
        )
