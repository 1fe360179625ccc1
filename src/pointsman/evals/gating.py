"""Whether a run passes its gate: every bound that is set, held against an interval."""

import math

import msgspec

from pointsman.evals.comparing import Arm, RunComparison
from pointsman.evals.gate import Gate
from pointsman.evals.measured import share
from pointsman.evals.pairing import scores_by_case
from pointsman.evals.resources import per_accepted
from pointsman.stats.estimate import Estimate
from pointsman.stats.quantiles import normal_quantile


class GateCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One bound: what was wanted, what was found, and why it is not shown."""

    bound: str  # the key of the gate
    wanted: float
    passed: bool
    found: Estimate | None = None
    says: str = ""  # for people
    more: int | None = None  # cases that would show it, were what was found so far the truth


class GateVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """`passed` only where every bound is shown to hold: too little data is no pass."""

    passed: bool
    checks: tuple[GateCheck, ...]


def judge_gate(gate: Gate, arm: Arm, comparison: RunComparison | None = None) -> GateVerdict:
    """Hold a run against its gate. Args: comparison is with the run that `not_worse_than` names.

    A sample without a score counts as not accepted here, so that what is missing passes no gate.
    Raises: ValueError where the gate names a run and there is no comparison.
    """
    checks = []
    if gate.missing_at_most is not None:
        checks.append(_missing(gate.missing_at_most, arm))
    if gate.accepted_at_least is not None:
        checks.append(_accepted(gate.accepted_at_least, arm, gate.level))
    if gate.cost_per_accepted_usd_at_most is not None:
        checks.append(_cost(gate.cost_per_accepted_usd_at_most, arm, gate.level))
    if gate.not_worse_than is not None:
        if comparison is None:
            raise ValueError("the gate names a run to compare with, and no comparison was made")
        checks.append(not_worse(comparison))
    return GateVerdict(passed=all(check.passed for check in checks), checks=tuple(checks))


def not_worse(comparison: RunComparison) -> GateCheck:
    """Whether b is shown not to be worse than a by the margin, whatever is missing."""
    primary = comparison.primary
    found = primary.bounds or primary.difference
    low = "unknown" if found.low is None else f"{100 * found.low:+.1f} points"
    says = f"{primary.measure} against {comparison.a}: no lower than {low}"
    passed = comparison.not_worse
    if not passed:
        says += f", and {-100 * comparison.margin:+.1f} is the margin"
        if primary.lacking and primary.verdict != "worse":
            says += f" ({primary.lacking})"
    return GateCheck(
        bound="not_worse_than",
        wanted=-comparison.margin,
        passed=passed,
        found=found,
        says=says,
        more=None if passed or primary.verdict == "worse" else primary.more_for_same,
    )


def _missing(most: float, arm: Arm) -> GateCheck:
    n = len(arm.samples)
    missing = sum(1 for sample in arm.samples if sample.status == "missing")
    unasked = max(0, arm.run.planned - n)
    rate = (missing + unasked) / max(1, n + unasked)
    return GateCheck(
        bound="missing_at_most",
        wanted=most,
        passed=rate <= most,
        says=f"{missing + unasked} of {n + unasked} samples have no answer ({rate:.1%})",
    )


def _accepted(least: float, arm: Arm, level: float) -> GateCheck:
    measure = arm.run.primary
    scores = scores_by_case(arm.judged(measure), arm.outcome(measure))
    values = [each.filled(0.0) for each in scores.values()]
    found = share(values, [each.group for each in scores.values()], level=level)
    passed = found.low is not None and found.low >= least
    unknown = sum(each.unknown for each in scores.values())
    says = f"{measure} is {_percent(found.value)} [{_percent(found.low)}, {_percent(found.high)}]"
    if not passed:
        says += f", and {_percent(least)} at least is wanted of its lower end"
    if unknown:
        says += f", {unknown} without a score counted as failed"
    return GateCheck(
        bound="accepted_at_least",
        wanted=least,
        passed=passed,
        found=found,
        says=says,
        more=None if passed else _more_for_floor(found, least),
    )


def _more_for_floor(found: Estimate, least: float) -> int | None:
    """Cases by which the rate that was found would be clear of the floor; None where it is not."""
    if found.value is None or found.value <= least:
        return None
    z = normal_quantile(0.5 + found.level / 2)
    varies = max(found.value * (1 - found.value), least * (1 - least))
    needed = math.ceil(z * z * varies / (found.value - least) ** 2)
    return max(1, needed - found.n)


def _cost(most: float, arm: Arm, level: float) -> GateCheck:
    found = per_accepted(arm.samples, arm.run.required, only=None, level=level)
    high = "unbounded" if found.high is None else f"{found.high:.6g}"
    value = "unknown" if found.value is None else f"{found.value:.6g}"
    return GateCheck(
        bound="cost_per_accepted_usd_at_most",
        wanted=most,
        passed=found.high is not None and found.high <= most,
        found=found,
        says=f"an accepted output costs {value} USD, at most {high}; {most:.6g} is allowed",
    )


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.1f} %"
