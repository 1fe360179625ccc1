"""What a route that learns chooses, and the laws of every such choice."""

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from learned import GATE, a_belief, a_route, cases, decided, features, steps
from proofs import a_certificate

from pointsman.domain.learned import Exploring, Learned, Objective, Stay, Staying
from pointsman.domain.plan import ArmState, Decision, Unwell
from pointsman.domain.task import Arm, RouteRule, Task

SMALL = a_belief("small", 0.6, 1_000)
LARGE = a_belief("large", 0.9, 100_000)
KNOWN = Learned(beliefs=(SMALL, LARGE))


@given(cases())
@settings(max_examples=80)
def test_the_same_record_gives_the_same_plan_bit_for_bit(case):
    route, learned, rest = case
    decision = decided(route, learned, **rest)
    stored = msgspec.json.decode(msgspec.json.encode(decision), type=Decision)
    assert stored == decision
    again = decided(
        route, stored.learned, state={arm.name: arm for arm in stored.state}, draw=stored.draw,
        features=rest["features"],
    )  # fmt: skip
    assert again == decision


@given(cases())
@settings(max_examples=40)
def test_propensities_sum_to_one_and_are_met_by_the_draws(case):
    route, learned, rest = case
    first = decided(route, learned, **rest)
    chances = {each.steps: each.propensity for each in first.candidates if each.propensity}
    assert sum(chances.values()) == pytest.approx(1.0, abs=1e-9)
    assert chances[steps(first)] == first.propensity
    grid = [(i + 0.5) / 200 for i in range(200)]
    met = [steps(decided(route, learned, **{**rest, "draw": draw})) for draw in grid]
    for plan, chance in chances.items():
        assert met.count(plan) / len(grid) == pytest.approx(chance, abs=2.1 / len(grid))


@given(cases())
@settings(max_examples=80)
def test_a_plan_never_breaks_a_hard_constraint(case):
    route, learned, rest = case
    ill = {route.steps[0]: Unwell(deployment=route.steps[0], state="open")}
    decision = decided(route, learned, unwell=ill, **rest)
    plan = decision.plan
    assert plan.steps
    assert route.steps[0] not in [step.deployment for step in plan.steps]
    assert {step.deployment for step in plan.steps} <= set(route.steps)
    gates = [step.gate for step in plan.steps if step.role == "step"]
    assert gates[-1] is None
    assert all(gate == GATE.accept for gate in gates[:-1])
    if rest["features"].stream and route.stream == "direct":
        assert len(gates) == 1
        assert not plan.held


@given(cases(), st.floats(0.01, 1.0), st.integers(0, 10**9))
@settings(max_examples=80)
def test_an_arm_that_another_beats_in_everything_changes_nothing(case, worse, dearer):
    assume(worse < 1.0 or dearer > 0)  # of two that are equal the one that is named first stays
    route, learned, rest = case
    best = learned.beliefs[-1]
    beaten = msgspec.structs.replace(
        best, arm="beaten", accepted=best.accepted * worse, n=1e6,
        cost_usd_picos=best.cost_usd_picos + dearer, passes_right=best.passes_right * worse,
    )  # fmt: skip
    quiet = msgspec.structs.replace(learned, share=0.0)
    wider = msgspec.structs.replace(quiet, beliefs=(beaten, *learned.beliefs))
    broad = msgspec.structs.replace(route, steps=("beaten", *route.steps))
    del rest["state"]
    assert steps(decided(broad, wider, **rest)) == steps(decided(route, quiet, **rest))


