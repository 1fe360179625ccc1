"""From the schema's structs to the Configuration: every reference followed, every default set."""

from collections.abc import Mapping, Sequence

import msgspec

from pointsman.config.alerts import resolve_alerts
from pointsman.config.allowances import resolve_teams, resolve_tenants
from pointsman.config.arms import resolve_arm
from pointsman.config.deployments import resolve_deployment
from pointsman.config.digests import with_digest
from pointsman.config.journal import resolve_journal
from pointsman.config.judges import check_online, resolve_judge
from pointsman.config.learning import check_objectives
from pointsman.config.policies import resolve_policies
from pointsman.config.prompts import Prompt, resolve_prompt
from pointsman.config.routes import IMPLICIT, check_logprobs, resolve_route
from pointsman.config.schema import RawBatches, RawConfiguration, RawGate, RawGuard, RawMedia
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
from pointsman.config.telemetry import resolve_telemetry
from pointsman.domain.portfolio import Deployment
from pointsman.domain.task import (
    BatchSettings,
    BudgetSettings,
    Configuration,
    DriftSettings,
    GuardSettings,
    KeepingSettings,
    MediaSettings,
    ReviewSettings,
    Route,
    Task,
    VirtualKeySettings,
)


def resolve(raw: RawConfiguration, scope: Scope) -> Configuration:
    """The configuration of a decoded file. It is whole only if no problem was kept."""
    check_names(scope)
    deployments = {
        name: resolve_deployment(name, each, scope) for name, each in raw.deployments.items()
    }
    prompts = {name: resolve_prompt(name, each, scope) for name, each in raw.prompts.items()}
    arms = {name: resolve_arm(name, each, prompts, scope) for name, each in raw.arms.items()}
    routes = {
        name: resolve_route(name, each, raw, arms, scope) for name, each in raw.routes.items()
    }
    default = resolve_default(raw, deployments, scope)
    tasks = _tasks(raw, prompts, _default_route(raw, default, scope), scope)
    if not scope.names("routes") and tasks:
        routes[IMPLICIT] = _implicit_route(raw, deployments)
    _check_gates(raw, tasks, scope)
    check_objectives(raw, tuple(tasks.values()), scope)
    aliases = {
        name: resolve_target(("aliases", name), target, scope)
        for name, target in raw.aliases.items()
    }
    judges = {name: resolve_judge(name, each, scope) for name, each in raw.judges.items()}
    check_online(raw.tasks, judges, scope)
    teams = resolve_teams(raw.teams, scope)
    keys = resolve_keys(raw.keys, teams, scope)
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
            arms=arms,
            keys=keys,
            teams=teams,
            tenants=resolve_tenants(raw.tenants, scope),
            virtual_keys=VirtualKeySettings(
                enabled=raw.virtual_keys.enabled, fresh_s=raw.virtual_keys.fresh_s
            ),
            budgets=BudgetSettings(lease_s=raw.budgets.lease_s, wait_s=raw.budgets.wait_s),
            server=resolve_server(raw.server, keys, scope, virtual=raw.virtual_keys.enabled),
            journal=resolve_journal(raw.journal, tasks, scope),
            alerts=resolve_alerts(raw.alerts, scope),
            drift=DriftSettings(**msgspec.structs.asdict(raw.drift)),
            keeping=KeepingSettings(enabled=raw.keeping.enabled, every_s=raw.keeping.every_s),
            state=resolve_state(raw.state, scope),
            telemetry=resolve_telemetry(raw.telemetry, scope),
            batches=_batches(raw.batches),
            media=_media(raw.media),
            guards=_guards(raw.guards, scope, tuple(deployments)),
            judges=judges,
            review=ReviewSettings(
                enabled=raw.review.enabled,
                stream_wait_s=raw.review.stream_wait_s,
                usd_per_look=raw.review.usd_per_look,
            ),
            policies=resolve_policies(
                raw.policies, scope, tasks=scope.names("tasks"), routes=tuple(routes)
            ),
            secret_sources=_secret_sources(raw, scope),
        )
    )


def _guards(
    raw: Mapping[str, RawGuard], scope: Scope, deployments: Sequence[str]
) -> dict[str, GuardSettings]:
    made = {}
    for name, each in raw.items():
        scope.reference(("guards", name, "deployment"), "deployment", each.deployment, deployments)
        made[name] = GuardSettings(name=name, **msgspec.structs.asdict(each))
    return made


def _media(raw: RawMedia) -> MediaSettings:
    return MediaSettings(
        urls=raw.urls,
        hosts=tuple(host.lower() for host in raw.hosts),
        plain_http=raw.plain_http,
        max_bytes=raw.max_mb * 2**20,
        max_total_bytes=raw.max_total_mb * 2**20,
        max_count=raw.max_count,
        timeout_s=raw.timeout_s,
    )


def _batches(raw: RawBatches) -> BatchSettings:
    return BatchSettings(
        enabled=raw.enabled,
        path=raw.path,
        concurrency=raw.concurrency,
        while_in_flight=raw.while_in_flight,
        max_file_bytes=raw.max_file_mb * 2**20,
        max_lines=raw.max_lines,
        max_tenant_bytes=raw.max_tenant_mb * 2**20,
        keep_days=raw.keep_days,
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
        check_logprobs(own, route.steps, ("tasks", name, "gate"), raw, scope)
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
        *(("alerts", name, key) for name in raw.alerts for key in ("url", "token")),
        *(("alerts", name, "mail", "password") for name in raw.alerts if raw.alerts[name].mail),
        ("journal", "encryption", "key"),
        ("state", "url"),
        ("state", "counters"),
    ]
    if raw.server.admin is not None:
        places += [("server", "admin", "keys", name) for name in raw.server.admin.keys]
    found = ((".".join(place), scope.placeholder(place)) for place in places)
    return tuple((place, placeholder) for place, placeholder in found if placeholder)
