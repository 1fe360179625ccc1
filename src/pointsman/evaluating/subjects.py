"""What can be measured, by the name that people give it, and a digest of what is behind it."""

import difflib
from collections.abc import Iterable

import msgspec

from pointsman.config.digests import as_json
from pointsman.domain.errors import NotFound, UsageError
from pointsman.domain.evaluations import Subject, SubjectKind
from pointsman.domain.task import Configuration, Route, Task
from pointsman.evals.case import digest_of

# Sections that can change any answer, whatever is asked.
_EVERYWHERE = ("policies", "guards", "review", "media")


def subject_of(config: Configuration, name: str) -> Subject:
    """What a name of the configuration stands for: a task, `task:NAME@WAY`, a route, a deployment,
    an arm, an alias or `auto`. Raises: NotFound with the nearest."""
    asks = config.default if name == "auto" else config.aliases.get(name, name)
    task, route = _behind(config, asks)
    if task is None and route is None:
        raise NotFound(
            f"nothing here is called {name[:100]!r}",
            next=_next(config, name),
            code="model_not_found",
        )
    kind: SubjectKind = (
        "task" if task is not None else "route" if asks.removeprefix("route:") in config.routes
        else "deployment"
    )  # fmt: skip
    known = _asked_as(config, asks, kind)
    return Subject(
        kind=kind,
        name=name.removeprefix("task:") if kind == "task" else name,
        asks=known,
        digest=_digest(config, task, route),
        config=config.digest,
    )


def with_prompt(config: Configuration, subject: Subject, reference: str) -> Configuration:
    """The configuration with another prompt version for the subject's task.

    Args: reference is `NAME@VERSION`, or a version of the prompt that the task has.
    Raises: NotFound; UsageError where the subject is no task.
    """
    task, _ = _behind(config, subject.asks)
    if task is None:
        raise UsageError(
            f"{subject.name} is no task, so it has no prompt",
            next="name a task with --subject task:NAME",
        )
    own = task.prompt.reference.partition("@")[0] if task.prompt is not None else ""
    found = config.prompts.get(reference) or config.prompts.get(f"{own}@{reference}")
    if found is None:
        near = difflib.get_close_matches(reference, config.prompts, n=1)
        raise NotFound(
            f"there is no prompt {reference[:100]!r}",
            next=f"did you mean {near[0]!r}?" if near else "it is NAME@VERSION",
        )
    tasks = {**config.tasks, task.name: msgspec.structs.replace(task, prompt=found)}
    changed = msgspec.structs.replace(config, tasks=tasks)
    return msgspec.structs.replace(changed, digest=digest_of([config.digest, found.reference]))


def _behind(config: Configuration, asks: str) -> tuple[Task | None, Route | None]:
    """The task and the route that answer; a deployment or arm is a route of its own."""
    if asks.startswith("task:") or asks in config.tasks:
        own, _, way = asks.removeprefix("task:").partition("@")
        task = config.tasks.get(own)
        if task is None:
            return None, None
        route = _route(config, way) if way else config.routes[task.route]
        return (task, route) if route is not None else (None, None)
    return None, _route(config, asks)


def _route(config: Configuration, name: str) -> Route | None:
    known = config.routes.get(name.removeprefix("route:"))
    if known is not None:
        return known
    arm = config.arms.get(name)
    if arm is None and name not in config.deployments:
        return None
    return Route(name=name, steps=(name,), arms={} if arm is None else {name: arm})


def _asked_as(config: Configuration, asks: str, kind: SubjectKind) -> str:
    if kind == "task":
        return asks if asks.startswith("task:") else f"task:{asks}"
    if kind == "route" and not asks.startswith("route:"):
        return f"route:{asks}"
    return asks


def _digest(config: Configuration, task: Task | None, route: Route | None) -> str:
    said = as_json(config)
    behind = {name: said[name] for name in _EVERYWHERE}
    if task is not None:
        told = msgspec.to_builtins(task)
        for name in ("acceptance", "capture", "retention_days"):  # what comes after an answer
            told.pop(name, None)
        behind["task"] = told
    if route is not None:
        behind["route"] = msgspec.to_builtins(route)
        names = {route.deployment_of(name) for name in route.named}
        behind["deployments"] = {name: said["deployments"][name] for name in sorted(names)}
    return digest_of(behind)


def _next(config: Configuration, name: str) -> str:
    known: Iterable[str] = (
        *(f"task:{task}" for task in config.tasks), *config.routes, *config.deployments,
        *config.arms, *config.aliases,
    )  # fmt: skip
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else f"there is: {', '.join(list(known)[:12])}"
