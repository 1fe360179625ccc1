"""Routes that learn: one objective, arms that are known, the digest of the router's file."""

from collections.abc import Sequence
from hashlib import sha256
from io import SEEK_END
from pathlib import Path

import msgspec

from pointsman.config.schema import RawConfiguration, RawLearn, RawObjective, RawRoute
from pointsman.config.scope import Place, Scope
from pointsman.domain.learned import Exploring, Learning, Objective, Staying
from pointsman.domain.task import Task

_KINDS = ("acceptance", "quality", "value_usd")
CERTIFICATES = ".certificates.json"  # what follows a router's name in that of its certificates
_DIGEST_BYTES = 32  # a SHA-256 of everything before it


def resolve_objective(raw: RawObjective | None, place: Place, scope: Scope) -> Objective | None:
    """One objective, every problem with it kept."""
    if raw is None:
        return None
    if len([kind for kind in _KINDS if getattr(raw, kind) is not None]) != 1:
        scope.problem(place, f"needs exactly one of {', '.join(_KINDS)}")
        return None
    if raw.value_usd is not None and not raw.certified:
        scope.problem((*place, "certified"), "a value needs no certificate: leave it out")
    return Objective(**msgspec.structs.asdict(raw))


def resolve_learning(name: str, raw: RawRoute, scope: Scope) -> Learning | None:
    """How a route learns; None where it does not."""
    place: Place = ("routes", name)
    objective = resolve_objective(raw.objective, (*place, "objective"), scope)
    if raw.learn is None:
        if raw.objective is not None:
            scope.problem((*place, "objective"), "only a route with `learn:` can follow one")
        return None
    learn = raw.learn
    if len(set(raw.steps)) < 2:
        scope.problem((*place, "learn"), "there is nothing to choose: the route has one step")
    if len(set(raw.steps)) != len(raw.steps):
        scope.problem((*place, "steps"), "a step twice: a route that learns chooses among them")
    for arm in learn.names:
        scope.reference((*place, "learn", "names", arm), "step", arm, raw.steps, of=f" of {name}")
    return Learning(
        router=learn.router,
        digest=_digest((*place, "learn", "router"), learn, scope),
        certificates=_certificates(learn, scope),
        names=dict(learn.names),
        objective=objective,
        explore=Exploring(**msgspec.structs.asdict(learn.explore)),
        session=Staying(**msgspec.structs.asdict(learn.session)),
        least_outcomes=learn.least_outcomes,
        memory_outcomes=learn.memory_outcomes,
    )


def check_objectives(raw: RawConfiguration, tasks: Sequence[Task], scope: Scope) -> None:
    """An objective needs a route that learns, and such a route an objective of every task."""
    for task in tasks:
        route = raw.routes.get(task.route)
        learns = route is not None and route.learn is not None
        if task.objective is not None and not learns:
            place: Place = ("tasks", task.name, "objective")
            scope.problem(place, f"the route {task.route} does not learn: give it `learn:`")
        said = raw.tasks[task.name].objective or (route and route.objective)
        if learns and said is None:
            what = f"the route {task.route} learns, and nothing says what for: `objective:`"
            scope.problem(("tasks", task.name), what)


def _digest(place: Place, raw: RawLearn, scope: Scope) -> str | None:
    """The digest that the router's file ends with; None where there is none yet. The file is
    watched either way."""
    if raw.router is None:
        return None
    path = _path(raw.router, scope)
    if path is None:
        scope.problem(place, "this text has no folder to look in")
        return None
    scope.problems.looked_at.add(path)
    try:
        with path.open("rb") as file:
            size = file.seek(0, SEEK_END)
            file.seek(max(0, size - _DIGEST_BYTES))
            return file.read(_DIGEST_BYTES).hex()[:12]
    except FileNotFoundError:
        return None
    except OSError as error:
        scope.problem(place, error.strerror or "cannot be read")
        return None


def _certificates(raw: RawLearn, scope: Scope) -> str | None:
    """The digest of the certificates beside the router's file; they are watched as well."""
    path = _path(raw.router, scope) if raw.router is not None else None
    if path is None:
        return None
    beside = path.with_name(path.name + CERTIFICATES)
    scope.problems.looked_at.add(beside)
    try:
        return sha256(beside.read_bytes()).hexdigest()[:12]
    except OSError:
        return None  # told of when it is opened, where it is there and cannot be read


def _path(name: str, scope: Scope) -> Path | None:
    """A path of the file; None where it starts from a folder and there is none."""
    if scope.folder is None:
        return Path(name) if name.startswith("/") else None
    return scope.folder / name
