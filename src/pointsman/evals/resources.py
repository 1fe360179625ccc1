"""What two runs took for the same cases: cost per accepted output, and time."""

import math
from collections.abc import Sequence

import msgspec

from pointsman.domain.money import PICOS_PER_USD
from pointsman.evals.sample import Sample
from pointsman.stats.delta import paired_ratio_of_arms
from pointsman.stats.estimate import Estimate
from pointsman.stats.means import paired_mean
from pointsman.stats.order import quantile
from pointsman.stats.ratios import clustered_cost_per_accepted


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """Money and time of a, of b, and of b over a, the cases being the same.

    Cost per accepted counts every sample: what failed or is missing was paid for too, and what is
    not known to be accepted counts as not. Latency is of what was answered and not from the cache.
    """

    cost_usd: tuple[float, float]
    cost_per_accepted_usd: tuple[Estimate, Estimate]
    cost_per_accepted_ratio: Estimate
    latency_ms_p50: tuple[Estimate, Estimate]
    latency_ms_p95: tuple[Estimate, Estimate]
    latency_ratio: Estimate  # of geometric means, paired


def compare_resources(
    a: Sequence[Sample],
    b: Sequence[Sample],
    required_a: tuple[str, ...],
    required_b: tuple[str, ...],
    *,
    only: frozenset[str],
    level: float,
) -> Resources:
    """Over the cases in `only`; they are independent, or of the cluster that they name."""
    spent_a, spent_b = _spent(a, required_a, only), _spent(b, required_b, only)
    times_a, times_b = _times(a, only), _times(b, only)
    ids = sorted(spent_a.keys() & spent_b.keys())
    groups = {sample.case: sample.cluster or sample.case for sample in a}
    ratio = paired_ratio_of_arms(
        [spent_a[case][0] for case in ids],
        [spent_a[case][1] for case in ids],
        [spent_b[case][0] for case in ids],
        [spent_b[case][1] for case in ids],
        clusters=[groups[case] for case in ids],
        level=level,
    )
    return Resources(
        cost_usd=(_total(a, only), _total(b, only)),
        cost_per_accepted_usd=(
            per_accepted(a, required_a, only=only, level=level),
            per_accepted(b, required_b, only=only, level=level),
        ),
        cost_per_accepted_ratio=ratio,
        latency_ms_p50=(_quantile(times_a, 0.5, level), _quantile(times_b, 0.5, level)),
        latency_ms_p95=(_quantile(times_a, 0.95, level), _quantile(times_b, 0.95, level)),
        latency_ratio=_latency_ratio(times_a, times_b, groups, level),
    )


def _spent(
    samples: Sequence[Sample], required: tuple[str, ...], only: frozenset[str]
) -> dict[str, tuple[float, float]]:
    """Dollars and accepted outputs of each case, its epochs averaged."""
    rows: dict[str, list[tuple[float, bool]]] = {}
    for sample in samples:
        if sample.case in only:
            accepted = sample.accepted(required) is True
            rows.setdefault(sample.case, []).append((_usd(sample), accepted))
    return {
        case: (math.fsum(cost for cost, _ in its) / len(its), sum(yes for _, yes in its) / len(its))
        for case, its in rows.items()
    }


def _total(samples: Sequence[Sample], only: frozenset[str]) -> float:
    return math.fsum(_usd(sample) for sample in samples if sample.case in only)


def _usd(sample: Sample) -> float:
    return sample.total_cost_usd_picos / PICOS_PER_USD


def per_accepted(
    samples: Sequence[Sample],
    required: tuple[str, ...],
    *,
    only: frozenset[str] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Dollars an accepted output, over all samples, the answers' and their judges' cost.

    Args: only these cases; None: all.
    """
    its = [sample for sample in samples if only is None or sample.case in only]
    return clustered_cost_per_accepted(
        [_usd(sample) for sample in its],
        [sample.accepted(required) is True for sample in its],
        [sample.cluster or sample.case for sample in its],
        level=level,
    )


def _times(samples: Sequence[Sample], only: frozenset[str]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    for sample in samples:
        measured = sample.status == "answered" and not sample.cached and sample.latency_ms > 0
        if measured and sample.case in only:
            times.setdefault(sample.case, []).append(sample.latency_ms)
    return times


def _quantile(times: dict[str, list[float]], q: float, level: float) -> Estimate:
    return quantile([each for its in times.values() for each in its], q, level=level)


def _latency_ratio(
    a: dict[str, list[float]], b: dict[str, list[float]], groups: dict[str, str], level: float
) -> Estimate:
    ids = sorted(a.keys() & b.keys())
    logs = [
        [math.fsum(map(math.log, its[case])) / len(its[case]) for case in ids] for its in (a, b)
    ]
    said = paired_mean(*logs, clusters=[groups[case] for case in ids], level=level)
    return Estimate(
        value=_exp(said.value), low=_exp(said.low), high=_exp(said.high), n=said.n, level=level
    )


def _mean_log(values: list[float]) -> float:
    return math.fsum(map(math.log, values)) / len(values)


def _exp(value: float | None) -> float | None:
    return None if value is None else math.exp(min(value, 700.0))
