"""Plans from routes: rules, gates, fallbacks, held and direct streams, replay."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.messages import Features
from pointsman.domain.plan import ArmState, Decision, Unwell
from pointsman.domain.task import Arm, GateSpec, Route, RouteRule, Task, VerifierSpec
from pointsman.routing.planner import compile_route, decide

GATE = GateSpec(accept="verified")


def features(**changes) -> Features:
    known = {
        "task": "work", "tenant": "t", "messages": 1, "text_chars": 10,
        "prompt_tokens_estimate": 3, "has_image": False, "has_tools": False, "wants_json": False,
        "stream": False, **changes,
    }  # fmt: skip
    return Features(**known)


def an_arm(name, **changes) -> ArmState:
    known = {"attempts": 50, "first_token_ms": 10.0, "total_ms": 100.0, "cost_usd_picos": 1000.0,
             "passed": 0.5, **changes}  # fmt: skip
    return ArmState(deployment=name, **known)


def names(decision: Decision) -> list[str]:
    return [step.deployment for step in decision.plan.steps]


def test_every_step_but_the_last_carries_the_gate():
    route = compile_route(Route(name="r", steps=("a", "b", "c"), gate=GATE))
    plan = decide(route, features(), task=None, state={}).plan
    assert [step.gate for step in plan.steps] == ["verified", "verified", None]


def test_the_first_matching_rule_gives_the_steps():
    rules = (
        RouteRule(when="request.has_image", steps=("vision",)),
        RouteRule(when="request.text_chars > 5", steps=("long", "longer")),
    )
    route = compile_route(Route(name="r", steps=("a", "b"), rules=rules, gate=GATE))
    assert names(decide(route, features(has_image=True), task=None, state={})) == ["vision"]
    assert names(decide(route, features(), task=None, state={})) == ["long", "longer"]
    assert names(decide(route, features(text_chars=1), task=None, state={})) == ["a", "b"]
    assert "has_image" in decide(route, features(has_image=True), task=None, state={}).reason


def test_a_tasks_gate_stands_in_for_the_routes_and_a_rules_for_both():
    rule = RouteRule(when="request.has_tools", steps=("a", "b"), gate=GateSpec(accept="unjudged"))
    route = compile_route(Route(name="r", steps=("a", "b"), gate=GATE, rules=(rule,)))
    task = Task(name="work", route="r", gate=GateSpec(accept="!unjudged"))
    assert decide(route, features(), task=task, state={}).plan.steps[0].gate == "!unjudged"
    with_tools = decide(route, features(has_tools=True), task=task, state={})
    assert with_tools.plan.steps[0].gate == "unjudged"


def test_a_gate_reads_every_check_of_the_task_unless_it_names_some():
    specs = (VerifierSpec(name="x", kind="regex", spec="a"),
             VerifierSpec(name="y", kind="regex", spec="b"))  # fmt: skip
    task = Task(name="work", route="r", verifiers=specs)
    every = compile_route(Route(name="r", steps=("a", "b"), gate=GATE))
    some = compile_route(
        Route(name="r", steps=("a", "b"), gate=GateSpec(accept="verified", checks=("y",)))
    )
    assert decide(every, features(), task=task, state={}).plan.steps[0].checks == ("x", "y")
    assert decide(some, features(), task=task, state={}).plan.steps[0].checks == ("y",)


def test_fallbacks_come_last_and_never_twice():
    route = compile_route(Route(name="r", steps=("a", "b"), gate=GATE, fallbacks=("b", "c")))
    plan = decide(route, features(), task=None, state={}).plan
    assert [(s.deployment, s.role) for s in plan.steps] == [
        ("a", "step"), ("b", "step"), ("c", "fallback"),
    ]  # fmt: skip


def test_a_stream_behind_a_gate_is_held_and_its_wait_is_expected_and_priced():
    route = compile_route(Route(name="r", steps=("a", "b"), gate=GATE, hold_usd_per_s=0.001))
    state = {"a": an_arm("a", total_ms=100.0, passed=0.5), "b": an_arm("b", first_token_ms=40.0)}
    plan = decide(route, features(stream=True), task=None, state=state).plan
    assert plan.held
    assert plan.expected_hold_ms == round(0.5 * 100 + 0.5 * 140)
    assert plan.expected_cost_usd_picos == round(1000 + 0.5 * 1000)
    assert plan.hold_price_usd_picos == round(0.120 * 0.001 * 1e12)


def test_a_direct_task_streams_from_the_last_step():
    route = compile_route(Route(name="r", steps=("a", "b"), gate=GATE))
    task = Task(name="work", route="r", stream="direct")
    streamed = decide(route, features(stream=True), task=task, state={})
    assert names(streamed) == ["b"]
    assert not streamed.plan.held
    assert names(decide(route, features(), task=task, state={})) == ["a", "b"]


@pytest.mark.parametrize(("price", "expected"), [(0.0, ["a", "b"]), (1.0, ["b"])])
def test_a_priced_stream_takes_what_costs_less_with_the_wait(price, expected):
    route = compile_route(
        Route(name="r", steps=("a", "b"), gate=GATE, stream="priced", hold_usd_per_s=price)
    )
    state = {"a": an_arm("a", cost_usd_picos=10.0), "b": an_arm("b", cost_usd_picos=1000.0)}
    decision = decide(route, features(stream=True), task=None, state=state)
    assert names(decision) == expected
    assert {item.name for item in decision.candidates} == {"cascade", "direct"}


def test_a_priced_stream_of_which_little_is_known_takes_the_cascade_and_says_so():
    route = compile_route(
        Route(name="r", steps=("a", "b"), gate=GATE, stream="priced", hold_usd_per_s=1.0)
    )
    decision = decide(route, features(stream=True), task=None, state={"a": an_arm("a", attempts=3)})
    assert names(decision) == ["a", "b"]
    assert "too little is known" in decision.reason


@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True),
    st.booleans(),
    st.sampled_from(["held", "direct", "priced"]),
    st.floats(0, 10),
    st.dictionaries(
        st.sampled_from("abcd"),
        st.builds(an_arm, st.just("x"), passed=st.floats(0, 1), total_ms=st.floats(0, 1e5),
                  cost_usd_picos=st.floats(0, 1e9), attempts=st.integers(0, 100)),
    ),
    st.floats(0, 1, exclude_max=True),
)  # fmt: skip
def test_a_decision_replayed_from_its_record_is_the_same(steps, stream, mode, price, state, draw):
    state = {k: msgspec.structs.replace(v, deployment=k) for k, v in state.items()}
    route = compile_route(
        Route(name="r", steps=tuple(steps), gate=GATE, stream=mode, hold_usd_per_s=price)
    )
    seen = features(stream=stream)
    first = decide(route, seen, task=None, state=state, draw=draw)
    stored = msgspec.json.decode(msgspec.json.encode(first), type=Decision)
    recorded = {arm.deployment: arm for arm in stored.state}
    again = decide(route, seen, task=None, state=recorded, draw=stored.draw)
    assert again == stored == first


def ailing(*items: tuple[str, str], **changes) -> dict[str, Unwell]:
    return {name: Unwell(deployment=name, state=state, **changes) for name, state in items}


def test_a_deployment_that_is_left_alone_is_left_out_where_another_can_answer():
    route = compile_route(Route(name="r", steps=("a", "b", "c"), gate=GATE, fallbacks=("d",)))
    unwell = ailing(("b", "open"), ("d", "resting"))
    decision = decide(route, features(), task=None, state={}, unwell=unwell)
    assert names(decision) == ["a", "c"]
    assert [step.gate for step in decision.plan.steps] == ["verified", None]
    assert decision.unwell == (unwell["b"], unwell["d"])
    assert "without b (open), d (resting)" in decision.reason


def test_without_its_last_step_the_one_before_is_the_last_and_needs_no_gate():
    route = compile_route(Route(name="r", steps=("a", "b"), gate=GATE))
    decision = decide(
        route, features(stream=True), task=None, state={}, unwell=ailing(("b", "open"))
    )
    assert names(decision) == ["a"]
    assert decision.plan.steps[0].gate is None
    assert not decision.plan.held


def test_fallbacks_answer_where_no_step_may():
    route = compile_route(Route(name="r", steps=("a",), fallbacks=("f",)))
    decision = decide(route, features(), task=None, state={}, unwell=ailing(("a", "open")))
    assert names(decision) == ["f"]
    assert decision.plan.steps[0].role == "fallback"


def test_one_with_room_for_a_trial_is_asked_as_usual():
    route = compile_route(Route(name="r", steps=("a", "b")))
    unwell = ailing(("a", "half_open"), admits=True)
    assert names(decide(route, features(), task=None, state={}, unwell=unwell)) == ["a", "b"]


def test_where_nothing_else_is_left_the_least_bad_is_asked():
    route = compile_route(Route(name="r", steps=("a", "b"), fallbacks=("c",)))
    unwell = (
        ailing(("a", "open"), back_in_ms=10)
        | ailing(("b", "resting"), back_in_ms=5000)
        | ailing(("c", "open"), back_in_ms=5)
    )
    decision = decide(route, features(), task=None, state={}, unwell=unwell)
    assert names(decision) == ["b"]  # it answers, only not everybody
    opened = {**unwell, **ailing(("b", "open"), back_in_ms=100)}
    assert names(decide(route, features(), task=None, state={}, unwell=opened)) == ["c"]


def test_where_none_may_be_a_last_resort_the_plan_has_no_step():
    route = compile_route(Route(name="r", steps=("a", "b")))
    unwell = ailing(("a", "open"), ("b", "half_open"), last_resort=False)
    decision = decide(route, features(), task=None, state={}, unwell=unwell)
    assert decision.plan.steps == ()
    assert "nothing is left" in decision.reason


@given(
    st.permutations("abcd"),
    st.dictionaries(
        st.sampled_from("abcdx"),
        st.tuples(
            st.sampled_from(["open", "half_open", "resting"]), st.booleans(), st.booleans(),
            st.integers(0, 9),
        ),
    ),
    st.booleans(),
)  # fmt: skip
def test_whoever_is_unwell_the_record_gives_the_same_decision_again(order, states, stream):
    route = compile_route(
        Route(name="r", steps=tuple(order[:3]), gate=GATE, fallbacks=tuple(order[3:]))
    )
    unwell = {
        name: Unwell(deployment=name, state=state, admits=admits, last_resort=last, back_in_ms=back)
        for name, (state, admits, last, back) in states.items()
    }
    decision = decide(route, features(stream=stream), task=None, state={}, unwell=unwell)
    recorded = msgspec.json.decode(msgspec.json.encode(decision), type=Decision)
    again = decide(
        route,
        features(stream=stream),
        task=None,
        state={arm.deployment: arm for arm in recorded.state},
        unwell={each.deployment: each for each in recorded.unwell},
    )
    assert again == decision
    left_out = {name for name, each in unwell.items() if not each.admits}
    if set(order) - left_out:
        assert not left_out & set(names(decision))
    else:
        assert len(names(decision)) <= 1


OFF = Arm(name="a-off", deployment="a", thinking="off")


def test_a_step_names_its_arm_and_the_deployment_behind_it():
    made = Route(name="r", steps=("a-off", "a"), gate=GATE, arms={"a-off": OFF})
    steps = decide(compile_route(made), features(), task=None, state={}).plan.steps
    assert [(step.deployment, step.arm, step.name) for step in steps] == [
        ("a", "a-off", "a-off"), ("a", None, "a"),
    ]  # fmt: skip


def test_an_ailing_deployment_takes_all_its_arms_with_it():
    made = Route(name="r", steps=("a-off", "b"), fallbacks=("a",), gate=GATE, arms={"a-off": OFF})
    ill = {"a": Unwell(deployment="a", state="open", back_in_ms=5)}
    decision = decide(compile_route(made), features(), task=None, state={}, unwell=ill)
    assert names(decision) == ["b"]
    alone = compile_route(Route(name="r", steps=("a-off",), arms={"a-off": OFF}))
    [step] = decide(alone, features(), task=None, state={}, unwell=ill).plan.steps
    assert step.name == "a-off"
