"""From the schema's structs to the Configuration: every reference followed, every default set."""

from collections.abc import Mapping

from pointsman.config.deployments import resolve_deployment
from pointsman.config.digests import with_digest
from pointsman.config.journal import resolve_journal
from pointsman.config.prompts import Prompt, resolve_prompt
from pointsman.config.routes import IMPLICIT, check_logprobs, resolve_route
from pointsman.config.schema import RawConfiguration, RawGate
from pointsman.config.scope import Place, Scope
from pointsman.config.server import resolve_server
from pointsman.config.state import resolve_state
from pointsman.config.targets import (
    cheapest,
    check_names,
    resolve_default,
    resolve_keys,
    resolve_target,
)
from pointsman.config.tasks import resolve_task
from pointsman.domain.portfolio import Deployment
from pointsman.domain.task import Configuration, KeepingSettings, Route, Task


def resolve(raw: RawConfiguration, scope: Scope) -> Configuration:
    """The configuration of a decoded file. It is whole only if no problem was kept."""
    check_names(scope)
    deployments = {
        name: resolve_deployment(name, each, scope) for name, each in raw.deployments.items()
    }
    prompts = {name: resolve_prompt(name, each, scope) for name, each in raw.prompts.items()}
    routes = {
        name: resolve_route(name, each, raw.deployments, scope) for name, each in raw.routes.items()
    }
    default = resolve_default(raw, deployments, scope)
    tasks = _tasks(raw, prompts, _default_route(raw, default, scope), scope)
    if not scope.names("routes") and tasks:
        routes[IMPLICIT] = _implicit_route(raw, deployments)
    _check_gates(raw, tasks, scope)
    aliases = {
        name: resolve_target(("aliases", name), target, scope)
        for name, target in raw.aliases.items()
    }
    return with_digest(
        Configuration(
            digest="",
            deployments=deployments,
            routes=routes,
            tasks=tasks,
            prompts={
                f"{version.name}@{version.version}": version
                for prompt in prompts.values()
                for version in prompt.versions.values()
            },
            aliases=aliases,
            default=default,
            keys=resolve_keys(raw.keys, scope),
            server=resolve_server(raw.server, scope),
            journal=resolve_journal(raw.journal, tasks, scope),
            keeping=KeepingSettings(enabled=raw.keeping.enabled, every_s=raw.keeping.every_s),
            state=resolve_state(raw.state, scope),
            secret_sources=_secret_sources(raw, scope),
        )
    )


def _tasks(
    raw: RawConfiguration, prompts: Mapping[str, Prompt], default_route: str, scope: Scope
) -> dict[str, Task]:
    tasks = {}
    known = scope.names("routes") or (IMPLICIT,)
    for name, each in raw.tasks.items():
        route = each.route or default_route
        if each.route is not None:
            scope.reference(("tasks", name, "route"), "route", each.route, known)
        tasks[name] = resolve_task(name, each, route, prompts, scope)
    return tasks


def _default_route(raw: RawConfiguration, default: str, scope: Scope) -> str:
    """The route of a task that names none: the default where it is a route, else the first."""
    routes = scope.names("routes")
    if default in routes:
        return default
    return routes[0] if routes else IMPLICIT


def _implicit_route(raw: RawConfiguration, deployments: Mapping[str, Deployment]) -> Route:
    said = raw.aliases.get(raw.default or "", raw.default)
    step = said if said and said in deployments else cheapest(deployments)
    return Route(name=IMPLICIT, steps=(step,))


def _check_gates(raw: RawConfiguration, tasks: Mapping[str, Task], scope: Scope) -> None:
    """A route's gate may name only checks that every task it judges has; see also its logprobs."""
    for name, task in tasks.items():
        route = raw.routes.get(task.route)
        if route is None:
            continue
        known = {each.name for each in task.verifiers}
        gates: list[tuple[Place, RawGate | None]] = [
            (("routes", task.route, "rules", index, "gate"), rule.gate)
            for index, rule in enumerate(route.rules)
        ]
        if task.gate is None:
            gates.append((("routes", task.route, "gate"), route.gate))
        own = raw.tasks[name].gate
        check_logprobs(own, route.steps, ("tasks", name, "gate"), raw.deployments, scope)
        for place, gate in gates:
            for index, check in enumerate(gate.checks if gate else ()):
                where = (*place, "checks", index)
                scope.reference(where, "check", check, known, of=f" in task {name}")


def _secret_sources(raw: RawConfiguration, scope: Scope) -> tuple[tuple[str, str], ...]:
    """Which secrets came from one variable each, so that `show` can name it."""
    places: list[tuple[str, ...]] = [
        *(("deployments", name, "api_key") for name in raw.deployments),
        *(("deployments", name, "proxy") for name in raw.deployments),
        *(("keys", name, "key") for name in raw.keys),
        ("journal", "encryption", "key"),
        ("state", "url"),
    ]
    found = ((".".join(place), scope.placeholder(place)) for place in places)
    return tuple((place, placeholder) for place, placeholder in found if placeholder)
