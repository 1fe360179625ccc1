"""Floors while serving: which certificate speaks for a task, and what later outcomes say of it."""

from collections.abc import Callable, Mapping

from pointsman.answering.routers import FittedRouter
from pointsman.domain.learned import Objective
from pointsman.domain.task import Configuration, Route
from pointsman.routing.certificate import Certificate, Ground, observe
from pointsman.routing.grounds import ground_for

Revoked = Callable[[str, Certificate], None]  # route, and its certificate that fell


class Grounds:
    """The certificates of every learned route of one process, watched by what is accepted."""

    def __init__(self, revoked: Revoked = lambda route, certificate: None) -> None:
        """Args: revoked is told once of each that falls."""
        self._revoked = revoked
        self._routes: Mapping[str, Route] = {}
        self._routers: Mapping[str, FittedRouter] = {}
        self._held: dict[str, dict[str, Certificate]] = {}  # by route and id
        self._found: dict[tuple[str, str | None, Objective], Ground] = {}

    def change(self, config: Configuration, routers: Mapping[str, FittedRouter]) -> None:
        """From now on by these files; what a certificate that stays has seen, it keeps."""
        held: dict[str, dict[str, Certificate]] = {}
        for route, router in routers.items():
            before = self._held.get(route, {})
            held[route] = {
                each.id: before.get(each.id, each) if each.revoked is None else each
                for each in router.certificates
            }
        self._routes, self._routers = config.routes, routers
        self._held, self._found = held, {}

    def ground(self, route: Route, task: str | None, objective: Objective) -> Ground:
        """Where a floor may be kept, or why it is the strong arm's alone."""
        key = (route.name, task, objective)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._ground(route, task, objective)
        return found

    def heard(self, route: str, certificate: str, *, accepted: bool, at_us: int) -> None:
        """One more outcome of an answer that was chosen by a certificate's rule."""
        held = self._held.get(route, {})
        before = held.get(certificate)
        if before is None or before.revoked is not None:
            return
        now = observe(before, accepted=accepted, reference_accepted=None, at_us=at_us)
        held[certificate] = now
        if now.revoked is not None:
            self._found.clear()
            self._revoked(route, now)

    def _ground(self, route: Route, task: str | None, objective: Objective) -> Ground:
        router, learn = self._routers.get(route.name), route.learn
        if router is None or learn is None:
            return Ground(None, "there is no router's file, so nothing is certified")
        names = [learn.names.get(arm, arm) for arm in route.steps]
        return ground_for(
            objective,
            tuple(self._held.get(route.name, {}).values()),
            router=router.digest,
            task=task,
            strong=names[-1],
            arms=names,
            models=router.models,
        )
