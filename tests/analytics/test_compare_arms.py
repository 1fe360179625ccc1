"""Arms on the same cases: pairing, figures and differences to the baseline."""

import pytest
from analytics_arms import case, three_arms

from pointsman.analytics.compare import Comparison, compare_arms
from pointsman.domain.errors import UsageError


def of(comparison: Comparison, arm: str):  # type: ignore[no-untyped-def]
    return next(result for result in comparison.arms if result.arm == arm)


def test_the_baseline_has_figures_and_no_differences() -> None:
    large = of(compare_arms(three_arms(), "large"), "large")
    assert large.accepted.n == 412
    assert large.accepted_difference is None
    assert large.cost_per_accepted_ratio is None


def test_each_arm_is_compared_with_the_baseline_on_the_same_cases() -> None:
    comparison = compare_arms(three_arms(), "large")
    cascade, large = of(comparison, "cascade"), of(comparison, "large")
    assert cascade.accepted_difference.value == pytest.approx(
        cascade.accepted.value - large.accepted.value
    )
    assert cascade.cost_per_accepted_ratio.value == pytest.approx(
        cascade.cost_per_accepted_usd.value / large.cost_per_accepted_usd.value
    )
    assert cascade.cost_per_accepted_difference_usd.high < 0
    assert cascade.escalated.value == pytest.approx(0.3, abs=0.06)


def test_pairing_makes_the_difference_sharper_than_either_rate() -> None:
    small = of(compare_arms(three_arms(), "large"), "small")
    paired = small.accepted_difference.high - small.accepted_difference.low
    alone = small.accepted.high - small.accepted.low
    assert paired < 1.1 * alone


def test_only_cases_that_every_arm_has_are_compared() -> None:
    arms = three_arms(10)
    arms["small"] = arms["small"][2:]
    comparison = compare_arms(arms, "large")
    assert (comparison.cases, comparison.left_out) == (8, 2)
    assert {result.accepted.n for result in comparison.arms} == {8}


def test_arms_without_a_common_case_compare_to_nothing() -> None:
    arms = {"a": [case(1, cost=1, accepted=True)], "b": [case(2, cost=1, accepted=True)]}
    comparison = compare_arms(arms, "a")
    assert (comparison.cases, comparison.left_out) == (0, 2)
    assert of(comparison, "b").accepted_difference.value is None
    assert of(comparison, "b").cost_per_accepted_ratio.value is None


def test_an_unknown_baseline_and_a_case_told_twice_are_refused() -> None:
    with pytest.raises(UsageError, match="'best' is not an arm"):
        compare_arms(three_arms(3), "best")
    twice = [case(1, cost=1, accepted=True)] * 2
    with pytest.raises(UsageError, match="arm 'a' has a case twice"):
        compare_arms({"a": twice}, "a")
