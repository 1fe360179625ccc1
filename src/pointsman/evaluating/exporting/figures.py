"""The numbers of a run in words, as pages tell them: each with its interval."""

from typing import NamedTuple

from pointsman.domain.money import usd
from pointsman.evals.comparing import Arm, RunComparison
from pointsman.evals.measured import share
from pointsman.evals.pairing import scores_by_case
from pointsman.evals.resources import per_accepted
from pointsman.evaluating.exporting.bundle import Bundle
from pointsman.stats.estimate import Estimate
from pointsman.stats.order import quantile


class Figure(NamedTuple):
    """A number by its name: `says` has the interval, `remark` what it does not hold."""

    name: str
    says: str
    remark: str = ""


def figures(bundle: Bundle) -> list[Figure]:
    """How much was accepted, what is missing, what it cost, how long it took."""
    run, samples = bundle.run, bundle.samples
    missing = sum(sample.status == "missing" for sample in samples)
    unasked = max(0, run.planned - len(samples))
    times = [each.latency_ms for each in samples if each.status == "answered" and not each.cached]
    cached = sum(sample.cached for sample in samples)
    cost = per_accepted(samples, run.required)
    said = [
        Figure("cases", f"{run.cases}", f"{run.epochs} times each" if run.epochs > 1 else ""),
        Figure(
            "missing answers",
            f"{missing} of {len(samples)}",
            f"{unasked} were never asked" if unasked else "",
        ),
        Figure(
            "cost per accepted output",
            dollars(cost),
            "" if cost.high is not None else "too few accepted to bound it",
        ),
        Figure("cost", f"${usd(sum(each.total_cost_usd_picos for each in samples)):.4g}"),
        Figure(
            "latency",
            f"{_quantile(times, 0.5)} ms, p95 {_quantile(times, 0.95)} ms",
            f"{cached} answers of earlier runs left out" if cached else "",
        ),
    ]
    return said


class Measure(NamedTuple):
    """What one scorer, or all required ones together, say of the run."""

    name: str
    required: bool
    estimate: Estimate
    unknown: int


def measures(bundle: Bundle) -> list[Measure]:
    """`accepted` first, then each scorer."""
    arm = Arm(run=bundle.run, samples=bundle.samples)
    names = [*(["accepted"] if bundle.run.required else []), *bundle.scorers]
    made = []
    for name in names:
        cases = scores_by_case(arm.judged(name), arm.outcome(name))
        known = [each for each in cases.values() if each.mean is not None]
        values = [each.mean for each in known if each.mean is not None]
        estimate = share(values, [each.group for each in known], level=0.95)
        unknown = sum(each.unknown for each in cases.values())
        made.append(Measure(name, name in bundle.run.required, estimate, unknown))
    return made


def compared(comparison: RunComparison) -> list[Figure]:
    """A comparison as a few lines."""
    primary = comparison.primary
    verdict = {"same": f"the same within {100 * comparison.margin:g} points"}
    said = [
        Figure(
            f"{primary.measure} against {comparison.a}",
            verdict.get(primary.verdict, primary.verdict),
            primary.lacking or "",
        ),
        Figure("difference", points(primary.difference), f"p {primary.p_value:.2g}"
               if primary.p_value is not None else ""),
        Figure("cases that changed", f"{primary.lost} lost, {primary.gained} gained"),
        Figure("cost per accepted, new over old", times_of(
            comparison.resources.cost_per_accepted_ratio)),
        Figure("latency, new over old", times_of(comparison.resources.latency_ratio)),
    ]  # fmt: skip
    if primary.bounds is not None:
        said.insert(2, Figure("whatever is missing", points(primary.bounds)))
    if primary.more is not None:
        more = (
            f"{primary.more} more to show a difference of the margin, {primary.more_for_same} none"
        )
        said.insert(1, Figure("cases needed", more))
    return said


def percent(estimate: Estimate) -> str:
    """A share, or a mean that is none, with its interval."""
    if estimate.value is None:
        return "not known"
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:.1f} % (too few for an interval)"
    if not 0 <= estimate.value <= 1:  # a score that is no share
        return f"{estimate.value:.4g} [{estimate.low:.4g}, {estimate.high:.4g}]"
    low, high = 100 * estimate.low, 100 * estimate.high
    return f"{100 * estimate.value:.1f} % [{low:.1f}, {high:.1f}]"


def points(estimate: Estimate) -> str:
    """A difference of shares."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "not known"
    low, high = 100 * estimate.low, 100 * estimate.high
    return f"{100 * estimate.value:+.1f} points [{low:+.1f}, {high:+.1f}]"


def times_of(estimate: Estimate) -> str:
    """A ratio."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "not known"
    return f"{estimate.value:.3g} times [{estimate.low:.3g}, {estimate.high:.3g}]"


def dollars(estimate: Estimate) -> str:
    """A price, whose upper end may be open."""
    if estimate.value is None:
        return "nothing accepted"
    high = "open" if estimate.high is None else f"{estimate.high:.4g}"
    low = 0.0 if estimate.low is None else estimate.low
    return f"${estimate.value:.4g} [{low:.4g}, {high}]"


def _quantile(times: list[float], q: float) -> str:
    value = quantile(times, q).value
    return "-" if value is None else f"{value:.4g}"
