"""A run's summary for people: text of lines, no more."""

from collections.abc import Iterator

from pointsman.cli.output import fitted
from pointsman.evals.gating import GateVerdict
from pointsman.evals.sample import Run
from pointsman.evals.summary import MeasureShown, Summary
from pointsman.stats.estimate import Estimate


def page(run: Run, said: Summary, verdict: GateVerdict | None) -> str:
    """The run, its measures, its money and time, and what its gate says."""
    lines = [
        f"{run.id} · {run.suite}@{run.suite_digest} · {run.subject.name} · {_state(run, said)}",
        _counts(run, said),
        "",
        _measures(said),
        "",
        *_resources(said),
    ]
    if said.slices:
        rows = [
            [f"{each.tag}={each.value}", str(each.cases), interval(each.estimate)]
            for each in said.slices[:12]
        ]
        lines += ["", fitted([f"where ({said.primary.name})", "cases", "share"], rows)]
    if verdict is not None:
        lines += ["", *_gate(verdict)]
    return "\n".join(lines)


def interval(found: Estimate, *, scale: float = 100.0, unit: str = " %", digits: int = 1) -> str:
    """`88.1 % [84.5, 91.0]`; a bound that is not known is `?`."""
    if found.value is None:
        return "not enough data"
    low, high = (
        "?" if each is None else f"{each * scale:.{digits}f}" for each in (found.low, found.high)
    )
    return f"{found.value * scale:.{digits}f}{unit} [{low}, {high}]"


def dollars(value: float | None) -> str:
    """As many digits as it takes."""
    return "?" if value is None else f"${value:.2f}" if value >= 1 else f"${value:.3g}"


def _state(run: Run, said: Summary) -> str:
    if run.sealed:
        return run.status
    return f"not finished: {said.samples} of {run.planned}"


def _counts(run: Run, said: Summary) -> str:
    parts = [f"{said.samples} samples of {run.cases} cases"]
    if run.epochs > 1:
        parts.append(f"{run.epochs} epochs, {said.unsteady} cases differ between them")
    reasons = ", ".join(f"{count} {kind}" for kind, count in said.reasons.items())
    parts.append(f"{said.missing} missing ({reasons})" if said.missing else "none missing")
    if said.cached:
        parts.append(f"{said.cached} from earlier runs")
    if said.retries:
        parts.append(f"{said.retries} requests asked again")
    return " · ".join(parts)


def _measures(said: Summary) -> str:
    rows = [_measure(each) for each in said.measures]
    return fitted(["measure", "share or mean", "of", "without a score"], rows, elastic=(3,))


def _measure(each: MeasureShown) -> list[str]:
    parts = []
    if each.unknown:
        bounds = (
            ""
            if each.worst is None or each.best is None
            else f": {100 * each.worst:.1f} to {100 * each.best:.1f} %, whatever they were"
        )
        parts.append(f"{each.unknown}{bounds}")
    if each.unjudged:
        parts.append(f"{each.unjudged} unjudged")
    if each.failed:
        parts.append(f"{each.failed} scorer failed")
    name = each.name if each.required or each.name == "accepted" else f"({each.name})"
    return [name, interval(each.estimate), str(each.cases), "; ".join(parts)]


def _resources(said: Summary) -> Iterator[str]:
    cost = said.cost_per_accepted_usd
    judges = f", judges {dollars(said.judges_cost_usd)}" if said.judges_cost_usd else ""
    shown = (
        "not enough accepted outputs"
        if cost.value is None
        else f"{dollars(cost.value)} [{dollars(cost.low)}, {dollars(cost.high)}]"
    )
    yield f"cost {dollars(said.cost_usd)}{judges} · per accepted output {shown}"
    p50, p95 = said.latency_ms_p50, said.latency_ms_p95
    if p50.value is not None and p95.value is not None:
        ours = f" · ours of it {said.overhead_us_p50:.0f} µs" if said.overhead_us_p50 else ""
        yield f"latency p50 {p50.value:.0f} ms, p95 {p95.value:.0f} ms{ours}"
    who = ", ".join(f"{name} {count}" for name, count in said.deployments.items())
    yield f"tokens {said.prompt_tokens} in, {said.completion_tokens} out · answered by {who}"


def _gate(verdict: GateVerdict) -> Iterator[str]:
    yield f"gate: {'passed' if verdict.passed else 'not passed'}"
    for check in verdict.checks:
        more = f"; {check.more} more cases could show it" if check.more else ""
        word = "ok" if check.passed else "no"
        yield f"  {word}  {check.bound} {check.wanted:g}: {check.says}{more}"
