"""Whether a task's floor is proven: which of a router's certificates speaks for its objective."""

from collections.abc import Collection, Sequence

from pointsman.domain.learned import Objective
from pointsman.routing.certificate import Certificate, Ground, ground

_EVERY = 1.0  # a shortfall that every certificate keeps to


def ground_for(
    objective: Objective,
    certificates: Sequence[Certificate],
    *,
    router: str,
    task: str | None,
    strong: str,
    arms: Collection[str],
    models: Collection[str],
) -> Ground:
    """The cheapest certified operating point that keeps an objective's floor, or why none does.

    Of `quality: q` the shortfall may be (1 - q) of what the strong arm alone would get; of
    `acceptance: a` the accepted rate at the point must lie above `a` with its whole interval.

    Args: router is the digest of the artefact in hex; strong is the strong arm's name in it; arms
        are the names there of the route's arms, models everything the artefact chooses among.
    """
    if set(models) - set(arms):
        others = ", ".join(sorted(set(models) - set(arms)))
        return Ground(None, f"the router chooses among models that the route has not: {others}")
    same = [each for each in certificates if each.reference == strong]
    if certificates and not same:
        against = certificates[-1].reference
        return Ground(None, f"certified is the shortfall against {against}, not {strong}")
    enough = [each for each in same if _keeps(objective, each)]
    if same and not enough and ground(same, router=router, task=task, alpha=_EVERY).certificate:
        return Ground(None, f"what is certified is less than {_words(objective)}")
    found = ground(enough or same, router=router, task=task, alpha=_EVERY)
    if found.certificate is not None:
        return found
    return Ground(None, found.reason.removeprefix("the strong arm answers: "))


def _keeps(objective: Objective, certificate: Certificate) -> bool:
    if objective.acceptance is not None:
        return (certificate.accepted.low or 0.0) >= objective.acceptance
    assert objective.quality is not None, "a floor is one of the two"
    got = (certificate.accepted.value or 0.0) + (certificate.shortfall.value or 0.0)
    return certificate.alpha <= (1.0 - objective.quality) * got


def _words(objective: Objective) -> str:
    if objective.acceptance is not None:
        return f"acceptance {objective.acceptance:g}"
    return f"quality {objective.quality:g}"
