"""What one run showed, from its samples: each number with its doubt, what is missing bounded."""

import math
from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from pointsman.domain.money import PICOS_PER_USD
from pointsman.evals.comparing import Arm
from pointsman.evals.measured import share
from pointsman.evals.pairing import CaseScores, scores_by_case
from pointsman.evals.resources import per_accepted
from pointsman.evals.sample import Run, Sample
from pointsman.stats.estimate import Estimate
from pointsman.stats.order import quantile

MAX_SLICES = 40  # values of tags that are told
FEWEST_OF_SLICE = 5  # cases


class MeasureShown(msgspec.Struct, frozen=True, kw_only=True):
    """One measure over the cases that have it.

    `worst` and `best` are the shares were every unknown sample a failure, or a success; None where
    the measure is not a share or nothing is unknown.
    """

    name: str
    estimate: Estimate
    cases: int
    unknown: int = 0  # samples without a score: missing, unjudged or failed
    unjudged: int = 0
    failed: int = 0
    worst: float | None = None
    best: float | None = None
    required: bool = False


class SliceShown(msgspec.Struct, frozen=True, kw_only=True):
    """The primary measure where a tag has a value."""

    tag: str
    value: str
    cases: int
    estimate: Estimate


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A run in numbers."""

    samples: int
    planned: int
    missing: int
    reasons: dict[str, int]  # of what is missing, by kind of failure
    cached: int
    retries: int
    primary: MeasureShown
    measures: tuple[MeasureShown, ...]  # `accepted`, then each scorer
    cost_usd: float
    judges_cost_usd: float
    cost_per_accepted_usd: Estimate
    latency_ms_p50: Estimate
    latency_ms_p95: Estimate
    overhead_us_p50: float | None
    prompt_tokens: int
    completion_tokens: int
    deployments: dict[str, int]  # answers, by who gave them
    unsteady: int | None  # cases whose epochs differ; None: asked once
    slices: tuple[SliceShown, ...]


def summarise(run: Run, samples: Sequence[Sample], *, level: float | None = None) -> Summary:
    """Everything about a run that its samples say."""
    level = level or (run.gate.level if run.gate is not None else 0.95)
    arm = Arm(run=run, samples=tuple(samples))
    names = [*(["accepted"] if run.required else []), *(scorer.name for scorer in run.scorers)]
    measures = tuple(_measure(arm, name, level) for name in names)
    primary = next((each for each in measures if each.name == run.primary), None)
    primary = primary or _measure(arm, run.primary, level)
    fresh = [each for each in samples if each.status == "answered" and not each.cached]
    times = [each.latency_ms for each in fresh]
    overheads = sorted(each.overhead_us for each in fresh if each.overhead_us is not None)
    missing = [each for each in samples if each.status == "missing"]
    usages = [each.usage for each in samples if each.usage is not None]
    return Summary(
        samples=len(samples),
        planned=run.planned,
        missing=len(missing),
        reasons=dict(Counter(_kind(each) for each in missing).most_common()),
        cached=sum(each.cached for each in samples),
        retries=sum(each.retries for each in samples),
        primary=primary,
        measures=measures,
        cost_usd=math.fsum(each.cost_usd_picos for each in samples) / PICOS_PER_USD,
        judges_cost_usd=math.fsum(
            each.total_cost_usd_picos - each.cost_usd_picos for each in samples
        ) / PICOS_PER_USD,
        cost_per_accepted_usd=per_accepted(samples, run.required, level=level),
        latency_ms_p50=quantile(times, 0.5, level=level),
        latency_ms_p95=quantile(times, 0.95, level=level),
        overhead_us_p50=overheads[len(overheads) // 2] if overheads else None,
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        deployments=dict(
            Counter(each.deployments[-1] for each in samples if each.deployments).most_common()
        ),
        unsteady=_unsteady(arm) if run.epochs > 1 else None,
        slices=_slices(arm, level),
    )  # fmt: skip


def _measure(arm: Arm, name: str, level: float) -> MeasureShown:
    judged = arm.judged(name)
    cases = scores_by_case(judged, arm.outcome(name))
    known = [each for each in cases.values() if each.mean is not None]
    scores = [score for sample in judged for score in sample.scores if score.name == name]
    unknown = sum(each.unknown for each in cases.values())
    is_share = all(0 <= value <= 1 for each in known for value in each.known)
    return MeasureShown(
        name=name,
        estimate=_within(_share(known, level)) if is_share else _share(known, level),
        cases=len(cases),
        unknown=unknown,
        unjudged=sum(score.status == "unjudged" for score in scores),
        failed=sum(score.status == "failed" for score in scores),
        worst=_filled(cases.values(), 0.0) if unknown and is_share else None,
        best=_filled(cases.values(), 1.0) if unknown and is_share else None,
        required=name in arm.run.required,
    )


def _share(known: Sequence[CaseScores], level: float) -> Estimate:
    values = [each.mean for each in known if each.mean is not None]
    return share(values, [each.group for each in known], level=level)


def _within(found: Estimate) -> Estimate:
    """An interval for a mean of values in [0, 1] says nothing beyond that."""
    low = None if found.low is None else max(0.0, found.low)
    high = None if found.high is None else min(1.0, found.high)
    return msgspec.structs.replace(found, low=low, high=high)


def _filled(cases: Collection[CaseScores], value: float) -> float | None:
    filled = [each.filled(value) for each in cases]
    return math.fsum(filled) / len(filled) if filled else None


def _kind(sample: Sample) -> str:
    return sample.failure.kind if sample.failure is not None else sample.reason or "unknown"


def _unsteady(arm: Arm) -> int:
    """Cases of which some epochs pass and others do not."""
    cases = scores_by_case(arm.judged(arm.run.primary), arm.outcome(arm.run.primary))
    return sum(len(set(each.known)) > 1 for each in cases.values())


def _slices(arm: Arm, level: float) -> tuple[SliceShown, ...]:
    """By each value of each tag that enough cases have, the largest first."""
    measure = arm.run.primary
    cases = scores_by_case(arm.judged(measure), arm.outcome(measure))
    grouped: dict[tuple[str, str], list[CaseScores]] = {}
    for each in cases.values():
        if each.mean is not None:
            for tag in each.tags.items():
                grouped.setdefault(tag, []).append(each)
    found = [
        SliceShown(tag=tag, value=value, cases=len(its), estimate=_share(its, level))
        for (tag, value), its in grouped.items()
        if FEWEST_OF_SLICE <= len(its) < len(cases)
    ]
    return tuple(sorted(found, key=lambda each: (-each.cases, each.tag, each.value))[:MAX_SLICES])
