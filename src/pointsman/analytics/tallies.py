"""What a set of requests comes to as sums, which two sets share by adding; and figures of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pointsman.analytics.figures import Figures
from pointsman.analytics.steps import FailureCount, SingleFigures, StepFigures
from pointsman.domain.money import usd
from pointsman.stats.estimate import Estimate
from pointsman.stats.order import quantile_of_counts
from pointsman.stats.proportions import wilson
from pointsman.stats.ratios import RatioMoments


@dataclass(slots=True)
class StepTally:
    """Sums of one step of a route on one deployment."""

    reached: int = 0
    failed: int = 0
    passed: int = 0
    escalated: int = 0
    gated: int = 0
    gave: int = 0
    gave_accepted: int = 0
    gave_rejected: int = 0
    tokens: int = 0
    picos: int = 0

    def add(self, other: "StepTally") -> None:
        for name in StepTally.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Costs:
    """What the money went to, in pico-dollars, of the requests in the cost per accepted output."""

    accepted: int = 0  # attempts whose answer was delivered and accepted
    unaccepted: int = 0  # attempts whose answer was delivered and was not
    steps: int = 0  # attempts that answered, and whose answer did not go out
    retries: int = 0  # attempts that failed or were broken off
    verification: int = 0  # judging answers, beside what the requests cost
    looks: int = 0  # how often people reviewed or labelled one

    def add(self, other: "Costs") -> None:
        for name in Costs.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Tally:
    """Sums of requests of one task on one route, or of several."""

    requests: int = 0
    ended: int = 0
    cancelled: int = 0
    accepted: int = 0
    rejected: int = 0
    picos: int = 0
    moments: RatioMoments = field(default_factory=RatioMoments)
    times: dict[str, Counter[float]] = field(default_factory=dict)
    steps: dict[tuple[int, str], StepTally] = field(default_factory=dict)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    costs: Costs = field(default_factory=Costs)

    def add(self, other: "Tally") -> None:
        """Take another set in."""
        for name in ("requests", "ended", "cancelled", "accepted", "rejected", "picos"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.moments = self.moments + other.moments
        for metric, counts in other.times.items():
            self.times.setdefault(metric, Counter()).update(counts)
        for key, step in other.steps.items():
            self.steps.setdefault(key, StepTally()).add(step)
        self.failures.update(other.failures)
        self.costs.add(other.costs)

    def figures(self, *, level: float) -> Figures:
        """The figures of these requests; times may come from buckets."""
        known = self.accepted + self.rejected
        return Figures(
            requests=self.requests,
            ended=self.ended,
            cancelled=self.cancelled,
            known=known,
            accepted=wilson(self.accepted, known, level=level),
            cost_per_accepted_usd=self.moments.estimate(level=level),
            spend_usd=usd(self.picos),
            total_ms_p50=self._time("total_ms", 0.5, level),
            total_ms_p95=self._time("total_ms", 0.95, level),
            first_byte_ms_p50=self._time("first_byte_ms", 0.5, level),
            first_byte_ms_p95=self._time("first_byte_ms", 0.95, level),
            held_ms_p50=self._time("held_ms", 0.5, level),
        )

    def step_figures(self, *, level: float) -> tuple[StepFigures, ...]:
        """One entry per step and deployment that was tried, in the order of the plan."""
        return tuple(
            StepFigures(
                step=step,
                deployment=deployment,
                reached=each.reached,
                failed=each.failed,
                delivered=wilson(each.gave, self.ended, level=level),
                accepted=wilson(
                    each.gave_accepted, each.gave_accepted + each.gave_rejected, level=level
                ),
                passed=wilson(each.passed, each.passed + each.escalated, level=level),
                escalated=wilson(each.escalated, each.reached, level=level),
            )
            for (step, deployment), each in sorted(self.steps.items())
        )

    def _time(self, metric: str, q: float, level: float) -> Estimate:
        return quantile_of_counts(self.times.get(metric, {}), q, level=level)


def singles_of(routes: Mapping[str, Tally], *, level: float) -> tuple[SingleFigures, ...]:
    """Figures of deployments that answered alone on a route of the task, without a gate."""
    alone: dict[str, Tally] = {}
    for tally in routes.values():
        names = {deployment for _, deployment in tally.steps}
        if len(names) == 1 and not any(step.gated for step in tally.steps.values()):
            alone.setdefault(names.pop(), Tally()).add(tally)
    return tuple(
        SingleFigures(deployment=name, figures=alone[name].figures(level=level))
        for name in sorted(alone)
    )


def failures_of(tally: Tally) -> tuple[FailureCount, ...]:
    """Failed attempts by deployment and kind, most frequent first."""
    ordered = sorted(tally.failures.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        FailureCount(deployment=deployment, kind=kind, attempts=count)
        for (deployment, kind), count in ordered
    )


def unpriced_of(tally: Tally) -> tuple[str, ...]:
    """Deployments that used tokens and never cost anything."""
    tokens: Counter[str] = Counter()
    picos: Counter[str] = Counter()
    for (_, deployment), step in tally.steps.items():
        tokens[deployment] += step.tokens
        picos[deployment] += step.picos
    return tuple(sorted(name for name, used in tokens.items() if used and not picos[name]))


def moments_of(accepted: bool, rows: Mapping[str, Any]) -> RatioMoments:
    """The moments of a row of sums: so many requests with these powers of their cost."""
    cost, square, cube = usd(rows["picos"]), rows["usd_2"], rows["usd_3"]
    return RatioMoments(
        n=rows["n"],
        accepted=rows["n"] if accepted else 0,
        cost=cost,
        cost_2=square,
        cost_3=cube,
        accepted_cost=cost if accepted else 0.0,
        accepted_cost_2=square if accepted else 0.0,
    )
