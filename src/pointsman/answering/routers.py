"""The routers that a configuration names, read from their files; loads NumPy only where one is."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman.domain.errors import ConfigurationError, ExtraMissing, UsageError
from pointsman.domain.estimates import ArmEstimate
from pointsman.domain.task import Configuration, Route
from pointsman.routing.certificate import Certificate

if TYPE_CHECKING:
    from pointsman.learning.router import Router


class FittedRouter:
    """A router with the certificates that lie beside it."""

    def __init__(self, router: "Router", certificates: Sequence[Certificate] = ()) -> None:
        self._router = router
        self.digest = router.digest
        self.models = router.models
        self.certificates = tuple(certificates)

    def estimate(self, prompt: str, task: str | None = None) -> Sequence[ArmEstimate]:
        """One estimate per model."""
        return self._router.estimate(prompt, task)


def load_routers(config: Configuration) -> dict[str, FittedRouter]:
    """Routers by the name of their route; a file that is not there yet is left out.

    Raises: ExtraMissing without NumPy; ConfigurationError for a file that is no router, or that
        knows none of the route's arms, and for certificates that cannot be read.
    """
    routes = [
        route
        for route in config.routes.values()
        if route.learn is not None and route.learn.router and route.learn.digest
    ]
    if not routes:
        return {}
    if find_spec("numpy") is None:
        raise ExtraMissing(
            f"routes.{routes[0].name}.learn.router needs what reads routers",
            why="NumPy is not installed",
            next='pip install "pointsman[learn]"',
        )
    return {route.name: _load(config, route) for route in routes}


def keep_revoked(config: Configuration, route: str, revoked: Certificate) -> None:
    """Put a certificate that fell in place of what its file says of it, for every process to see.

    Raises: UsageError, OSError where the file cannot be read or written.
    """
    from pointsman.learning.certificates import read_certificates, write_certificates

    path = _path(config, config.routes[route])
    held = read_certificates(path)
    write_certificates(path, [revoked if each.id == revoked.id else each for each in held])


def _load(config: Configuration, route: Route) -> FittedRouter:
    from pointsman.learning.certificates import read_certificates
    from pointsman.learning.router import Router

    learn = route.learn
    assert learn is not None, "only routes that learn have routers"
    place, path = f"routes.{route.name}.learn.router", _path(config, route)
    try:
        router, certificates = Router.load(path), read_certificates(path)
    except (UsageError, OSError) as error:
        said = error.what if isinstance(error, UsageError) else str(error)
        raise ConfigurationError(
            f"{place}: {said}",
            why=error.why if isinstance(error, UsageError) else "",
            next="fit it again, or certify it again",
        ) from error
    if not any(learn.names.get(arm, arm) in router.models for arm in route.steps):
        raise ConfigurationError(
            f"{place} knows none of the arms of {route.name}",
            why=f"it knows: {', '.join(router.models)}",
            next=f"say which is which under routes.{route.name}.learn.names",
        )
    return FittedRouter(router, certificates)


def _path(config: Configuration, route: Route) -> Path:
    assert route.learn is not None, "only routes that learn have routers"
    assert route.learn.router is not None, "only those that name one"
    return Path(config.placed(route.learn.router))
