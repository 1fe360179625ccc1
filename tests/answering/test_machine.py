"""The laws of the request machine, over generated plans and events."""

from hypothesis import given
from hypothesis import strategies as st

from pointsman.answering.machine import (
    Answered,
    Break,
    Call,
    Deliver,
    Failed,
    Refuse,
    Shown,
    Stop,
    Vanished,
    advance,
    begin,
)
from pointsman.domain.plan import Plan, Step
from pointsman.domain.records import Attempt, Failure
from pointsman.domain.verdict import GateResult

ACCEPT = GateResult(verdict="accept", reason="")
ESCALATE = GateResult(verdict="escalate", reason="")


def a_plan(gates: list[bool], fallbacks: int = 0) -> Plan:
    steps = [Step(deployment=f"d{i}", gate="verified" if g else None) for i, g in enumerate(gates)]
    steps += [Step(deployment=f"f{i}", role="fallback") for i in range(fallbacks)]
    return Plan(steps=tuple(steps), held=any(gates))


def an_attempt(step: int, *, failure: str | None = None, gate: GateResult | None = None) -> Attempt:
    return Attempt(
        step=step,
        deployment=f"d{step}",
        failure=Failure(kind=failure) if failure else None,  # type: ignore[arg-type]
        gate=gate,
    )


plans = st.builds(a_plan, st.lists(st.booleans(), min_size=1, max_size=4), st.integers(0, 2))


@given(plans, st.data())
def test_every_request_ends_exactly_once_and_attempts_never_outnumber_steps_and_retries(plan, data):
    now, effect = begin(plan)
    calls, shown, retries = [], False, 0
    while isinstance(effect, Call):
        calls.append((effect.index, effect.retry))
        assert not shown, "a step was called after text of another was shown"
        choice = data.draw(st.sampled_from(["answer", "fail", "show", "vanish"]))
        if choice == "show" and not effect.hold:
            now, nothing = advance(now, Shown())
            assert nothing is None
            shown = True
            choice = data.draw(st.sampled_from(["answer", "fail"]))
        if choice in ("answer", "show"):
            verdict = data.draw(st.sampled_from([ACCEPT, ESCALATE])) if effect.step.gate else None
            now, effect = advance(now, Answered(an_attempt(effect.index, gate=verdict)))
        elif choice == "fail":
            again_in_s = data.draw(st.sampled_from([None, 0.5])) if retries < 5 else None
            retries += again_in_s is not None
            failed = Failed(an_attempt(effect.index, failure="cut"), again_in_s)
            now, effect = advance(now, failed)
            if again_in_s is not None and not shown:
                assert isinstance(effect, Call)
                assert effect.after_s == again_in_s
                assert (effect.index, effect.retry) == (calls[-1][0], calls[-1][1] + 1)
        else:
            now, effect = advance(now, Vanished(None))
    assert now.ended
    assert isinstance(effect, Deliver | Refuse | Break | Stop)
    assert calls == sorted(set(calls))
    assert len(now.attempts) <= len(plan.steps) + retries
    if isinstance(effect, Deliver):
        assert now.attempts[effect.attempt].failure is None
    if isinstance(effect, Refuse):
        assert all(a.failure for a in now.attempts)
    if isinstance(effect, Break):
        assert shown


def test_a_plan_without_a_step_is_refused_at_once():
    now, effect = begin(Plan(steps=()))
    assert now.ended
    assert isinstance(effect, Refuse)
    assert effect.failure.kind == "circuit_open"


def test_an_accepted_cheap_answer_is_delivered_without_a_second_call():
    now, _ = begin(a_plan([True, False]))
    now, effect = advance(now, Answered(an_attempt(0, gate=ACCEPT)))
    assert effect == Deliver(0)


def test_an_escalated_answer_leads_to_the_next_step():
    now, _ = begin(a_plan([True, False]))
    now, effect = advance(now, Answered(an_attempt(0, gate=ESCALATE)))
    assert isinstance(effect, Call)
    assert effect.index == 1
    assert not effect.hold


def test_the_best_answer_stands_when_every_later_step_fails():
    now, _ = begin(a_plan([True, False], fallbacks=1))
    now, _ = advance(now, Answered(an_attempt(0, gate=ESCALATE)))
    now, effect = advance(now, Failed(an_attempt(1, failure="refused")))
    assert isinstance(effect, Call)  # a fallback is tried first
    now, effect = advance(now, Failed(an_attempt(2, failure="refused")))
    assert effect == Deliver(0)


def test_a_fallback_is_never_called_on_a_mere_escalation():
    now, _ = begin(a_plan([True, True], fallbacks=1))
    now, _ = advance(now, Answered(an_attempt(0, gate=ESCALATE)))
    now, effect = advance(now, Answered(an_attempt(1, gate=ESCALATE)))
    assert effect == Deliver(1)


def test_a_cut_after_the_first_shown_byte_breaks_the_stream():
    now, _ = begin(a_plan([False], fallbacks=1))
    now, _ = advance(now, Shown())
    now, effect = advance(now, Failed(an_attempt(0, failure="cut")))
    assert isinstance(effect, Break)


def test_the_client_is_told_of_its_own_fault_only_when_every_step_says_so():
    now, _ = begin(a_plan([False], fallbacks=1))
    now, _ = advance(now, Failed(an_attempt(0, failure="client_error")))
    _, effect = advance(now, Failed(an_attempt(1, failure="refused")))
    assert isinstance(effect, Refuse)
    assert effect.failure.kind == "refused"