@given(cases(), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
@settings(max_examples=80)
def test_spend_is_monotone_in_the_floor(case, one, other):
    route, learned, rest = case
    learned = msgspec.structs.replace(learned, share=0.0, value_usd_picos=None)

    def expected(floor: float) -> tuple[float, float]:
        aim = Objective(acceptance=floor, certified=False)
        task = Task(name="work", route="r", objective=aim)
        decision = decided(route, learned, task=task, **rest)
        [taken] = [each for each in decision.candidates if each.steps == steps(decision)]
        return taken.expected_cost_usd_picos or 0, taken.accepted or 0.0

    (low_cost, low), (high_cost, high) = expected(min(one, other)), expected(max(one, other))
    if high >= max(one, other) - 1e-9:  # where it is met at all
        assert low_cost <= high_cost + 1
    else:
        assert high >= low - 1e-9


def test_the_value_of_an_answer_decides_between_small_large_and_a_cascade():
    telling = Learned(
        beliefs=(msgspec.structs.replace(SMALL, passes_right=0.95, passes_wrong=0.1), LARGE)
    )

    def taken(value_usd: float, learned: Learned = telling) -> tuple[str, ...]:
        return steps(decided(a_route("small", "large", objective=Objective(value_usd=value_usd)),
                             learned))  # fmt: skip

    assert taken(1e-9) == ("small",)
    assert taken(3e-7) == ("small", "large")
    assert taken(1.0) == ("large",)
    assert taken(1.0, KNOWN) == ("large",)  # a gate that tells nothing: no cascade
    assert taken(1e-9, KNOWN) == ("small",)


def test_what_waiting_costs_is_weighed():
    state = {"large": ArmState(deployment="large", attempts=9, total_ms=60_000)}
    quick = Objective(value_usd=1e-6, latency_usd_per_s=1e-7)
    plain = Objective(value_usd=1e-6)
    assert steps(decided(a_route("small", "large", objective=plain), KNOWN, state=state)) == (
        "large",
    )
    assert steps(decided(a_route("small", "large", objective=quick), KNOWN, state=state)) == (
        "small",
    )


@pytest.mark.parametrize(
    ("learned", "objective", "said"),
    [
        (Learned(), None, "0 of 30 outcomes known of it"),
        (Learned(beliefs=(SMALL, a_belief("large", 0.9, 9, n=12))), None, "12 of 30 outcomes"),
        (KNOWN, Objective(acceptance=0.5), "no certificate was made"),
        (Learned(beliefs=(SMALL, LARGE), ground="it was revoked"), Objective(quality=0.9),
         "it was revoked"),
    ],
)  # fmt: skip
def test_without_grounds_the_strong_arm_answers_and_the_reason_says_why(learned, objective, said):
    decision = decided(a_route("small", "large", objective=objective), learned)
    assert steps(decision) == ("large",)
    assert decision.reason.startswith("the strong arm: ")
    assert said in decision.reason


def test_an_arm_of_which_too_little_is_known_is_only_explored():
    thin = Learned(beliefs=(a_belief("small", 1.0, 1, n=3), LARGE), share=0.1)
    route = a_route("small", "large", learn={"explore": Exploring(share=0.1)})
    assert steps(decided(route, thin, draw=0.5)) == ("large",)
    explored = decided(route, thin, draw=0.95)
    assert explored.explored
    assert steps(explored) == ("small", "large")  # behind its gate a bad answer stays unseen
    assert explored.reason.startswith("explores small → large; best is ")
    assert explored.propensity == pytest.approx(0.1)


def test_a_rule_stands_as_it_is():
    rule = RouteRule(when="request.has_image", steps=("large", "small"))
    route = a_route("small", "large", rules=(rule,))
    decision = decided(route, KNOWN, features=features(has_image=True))
    assert steps(decision) == ("large", "small")
    assert decision.learned is None
    assert decision.reason == "rule: request.has_image"


def test_a_failure_falls_to_the_strong_arm_before_the_fallbacks():
    route = a_route("small", "large", objective=Objective(value_usd=1e-9), fallbacks=("other",))
    plan = decided(route, KNOWN).plan
    assert [(step.name, step.role) for step in plan.steps] == [
        ("small", "step"), ("large", "fallback"), ("other", "fallback"),
    ]  # fmt: skip


def test_an_arm_in_a_mode_that_the_client_refused_is_left_out():
    off = Arm(name="off", deployment="large", thinking="off")
    on = Arm(name="on", deployment="large", thinking="on")
    route = a_route("off", "on", arms={"off": off, "on": on}, objective=Objective(value_usd=1e-9))
    learned = Learned(beliefs=(a_belief("off", 0.6, 1), a_belief("on", 0.9, 900)))
    assert steps(decided(route, learned)) == ("off",)
    assert steps(decided(route, learned, features=features(thinking="high"))) == ("on",)
    assert steps(decided(route, learned, features=features(thinking="off"))) == ("off",)


class TestConversations:
    ROUTE = a_route("small", "large", objective=Objective(value_usd=1e-6), learn={
        "session": Staying(switch_usd=1e-7), "explore": Exploring(share=0.5)})  # fmt: skip

    def test_it_stays_where_it_is_and_never_explores(self):
        learned = Learned(beliefs=KNOWN.beliefs, stay=Stay(plan=("large",)), share=0.5)
        decision = decided(self.ROUTE, learned, draw=0.99)
        assert steps(decision) == ("large",)
        assert decision.propensity == 1.0
        assert decision.reason.startswith("the conversation stays with large: worth most")

    def test_it_stays_unless_the_gain_beats_what_leaving_costs(self):
        # from small to large: 0.3 more accepted at 1e-6, 9.9e-8 dearer: a gain of 2.01e-7
        at_small = Learned(beliefs=KNOWN.beliefs, stay=Stay(plan=("small",)))
        assert steps(decided(self.ROUTE, at_small)) == ("large",)
        cached = Learned(
            beliefs=KNOWN.beliefs, stay=Stay(plan=("small",), prefix_usd_picos=150_000)
        )
        decision = decided(self.ROUTE, cached)
        assert steps(decision) == ("small",)
        assert decision.reason == (
            "the conversation stays with small: gain $2.01e-07, leaving costs $2.5e-07"
        )

    def test_within_one_deployment_no_cache_is_lost(self):
        off = Arm(name="small", deployment="large", thinking="off")
        route = msgspec.structs.replace(self.ROUTE, arms={"small": off})
        cached = Learned(beliefs=KNOWN.beliefs, stay=Stay(plan=("small",), prefix_usd_picos=10**9))
        assert steps(decided(route, cached)) == ("large",)

    def test_it_moves_where_its_arm_may_not_be_asked(self):
        ill = {"small": Unwell(deployment="small", state="open")}
        at_small = Learned(beliefs=KNOWN.beliefs, stay=Stay(plan=("small",)))
        decision = decided(self.ROUTE, at_small, unwell=ill)
        assert steps(decision) == ("large",)
        assert "moves, where it was may not be asked now" in decision.reason


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 10**9)), min_size=2, max_size=5),
    st.floats(1e-9, 1e-2),
    st.sampled_from([0.0, 0.02, 0.2, 0.8]),
)
@settings(max_examples=80)
def test_a_certified_rule_is_taken_as_it_was_proven(arms, value_usd, loyalty):
    """The largest value_usd * worth - cost, of single calls; what is told is the plain chance."""
    names = [f"arm{i}" for i in range(len(arms))]
    strong = arms[-1][0]
    proof = a_certificate(loyalty=loyalty, value_usd=value_usd)
    worths = [
        proof.worth(accepted, None if name == names[-1] else strong)
        for name, (accepted, _) in zip(names, arms, strict=True)
    ]
    learned = Learned(
        beliefs=tuple(
            msgspec.structs.replace(a_belief(name, accepted, cost), worth=worth)
            for name, (accepted, cost), worth in zip(names, arms, worths, strict=True)
        ),
        value_usd_picos=value_usd * 1e12,
        certified=True,
    )
    decision = decided(a_route(*names, objective=Objective(quality=0.9)), learned)
    [taken] = steps(decision)
    gains = [value_usd * 1e12 * w - cost for w, (_, cost) in zip(worths, arms, strict=True)]
    assert gains[names.index(taken)] == pytest.approx(max(gains), abs=1.0, rel=1e-9)
    [told] = [each for each in decision.candidates if each.steps == (taken,)]
    assert told.accepted == arms[names.index(taken)][0]
