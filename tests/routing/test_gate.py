"""Gates: accept only what is known to be good enough."""

import pytest

from pointsman.domain.messages import LogprobSummary, Reply
from pointsman.domain.verdict import CheckResult
from pointsman.routing.gate import compile_gate, judge

CLEAR = CheckResult(check="shape", status="clear")
FOUND = CheckResult(check="shape", status="found", detail="too short")
UNJUDGED = CheckResult(check="shape", status="unjudged")


def a_reply(low: float | None = None, **changes) -> Reply:
    logprobs = None if low is None else LogprobSummary(minimum=low, mean=low / 2, tokens=3)
    return Reply(content="x", finish_reason="stop", logprobs=logprobs, **changes)


def verdict(text, reply=None, checks=(CLEAR,)):
    gate = compile_gate(text)
    return judge(gate, [reply or a_reply()], [checks], completion_tokens=3)


@pytest.mark.parametrize(
    ("checks", "expected"), [((CLEAR,), "accept"), ((FOUND,), "escalate"),
                             ((UNJUDGED,), "escalate"), ((CLEAR, UNJUDGED), "escalate")],
)  # fmt: skip
def test_what_could_not_be_checked_does_not_count_as_verified(checks, expected):
    assert verdict("verified", checks=checks).verdict == expected


@pytest.mark.parametrize(("low", "expected"), [(-0.1, "accept"), (-0.9, "escalate"),
                                               (None, "escalate")])  # fmt: skip
def test_a_logprob_below_the_floor_or_not_given_escalates(low, expected):
    assert verdict("logprob.min >= -0.5", a_reply(low)).verdict == expected


def test_every_choice_must_pass():
    gate = compile_gate("logprob.min >= -0.5")
    replies = [a_reply(-0.1), a_reply(-0.9)]
    result = judge(gate, replies, [(), ()], completion_tokens=2)
    assert result.verdict == "escalate"
    assert result.logprob_min == -0.9


def test_no_choice_is_nothing_to_accept():
    assert judge(compile_gate("true"), [], [], completion_tokens=0).verdict == "escalate"


def test_the_reason_names_the_check_that_found_something():
    assert verdict("verified", checks=(FOUND,)).reason == "checks failed: shape found"


def test_an_expression_that_fails_on_an_answer_escalates():
    result = verdict("finish_reason.size() / 0 > 1")
    assert result.verdict == "escalate"
    assert "could not be evaluated" in result.reason
