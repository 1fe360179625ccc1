"""What a client may name, and who may name it: aliases, the default, keys."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from pointsman.config.allowances import resolve_allowance
from pointsman.config.deployments import HIDDEN
from pointsman.config.routes import IMPLICIT
from pointsman.config.schema import RawConfiguration, RawKey
from pointsman.config.scope import Place, Scope
from pointsman.domain.portfolio import Deployment
from pointsman.domain.task import Key, Team

AUTO = "auto"
TASK_PREFIX = "task:"


def check_names(scope: Scope) -> None:
    """A name a client may say means one thing."""
    for section in ("deployments", "arms", "tasks", "aliases", "routes"):
        if AUTO in scope.names(section):
            scope.problem((section, AUTO), "`auto` is taken: it means the default")
    for section, others in (
        ("aliases", ("deployments", "arms", "routes")),
        ("routes", ("deployments", "arms")),
    ):
        for name in scope.names(section):
            for other in others:
                if name in scope.names(other):
                    first = scope.root.mark_of(other, name)
                    scope.problem((section, name), f"a name of {other} already, at {first}")
    for name in scope.names("aliases"):
        if name.startswith(TASK_PREFIX):
            scope.problem(("aliases", name), f"`{TASK_PREFIX}` names a task, not an alias")
    for section in ("deployments", "arms"):
        if not scope.names("routes") and IMPLICIT in scope.names(section) and scope.names("tasks"):
            scope.problem((section, IMPLICIT), "taken: it is the route of tasks without one")


def resolve_target(place: Place, word: str, scope: Scope) -> str:
    """A target as it is: `task:NAME`, a route or a deployment."""
    if word.startswith(TASK_PREFIX):
        name = word.removeprefix(TASK_PREFIX)
        scope.reference(place, "task", name, scope.names("tasks"))
        return word
    known = (*scope.names("deployments"), *scope.names("arms"), *scope.names("routes"))
    tasks = tuple(TASK_PREFIX + name for name in scope.names("tasks"))
    if word not in known and TASK_PREFIX + word in tasks:
        scope.problem(place, f"a task is written `{TASK_PREFIX}NAME`")
        return word
    scope.reference(place, "deployment, route or task", word, (*known, *tasks))
    return word


def resolve_default(
    raw: RawConfiguration, deployments: Mapping[str, Deployment], scope: Scope
) -> str:
    """What `auto` means: as said; else the only task, the first route, the cheapest deployment."""
    if raw.default is not None:
        if raw.default in raw.aliases:
            return raw.aliases[raw.default]
        return resolve_target(("default",), raw.default, scope)
    tasks, routes = scope.names("tasks"), scope.names("routes")
    if len(tasks) == 1:
        return TASK_PREFIX + tasks[0]
    return routes[0] if routes else cheapest(deployments)


def cheapest(deployments: Mapping[str, Deployment]) -> str:
    """The deployment with the lowest price where all have one, else the first listed.

    Of those that chat, where there are any.
    """
    chatting = {name: each for name, each in deployments.items() if "chat" in each.operations}
    among = chatting or deployments
    prices = {
        name: each.price.input_usd_picos + each.price.output_usd_picos
        for name, each in among.items()
        if each.price is not None
    }
    if prices and len(prices) == len(among):
        return min(prices, key=prices.__getitem__)
    return next(iter(among), "")


def resolve_keys(raw: Mapping[str, RawKey], teams: Sequence[Team], scope: Scope) -> tuple[Key, ...]:
    """Keys by name, as hashes only."""
    keys: dict[str, Key] = {}
    for name, each in sorted(raw.items()):
        place: Place = ("keys", name)
        if each.key == HIDDEN:
            scope.problem((*place, "key"), "a hidden secret: write ${NAME} and set the variable")
        for index, task in enumerate(each.tasks):
            scope.reference((*place, "tasks", index), "task", task, scope.names("tasks"))
        for index, model in enumerate(each.models):
            where = (*place, "models", index)
            known = (*scope.names("deployments"), *scope.names("arms"), *scope.names("routes"))
            scope.reference(where, "deployment or route", model, known)
        digest = sha256(each.key.encode()).hexdigest()
        for other in keys.values():
            if other.sha256 == digest:
                scope.problem((*place, "key"), f"the same key as {other.name}'s")
        keys[name] = Key(
            name=name,
            sha256=digest,
            tenant=_tenant(each, place, teams, scope),
            tasks=tuple(each.tasks),
            models=tuple(each.models),
            team=each.team,
            limits=resolve_allowance(each.limits, (*place, "limits"), scope),
        )
    return tuple(keys.values())


def _tenant(raw: RawKey, place: Place, teams: Sequence[Team], scope: Scope) -> str:
    """The tenant of a key: its own word, else its team's; never another than its team's."""
    if raw.team is None:
        return raw.tenant or "default"
    scope.reference((*place, "team"), "team", raw.team, scope.names("teams"))
    team = next((each for each in teams if each.name == raw.team), None)
    if team is None:
        return raw.tenant or "default"
    if raw.tenant is not None and raw.tenant != team.tenant:
        scope.problem((*place, "tenant"), f"the team {team.name} is of another tenant")
    return team.tenant
