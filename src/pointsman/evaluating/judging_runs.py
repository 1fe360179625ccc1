"""A kept run before its gate, with the run it is held against, where it names one."""

from collections.abc import Sequence

from msgspec.structs import replace

from pointsman.evals.comparing import Arm, compare_runs
from pointsman.evals.gate import Gate
from pointsman.evals.gating import GateVerdict, judge_gate
from pointsman.evals.pairing import overlap
from pointsman.evals.sample import Run, Sample
from pointsman.evaluating.baselines import baseline_of
from pointsman.evaluating.store import RunStore


def held(
    store: RunStore,
    run: Run,
    samples: Sequence[Sample],
    against: str | None,
    *,
    margin: float | None = None,
) -> GateVerdict | None:
    """What the run's gate says; None where it has none.

    Args: against is a run, or `baseline`, in place of the one that the gate names.
    Raises: NotFound, UsageError where that run is not there or not comparable.
    """
    gate = run.gate
    if against is not None:
        gate = replace(gate or Gate(), not_worse_than=against)
    if gate is not None and margin is not None:
        gate = replace(gate, margin=margin)
    if gate is None:
        return None
    arm = Arm(run=run, samples=tuple(samples))
    named = gate.not_worse_than
    if named is None:
        return judge_gate(gate, arm)
    other = store.read(baseline_of(store.root, run.suite) if named == "baseline" else named)
    cases = {case.id: case for case in store.cases(other.id)}
    comparison = compare_runs(
        Arm(run=other, samples=tuple(store.samples(other.id))),
        arm,
        margin=gate.margin,
        level=gate.level,
        cases=cases,
        shared=overlap(cases.values(), store.cases(run.id)),
    )
    return judge_gate(gate, arm, comparison)
