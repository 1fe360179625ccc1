"""The figures of any set of requests: acceptance, cost per accepted, spend and times."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from pointsman.analytics.acceptance import Acceptance
from pointsman.domain.money import usd
from pointsman.domain.records import Attempt
from pointsman.stats.estimate import Estimate
from pointsman.stats.order import quantile
from pointsman.stats.proportions import wilson
from pointsman.stats.ratios import RatioMoments


class JudgedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request with its attempts and what became of it."""

    trace: str
    at_us: int
    task: str | None
    columns: dict[str, Any]  # the row of the `requests` query, to group by
    status: str | None  # None: it has not ended
    attempts: tuple[Attempt, ...]
    delivered: int | None
    acceptance: Acceptance

    @property
    def timed(self) -> bool:
        """Whether its times count: delivered, and not only after people had looked."""
        return self.status == "delivered" and self.columns.get("http_status") != 202

    @property
    def deployment(self) -> str | None:
        """Who gave the delivered answer."""
        if self.delivered is None or self.delivered >= len(self.attempts):
            return None
        return self.attempts[self.delivered].deployment


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a set of requests came to. Times are of delivered requests that no person
    looked at first, in milliseconds."""

    requests: int
    ended: int
    cancelled: int
    known: int  # ended, not cancelled, and accepted or rejected by now
    accepted: Estimate  # share of the known
    cost_per_accepted_usd: Estimate  # of the known, and of the cancelled, who cost too
    spend_usd: float  # every attempt of every request
    total_ms_p50: Estimate
    total_ms_p95: Estimate
    first_byte_ms_p50: Estimate
    first_byte_ms_p95: Estimate
    held_ms_p50: Estimate


def figures(requests: Sequence[JudgedRequest], *, level: float = 0.95) -> Figures:
    """The figures of these requests.

    A request whose acceptance is not known yet is in neither side of the cost per accepted, so
    that a growing backlog of late outcomes does not look like rising cost. A cancelled request
    was paid for and gave nothing that could be accepted: its cost counts, its acceptance does not.
    """
    known = [request for request in requests if request.acceptance != "unknown"]
    cancelled = [request for request in requests if request.status == "cancelled"]
    delivered = [request for request in requests if request.timed]
    return Figures(
        requests=len(requests),
        ended=sum(request.status is not None for request in requests),
        cancelled=len(cancelled),
        known=len(known),
        accepted=accepted_share(known, level=level),
        cost_per_accepted_usd=_moments([*known, *cancelled]).estimate(level=level),
        spend_usd=usd(sum(request.columns["cost_usd_picos"] or 0 for request in requests)),
        total_ms_p50=_time(delivered, "total_ms", 0.5, level),
        total_ms_p95=_time(delivered, "total_ms", 0.95, level),
        first_byte_ms_p50=_time(delivered, "first_byte_ms", 0.5, level),
        first_byte_ms_p95=_time(delivered, "first_byte_ms", 0.95, level),
        held_ms_p50=_time(delivered, "held_ms", 0.5, level),
    )


def accepted_share(requests: Iterable[JudgedRequest], *, level: float = 0.95) -> Estimate:
    """Share accepted of those whose acceptance is known."""
    known = [request for request in requests if request.acceptance != "unknown"]
    accepted = sum(request.acceptance == "accepted" for request in known)
    return wilson(accepted, len(known), level=level)


def _moments(requests: Sequence[JudgedRequest]) -> RatioMoments:
    return RatioMoments.of(
        [usd(request.columns["cost_usd_picos"] or 0) for request in requests],
        [request.acceptance == "accepted" for request in requests],
    )


def _time(requests: Sequence[JudgedRequest], column: str, q: float, level: float) -> Estimate:
    seen = [request.columns[column] for request in requests]
    return quantile([value for value in seen if value is not None], q, level=level)
