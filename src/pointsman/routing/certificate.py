"""A proven floor as data: what was stated and on what, what watches it, and why it fell."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from pointsman.stats.betting import Alarm, Evidence
from pointsman.stats.estimate import Estimate

METHOD = "exact test of paired rates, operating points in fixed sequence"
FALSE_ALARM_EVERY = 10_000  # outcomes of a floor that holds, on average, per drift alarm

RevocationKind = Literal["floor_refuted", "drift", "withdrawn"]


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a certificate no longer holds, and since when."""

    kind: RevocationKind
    reason: str
    at_us: int


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What later outcomes say against the floor; each part may be looked at after every one.

    `floor`: that the accepted rate lies more than the margin below, over all that came since.
    `drift`: that it came to lie so at some time. Both need the reference's outcome as well.
    `fall`: that the point's own accepted rate came to lie a margin below what was certified.
    """

    floor: Evidence
    drift: Alarm
    fall: Alarm


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """With confidence 1 - delta, the accepted rate at a point is at most alpha below `reference`.

    Proven on `n` cases that the router was not fitted on, of which `lost` were accepted from the
    reference alone and `won` at the point alone. Costs are shares of always asking the reference.
    """

    task: str | None  # None: whatever the outcomes held
    reference: str  # the arm that always-strong asks
    point: str
    value_usd: float  # what an accepted answer is worth at the point
    loyalty: float = 0.0  # what leaving the reference is charged, per chance that they differ
    alpha: float
    delta: float
    level: float  # the p-value that was needed: delta, or less where `ahead` is to see it too
    ahead: int  # later cases over which the floor will also be seen to hold; 0: not promised
    method: str = METHOD
    n: int
    lost: int
    won: int
    p_value: float
    points_tested: int
    shortfall: Estimate  # value and its one-sided limit at 1 - delta
    accepted: Estimate  # at the point
    cost_share: Estimate
    router: str  # SHA-256 of the artefact, in hex
    outcomes: str  # SHA-256 of the outcomes that it was proven on, in hex
    split_seed: int
    made_at_us: int
    watch: Watch
    revoked: Revocation | None = None

    @property
    def id(self) -> str:
        """Twelve hex digits that name it: of what it states, of what, on what, and when."""
        named = (self.statement, self.point, self.router, self.outcomes, self.split_seed)
        return sha256(msgspec.json.encode((*named, self.made_at_us))).hexdigest()[:12]

    def worth(self, accepted: float, reference_accepted: float | None) -> float:
        """What the certified rule counts in place of an arm's chance to be accepted.

        The rule asks the arm with the largest value_usd * worth - cost. Args: the router's
        estimates for one request; None for the reference itself.
        """
        if reference_accepted is None:
            return accepted
        unlike = accepted + reference_accepted - 2.0 * accepted * reference_accepted
        return accepted - self.loyalty * unlike

    @property
    def statement(self) -> str:
        """The sentence that was proven."""
        where = f" on task {self.task}" if self.task else ""
        ahead = (
            f", and will be seen so over the next {self.ahead:,} like them" if self.ahead else ""
        )
        return (
            f"with confidence {1.0 - self.delta:.4g}, the accepted rate{where} is at most "
            f"{self.alpha:.4g} below always {self.reference}{ahead}"
        )


def fresh_watch(*, alpha: float, accepted: Estimate) -> Watch:
    """A watch that has seen nothing yet. Args: the accepted rate that was certified."""
    least = min(0.999, max(0.001, (accepted.low or 0.0) - alpha))
    return Watch(
        floor=Evidence(null=alpha, low=-1.0, high=1.0),
        drift=Alarm(null=alpha, low=-1.0, high=1.0),
        fall=Alarm(null=1.0 - least, low=0.0, high=1.0),
    )


def observe(
    certificate: Certificate, *, accepted: bool, reference_accepted: bool | None, at_us: int
) -> Certificate:
    """The certificate after one more outcome at its point; revoked where that was one too many.

    Args: reference_accepted where the reference answered the same request (a shadow call, an
    evaluation), else None. Outcomes must be counted whichever way they went.
    A revoked certificate stays as it is.
    """
    if certificate.revoked is not None:
        return certificate
    watch = replace(certificate.watch, fall=certificate.watch.fall.after(float(not accepted)))
    if reference_accepted is not None:
        difference = float(reference_accepted) - float(accepted)
        watch = replace(
            watch, floor=watch.floor.after(difference), drift=watch.drift.after(difference)
        )
    told = _told(certificate, watch)
    revoked = None if told is None else Revocation(kind=told[0], reason=told[1], at_us=at_us)
    return replace(certificate, watch=watch, revoked=revoked)


def _told(certificate: Certificate, watch: Watch) -> tuple[RevocationKind, str] | None:
    if watch.floor.value >= 1.0 / certificate.delta:
        mean = watch.floor.total / watch.floor.n
        return "floor_refuted", (
            f"over {watch.floor.n} paired outcomes the accepted rate lay {mean:.3f} below always "
            f"{certificate.reference}, at most {certificate.alpha:.4g} was stated "
            f"(evidence {watch.floor.value:.3g}, enough is {1.0 / certificate.delta:.3g})"
        )
    if watch.drift.value >= FALSE_ALARM_EVERY:
        return "drift", (
            f"within {watch.drift.n} paired outcomes the accepted rate came to lie more than "
            f"{certificate.alpha:.4g} below always {certificate.reference}"
        )
    if watch.fall.value >= FALSE_ALARM_EVERY:
        return "drift", (
            f"within {watch.fall.n} outcomes the accepted rate fell under "
            f"{1.0 - watch.fall.null:.3f}, certified was {certificate.accepted.value or 0.0:.3f}"
        )
    return None


def withdraw(certificate: Certificate, *, reason: str, at_us: int) -> Certificate:
    """Revoked by a person or by a change of what it was proven on; an earlier reason stays."""
    if certificate.revoked is not None:
        return certificate
    return replace(certificate, revoked=Revocation(kind="withdrawn", reason=reason, at_us=at_us))


class Ground(NamedTuple):
    """Where a task with a floor may be answered: at a certified point, or by the strong arm alone.

    `certificate` None means the strong arm; `reason` says why in either case.
    """

    certificate: Certificate | None
    reason: str


def ground(
    certificates: Iterable[Certificate],
    *,
    router: str,
    task: str | None,
    alpha: float | None = None,
    least: float | None = None,
) -> Ground:
    """The cheapest certificate that speaks for a task's floor.

    Args: router is the digest of the artefact in use, or its first hex digits; alpha the largest
    shortfall that the task allows, least the least accepted rate (the lower limit of the certified
    one is held against it); None bounds nothing. A certificate counts if it stands, is of this
    artefact and keeps both, for this task or for all. Ties go to the one made last.
    """
    passed_over = "no certificate was made"
    fit: list[Certificate] = []
    for each in certificates:
        if each.task not in (None, task):
            passed_over = f"certified is {each.task}, not this task"
        elif not (router and each.router.startswith(router)):
            passed_over = "the router was fitted again since it was certified"
        elif each.revoked is not None:
            passed_over = f"its certificate was revoked: {each.revoked.reason}"
        elif alpha is not None and each.alpha > alpha:
            passed_over = f"certified is at most {each.alpha:.4g} below, {alpha:.4g} is allowed"
        elif least is not None and (each.accepted.low or 0.0) < least:
            passed_over = f"certified is a rate of {each.accepted.low or 0.0:.4g}, not {least:.4g}"
        else:
            fit.append(each)
    if not fit:
        return Ground(None, f"the strong arm answers: {passed_over}")
    best = min(fit, key=lambda c: (_share(c), -c.made_at_us))
    return Ground(best, best.statement)


def _share(certificate: Certificate) -> float:
    value = certificate.cost_share.value
    return 1.0 if value is None else value
