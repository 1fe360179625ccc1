"""A gate passes only what is shown: too little data and missing answers are no pass."""

import pytest
from tests.evals.two_runs import a_run, a_sample, an_arm, shared, two_models

from pointsman.evals.comparing import Arm, compare_runs
from pointsman.evals.gate import Gate
from pointsman.evals.gating import judge_gate


def checked(gate, arm, comparison=None):
    verdict = judge_gate(gate, arm, comparison)
    assert verdict.passed == all(check.passed for check in verdict.checks)
    return verdict.checks


def test_a_rate_is_held_by_the_lower_end_of_its_interval():
    (enough,) = checked(Gate(accepted_at_least=0.8), an_arm("A", [True] * 90 + [False] * 10))
    assert enough.passed
    (few,) = checked(Gate(accepted_at_least=0.8), an_arm("A", [True] * 9 + [False]))
    assert not few.passed
    assert few.more > 10
    (perfect,) = checked(Gate(accepted_at_least=0.8), an_arm("A", [True] * 5))
    assert not perfect.passed
    (below,) = checked(Gate(accepted_at_least=0.8), an_arm("A", [True, False] * 50))
    assert (below.passed, below.more) == (False, None)


def test_what_is_missing_is_not_accepted():
    arm = an_arm("A", [True] * 180 + [None] * 20)
    accepted, missing = sorted(
        checked(Gate(accepted_at_least=0.9, missing_at_most=0.05), arm), key=lambda one: one.bound
    )
    assert not accepted.passed
    assert "20 without a score" in accepted.says
    assert not missing.passed
    assert "20 of 200" in missing.says


def test_samples_that_were_never_asked_are_missing():
    arm = an_arm("A", [True] * 50)
    partial = Arm(run=a_run("A", cases=100), samples=arm.samples)
    (missing,) = checked(Gate(missing_at_most=0.1), partial)
    assert not missing.passed


def test_cost_is_held_by_the_upper_end():
    samples = [a_sample(at, at % 10 != 0, cost=10**9 + 10**7 * (at % 13)) for at in range(200)]
    arm = Arm(run=a_run("A", cases=200), samples=tuple(samples))
    (cheap,) = checked(Gate(cost_per_accepted_usd_at_most=0.002), arm)
    assert cheap.passed
    (dear,) = checked(Gate(cost_per_accepted_usd_at_most=0.0011), arm)
    assert not dear.passed
    (never,) = checked(Gate(cost_per_accepted_usd_at_most=1.0), an_arm("A", [False] * 20))
    assert not never.passed
    assert "unbounded" in never.says


@pytest.mark.parametrize(
    ("n", "rates", "margin", "passed"),
    [(600, (0.8, 0.8), 0.05, True), (600, (0.8, 0.6), 0.05, False), (30, (0.8, 0.8), 0.02, False)],
)
def test_not_worse_by_the_margin(n, rates, margin, passed):
    a, b = two_models(n, *rates, agreement=0.95)
    arm_a, arm_b = an_arm("A", a), an_arm("B", b)
    said = compare_runs(arm_a, arm_b, margin=margin, shared=shared(n))
    (check,) = checked(Gate(not_worse_than="baseline", margin=margin), arm_b, said)
    assert check.passed is passed
    if n == 30:
        assert check.more > 0
    with pytest.raises(ValueError, match="no comparison"):
        judge_gate(Gate(not_worse_than="baseline"), arm_b)


def test_a_gate_without_bounds_passes():
    assert judge_gate(Gate(), an_arm("A", [False])).passed
