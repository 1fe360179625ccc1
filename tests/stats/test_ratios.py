"""Cost per accepted output: values, edges and laws; coverage has its own file."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.stats.estimate import Estimate
from pointsman.stats.ratios import RatioMoments, cost_per_accepted

cases = st.lists(st.tuples(st.floats(1e-9, 1e3), st.booleans()), min_size=2, max_size=60)


def of(pairs: list[tuple[float, bool]]) -> RatioMoments:
    return RatioMoments.of([cost for cost, _ in pairs], [yes for _, yes in pairs])


def test_every_attempt_is_paid_for_by_what_was_accepted() -> None:
    estimate = cost_per_accepted([1.0, 2.0, 3.0, 2.0], [True, False, True, False])
    assert estimate.value == 4.0
    assert estimate.n == 4


def test_fiellers_interval_agrees_with_a_hand_computed_one() -> None:
    # Costs symmetric about their mean and half accepted at random: no skew, so plain Fieller:
    # mean 2, rate 1/2, variances of the means 0.8/19 and 0.25/19, no covariance, t(19) = 2.093024
    costs = [1.0, 2.0, 2.0, 2.0, 3.0] * 4
    accepted = [True] * 5 + [False] * 5 + [True] * 5 + [False] * 5
    factor = 2.093024054408263**2 / 19
    a, b, c = 0.25 - factor * 0.25, 1.0, 4.0 - factor * 0.4
    root = math.sqrt(b * b - a * c)
    estimate = cost_per_accepted(costs, accepted)
    assert estimate.value == 4.0
    assert estimate.low == pytest.approx((b - root) / a, rel=1e-2)
    assert estimate.high == pytest.approx((b + root) / a, rel=1e-2)


def test_nothing_accepted_gives_no_value_and_only_a_lower_bound() -> None:
    estimate = cost_per_accepted([1.0] * 40, [False] * 40)
    assert estimate.value is None
    assert estimate.high is None
    # Wilson's upper rate for 0 of 40 is 0.0876, so one accepted output costs at least 11.4
    assert estimate.low == pytest.approx(1.0 / 0.08762, rel=1e-3)


def test_too_few_accepted_leave_the_cost_unbounded_above() -> None:
    estimate = cost_per_accepted([1.0, 1.5, 0.5, 1.0] * 5, [True] + [False] * 19)
    assert estimate.value == 20.0
    assert estimate.high is None
    assert estimate.low is not None
    assert 0 < estimate.low < 20.0


def test_a_sample_without_rejections_still_doubts_its_rate() -> None:
    estimate = cost_per_accepted([1.0] * 20, [True] * 20)
    assert estimate.value == 1.0
    assert estimate.low == 1.0
    assert estimate.high == pytest.approx(1.0 / 0.83887, rel=1e-3)  # Wilson's lower for 20 of 20


@pytest.mark.parametrize("accepted", [[], [True], [False]])
def test_under_two_cases_nothing_is_bounded(accepted: list[bool]) -> None:
    estimate = cost_per_accepted([1.0] * len(accepted), accepted)
    assert (estimate.low, estimate.high) == (0.0, None)


def test_answers_that_cost_nothing_cost_nothing_per_accepted() -> None:
    estimate = cost_per_accepted([0.0] * 30, [True] * 15 + [False] * 15)
    assert estimate == Estimate(value=0.0, low=0.0, high=0.0, n=30)


@pytest.mark.parametrize("cost", [-1.0, float("nan"), float("inf")])
def test_an_impossible_cost_is_refused(cost: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        cost_per_accepted([cost], [True])


def test_costs_and_outcomes_of_unlike_number_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in number"):
        cost_per_accepted([1.0], [])


@given(cases)
def test_the_interval_holds_the_value(pairs: list[tuple[float, bool]]) -> None:
    estimate = of(pairs).estimate()
    assert estimate.low is not None
    if estimate.value is None:
        assert estimate.high is None
    else:
        assert 0.0 <= estimate.low <= estimate.value
        assert estimate.high is None or estimate.value <= estimate.high


@given(cases, st.floats(1e-6, 1e6))
def test_the_unit_of_cost_does_not_matter(pairs: list[tuple[float, bool]], unit: float) -> None:
    plain, scaled = of(pairs).estimate(), of([(c * unit, yes) for c, yes in pairs]).estimate()
    assert (plain.value is None) == (scaled.value is None)
    assert plain.low is not None
    assert scaled.low == pytest.approx(plain.low * unit, rel=1e-4, abs=1e-6 * unit)


@given(cases)
def test_a_higher_level_never_gives_a_narrower_interval(pairs: list[tuple[float, bool]]) -> None:
    moments = of(pairs)
    narrow, wide = moments.estimate(level=0.8), moments.estimate(level=0.99)
    assert narrow.low is not None
    assert wide.low is not None
    assert wide.low <= narrow.low * (1 + 1e-9)
    if wide.high is not None:
        assert narrow.high is not None
        assert wide.high >= narrow.high * (1 - 1e-9)


@given(cases, cases)
def test_moments_of_two_sets_add_to_those_of_both(
    first: list[tuple[float, bool]], second: list[tuple[float, bool]]
) -> None:
    added, whole = of(first) + of(second), of(first + second)
    assert added.n == whole.n
    assert added.accepted == whole.accepted
    assert added.cost == pytest.approx(whole.cost, rel=1e-12)
    assert added.estimate().low == pytest.approx(whole.estimate().low, rel=1e-5, abs=1e-9)
