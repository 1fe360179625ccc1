"""Routes that learn, beliefs and decisions over them, for the tests of this room."""

from typing import Any

from hypothesis import strategies as st

from pointsman.domain.learned import Belief, Exploring, Learned, Learning, Objective
from pointsman.domain.messages import Features
from pointsman.domain.plan import ArmState, Decision
from pointsman.domain.task import GateSpec, Route, Task
from pointsman.routing.planner import compile_route, decide

GATE = GateSpec(accept="verified")
NAMES = ("small", "middle", "large", "huge")


def features(**changes: Any) -> Features:
    known = {
        "task": "work", "tenant": "t", "messages": 1, "text_chars": 10,
        "prompt_tokens_estimate": 3, "has_image": False, "has_tools": False, "wants_json": False,
        "stream": False, **changes,
    }  # fmt: skip
    return Features(**known)


def a_route(*steps: str, objective: Objective | None = None, **changes: Any) -> Route:
    """A route that learns over these steps; `learn` and every other field may be changed."""
    learn = {"objective": objective or Objective(value_usd=1.0), **changes.pop("learn", {})}
    return Route(name="r", steps=steps, learn=Learning(**learn), **{"gate": GATE, **changes})


def a_belief(arm: str, accepted: float, cost: int, **changes: Any) -> Belief:
    return Belief(arm=arm, accepted=accepted, cost_usd_picos=cost, **{"n": 1000.0, **changes})


def decided(route: Route, learned: Learned, **changes: Any) -> Decision:
    known: dict[str, Any] = {"task": Task(name="work", route="r"), "state": {}, **changes}
    of = known.pop("features", None) or features()
    return decide(compile_route(route), of, learned=learned, **known)


def steps(decision: Decision) -> tuple[str, ...]:
    """The names of the steps that are no fallbacks."""
    return tuple(step.name for step in decision.plan.steps if step.role == "step")


SHARES = st.floats(0.01, 0.99)
OBJECTIVES = st.one_of(
    st.builds(
        Objective, value_usd=st.floats(1e-9, 1.0), latency_usd_per_s=st.sampled_from([0, 1e-6])
    ),
    st.builds(Objective, acceptance=SHARES, certified=st.booleans()),
    st.builds(Objective, quality=st.floats(0.5, 1.0), certified=st.just(False)),
)  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> tuple[Route, Learned, dict[str, Any]]:
    """A route, what is believed of its arms, and the rest of what a decision reads."""
    names = NAMES[: draw(st.integers(2, 4))]
    learned = Learned(
        beliefs=tuple(
            Belief(
                arm=name,
                accepted=draw(SHARES),
                n=draw(st.sampled_from([0.0, 12.5, 400.0])),
                cost_usd_picos=draw(st.integers(0, 10**9)),
                passes_right=draw(SHARES),
                passes_wrong=draw(SHARES),
            )
            for name in names
        ),
        share=draw(st.sampled_from([0.0, 0.02, 0.5])),
        value_usd_picos=draw(st.none() | st.integers(1, 10**12)),
        certified=draw(st.booleans()),
    )
    route = a_route(
        *names,
        objective=draw(OBJECTIVES),
        gate=draw(st.sampled_from([GATE, None])),
        stream=draw(st.sampled_from(["held", "direct"])),
        learn={"explore": Exploring(share=learned.share)},
    )
    state = {
        name: ArmState(deployment=name, attempts=9, first_token_ms=draw(st.floats(0, 99)),
                       total_ms=draw(st.floats(0, 999)))
        for name in names if draw(st.booleans())
    }  # fmt: skip
    rest = {
        "state": state,
        "draw": draw(st.floats(0, 1, exclude_max=True)),
        "features": features(stream=draw(st.booleans())),
    }
    return route, learned, rest
