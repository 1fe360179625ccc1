"""Guard models' answers: read as their cards say, and never taken for clear when unreadable."""

import math

import pytest

from pointsman.policy.detectors.guards import (
    PARSERS,
    Guard,
    Unreadable,
    llama_guard,
    qwen3guard,
    shieldgemma,
)


def test_qwen3guard_says_safety_categories_and_refusal():
    read = qwen3guard("Safety: Unsafe\nCategories: Violent, Non-violent Illegal Acts\nRefusal: No")
    assert (read.verdict, read.score, read.refused) == ("unsafe", 1.0, False)
    assert read.categories == ("violent", "non_violent_illegal_acts")
    assert qwen3guard("Safety: Safe\nCategories: None").categories == ()


def test_llama_guard_says_safe_or_hazards():
    assert llama_guard("\n\nsafe").verdict == "safe"
    assert llama_guard("unsafe\nS1,S10").categories == ("violent_crimes", "hate")
    assert llama_guard(
        "unsafe\nS9", {"unsafe": math.log(0.6), " safe": math.log(0.2)}
    ).score == pytest.approx(0.75)


def test_shieldgemma_says_yes_or_no():
    assert shieldgemma("Yes").verdict == "unsafe"
    assert shieldgemma(
        "No, because", {"Yes": math.log(0.1), "No": math.log(0.9)}
    ).score == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        ("qwen3guard-gen", "I cannot help with that."),
        ("qwen3guard-gen", "Safety: Safe\nSafety: Unsafe"),
        ("llama-guard", "safe\nS1"),
        ("llama-guard", "unsafe\nS99"),
        ("shieldgemma", "Maybe"),
        ("shieldgemma", ""),
    ],
)
def test_what_cannot_be_read_is_unjudged(form, answer):
    with pytest.raises(Unreadable):
        PARSERS[form](answer, None)
    guard = Guard(form, lambda messages: (answer, {}), model="m")
    judgement = guard.judge("text", channel="content")
    assert judgement.status == "unjudged"
    assert "text" not in judgement.reason


def test_a_guard_that_is_not_reached_is_unjudged():
    def ask(messages):
        raise TimeoutError

    assert Guard("llama-guard", ask, model="m").judge("x", channel="content").status == "unjudged"


def test_controversial_counts_as_the_policy_says():
    def ask(messages):
        return "Safety: Controversial\nCategories: PII", {}

    strict = Guard("qwen3guard-gen", ask, model="m").judge("abc", channel="content")
    loose = Guard("qwen3guard-gen", ask, model="m", controversial="safe").judge(
        "abc", channel="content"
    )
    assert (strict.status, loose.status) == ("found", "clear")
    assert strict.findings[0].kind == "pii"
