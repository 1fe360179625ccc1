"""Route or cascade: the laws of the plan, and the cases one can do by hand."""

from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.routing.optimising import GateQuality, Objective, Option, optimise, weigh

PERFECT = GateQuality(1.0, 0.0)
shares = st.floats(0.0, 1.0)


@st.composite
def options(draw):
    gates = st.none() | st.builds(
        GateQuality, passes_right=shares, passes_wrong=shares,
        cost_usd_picos=st.integers(0, 5), wait_ms=st.floats(0, 50),
    )  # fmt: skip
    count = draw(st.integers(1, 5))
    return [
        Option(f"arm{i}", draw(shares), draw(st.integers(1, 1000)), draw(st.floats(0, 100)),
               draw(gates))
        for i in range(count)
    ]  # fmt: skip


def test_a_cascade_pays_the_small_call_always_so_it_loses_at_a_small_price_ratio():
    small = Option("small", 0.5, 200, gate=PERFECT)
    large = Option("large", 0.9, 1000)
    dear = Option("large", 0.9, 170 * 200)
    close = optimise([small, large], Objective(value_usd_picos=2500), correlation=1.0)
    far = optimise([small, dear], Objective(value_usd_picos=10**6), correlation=0.4)
    assert close is not None
    assert far is not None
    # 200 + .5 * 1000 = 700 < 1000, with what the large one can still do of the rejected half
    assert close.best.arms == ("small", "large")
    assert far.best.arms == ("small", "large")
    blind = Option("small", 0.5, 200, gate=GateQuality(0.5, 0.5))
    found = optimise([blind, large], Objective(floor=0.9))
    assert found is not None
    assert found.best.arms == ("large",)  # a gate that looks at nothing is worth nothing


def test_independent_arms_behind_a_perfect_gate_by_hand():
    plan = weigh([Option("a", 0.6, 10, 5.0, PERFECT), Option("b", 0.8, 100, 20.0)], correlation=0.0)
    assert plan.accepted == pytest.approx(0.6 + 0.4 * 0.8)
    assert plan.cost_usd_picos == pytest.approx(10 + 0.4 * 100)
    assert plan.wait_ms == pytest.approx(5 + 0.4 * 20)
    assert plan.reach == pytest.approx((1.0, 0.4))
    assert plan.most_usd_picos == 110


def test_what_a_rejected_try_says_of_the_next_lowers_it():
    pair = [Option("a", 0.6, 10, gate=PERFECT), Option("b", 0.8, 100)]
    free, bound = (weigh(pair, correlation=r).accepted for r in (0.0, 0.5))
    assert bound < free


def test_where_no_plan_reaches_the_floor_the_most_accepted_is_taken_and_said_to_fall_short():
    found = optimise([Option("a", 0.4, 1), Option("b", 0.6, 9)], Objective(floor=0.95))
    assert found is not None
    assert not found.met
    assert found.best.arms == ("b",)


def test_no_option_gives_no_plan():
    assert optimise([], Objective()) is None
    assert optimise([Option("a", 0.4, 10)], Objective(most_usd_picos=9)) is None


@given(options(), shares, st.integers(1, 2000), st.floats(0, 1))
def test_a_plan_never_breaks_the_bound_on_what_it_can_cost(arms, floor, most, correlation):
    objective = Objective(floor=floor, most_usd_picos=most)
    found = optimise(arms, objective, correlation=correlation)
    assert found is None or all(plan.most_usd_picos <= most for plan in found.weighed)


@given(options(), st.lists(shares, min_size=2, max_size=4), st.floats(0, 1))
def test_spend_is_monotone_in_the_floor(arms, floors, correlation):
    spent = []
    for floor in sorted(floors):
        found = optimise(arms, Objective(floor=floor), correlation=correlation)
        assert found is not None
        spent.append(found.best.cost_usd_picos)
    assert all(a <= b + 1e-6 for a, b in pairwise(spent))


@given(options(), st.data(), st.floats(0, 1))
def test_an_arm_that_another_beats_in_everything_changes_nothing(arms, data, correlation):
    model = data.draw(st.sampled_from(arms))
    worse = Option("worse", model.accepted * data.draw(shares), model.cost_usd_picos + 1,
                   model.wait_ms, None)  # fmt: skip
    at = data.draw(st.integers(0, len(arms)))
    for objective in (Objective(value_usd_picos=500), Objective(floor=0.5)):
        with_it = optimise([*arms[:at], worse, *arms[at:]], objective, correlation=correlation)
        assert with_it == optimise(arms, objective, correlation=correlation)


@settings(max_examples=50)
@given(options(), st.floats(0, 1), st.integers(0, 3000))
def test_the_plan_is_the_best_of_all_orders_by_cost_and_the_same_however_arms_are_listed(
    arms, correlation, value
):
    objective = Objective(value_usd_picos=value)
    found = optimise(arms, objective, correlation=correlation)
    assert found is not None

    def worth(plan):
        return value * plan.accepted - plan.price_usd_picos

    assert all(worth(found.best) >= worth(plan) - 1e-9 for plan in found.weighed)
    singles = [weigh([arm]) for arm in arms]
    assert worth(found.best) >= max(map(worth, singles)) - 1e-9
    for order in list(permutations(arms))[:6]:
        again = optimise(order, objective, correlation=correlation)
        assert again is not None
        assert worth(again.best) == pytest.approx(worth(found.best))


@given(options(), st.floats(0, 1))
def test_chances_stay_chances(arms, correlation):
    found = optimise(arms, Objective(), correlation=correlation)
    assert found is not None
    for plan in found.weighed:
        assert 0.0 <= plan.accepted <= 1.0
        assert all(0.0 <= reach <= 1.0 + 1e-9 for reach in plan.reach)
        assert plan.cost_usd_picos <= plan.most_usd_picos * (1 + 1e-9)
