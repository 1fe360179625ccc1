"""Which facts about a trace make it accepted, rejected or not yet known."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.analytics.acceptance import AcceptanceJudge, OutcomeRow
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.task import AcceptanceRule

HOUR_US = 3_600_000_000


def fact(outcome: str, *, at_h: float = 1.0, value: Any = None, source: str = "api") -> OutcomeRow:
    return OutcomeRow(at_us=round(at_h * HOUR_US), outcome=outcome, value=value, source=source)


def judged(*facts: OutcomeRow, rule: AcceptanceRule | None = None, now_h: float = 10.0) -> str:
    judge = AcceptanceJudge(rule or AcceptanceRule(within_h=48))
    return judge.judge(facts, at_us=0, now_us=round(now_h * HOUR_US))


def test_without_a_fact_an_answer_is_unknown() -> None:
    assert judged() == "unknown"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("accepted", "accepted"),
        ("rejected", "rejected"),
        ("edited", "rejected"),
        ("seen", "unknown"),
    ],
)
def test_the_default_rule_knows_the_plain_words(outcome: str, expected: str) -> None:
    assert judged(fact(outcome)) == expected


def test_the_latest_fact_that_matches_decides() -> None:
    assert judged(fact("rejected", at_h=1), fact("accepted", at_h=2)) == "accepted"
    assert judged(fact("accepted", at_h=2), fact("rejected", at_h=1)) == "accepted"
    assert judged(fact("accepted", at_h=1), fact("seen", at_h=2)) == "accepted"


def test_of_two_facts_at_one_moment_the_later_appended_decides() -> None:
    assert judged(fact("rejected"), fact("accepted")) == "accepted"
    assert judged(fact("accepted"), fact("rejected")) == "rejected"


def test_a_fact_that_matches_both_is_a_rejection() -> None:
    rule = AcceptanceRule(accepted="true", rejected="true")
    assert judged(fact("anything"), rule=rule) == "rejected"


def test_a_fact_after_the_window_does_not_count() -> None:
    assert judged(fact("accepted", at_h=48), now_h=60) == "accepted"
    assert judged(fact("accepted", at_h=48.001), now_h=60) == "unknown"


def test_a_fact_after_the_moment_of_the_report_is_not_known_yet() -> None:
    assert judged(fact("accepted", at_h=12), now_h=10) == "unknown"


@pytest.mark.parametrize("otherwise", ["accepted", "rejected", "unknown"])
def test_silence_means_what_the_rule_says_once_the_window_closed(otherwise: Any) -> None:
    rule = AcceptanceRule(within_h=48, otherwise=otherwise)
    assert judged(rule=rule, now_h=48) == "unknown"
    assert judged(rule=rule, now_h=48.001) == otherwise


def test_a_rule_may_read_value_and_source() -> None:
    rule = AcceptanceRule(
        accepted="outcome.kind == 'stars' && outcome.value >= 4",
        rejected="outcome.source.startsWith('verifier:') && outcome.value == false",
    )
    assert judged(fact("stars", value=5), rule=rule) == "accepted"
    assert judged(fact("stars", value=3), rule=rule) == "unknown"
    assert judged(fact("verified", value=False, source="verifier:sum"), rule=rule) == "rejected"


def test_an_expression_without_a_value_does_not_match() -> None:
    rule = AcceptanceRule(accepted="outcome.value > 3", rejected="outcome.value.size() > 3")
    assert judged(fact("stars", value="four"), rule=rule) == "rejected"
    assert judged(fact("stars", value=None), rule=rule) == "unknown"


@pytest.mark.parametrize("status", ["failed", "refused", "cut"])
def test_a_request_that_delivered_nothing_is_rejected_without_any_fact(status: str) -> None:
    assert ended(status, delivered=None) == "rejected"


def test_a_cut_answer_that_was_delivered_is_judged_by_facts() -> None:
    assert ended("cut", delivered=0) == "unknown"
    assert ended("cut", fact("accepted"), delivered=0) == "accepted"


@pytest.mark.parametrize("status", [None, "cancelled"])
def test_a_request_that_was_cancelled_or_runs_is_unknown(status: str | None) -> None:
    assert ended(status, fact("accepted"), delivered=None) == "unknown"


def test_a_row_of_the_journal_carries_its_value_as_json() -> None:
    row = {"at_us": 7, "outcome": "stars", "value": "4", "source": "api", "trace": "tr_1"}
    assert OutcomeRow.of(row) == OutcomeRow(at_us=7, outcome="stars", value=4)
    assert OutcomeRow.of({**row, "value": None}).value is None


def test_a_rule_that_cannot_be_read_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match=r"acceptance\.accepted") as raised:
        AcceptanceJudge(AcceptanceRule(accepted="outcome.kin == 'x'"))
    assert "kind" in raised.value.why


@given(st.permutations([fact("accepted", at_h=1), fact("edited", at_h=2), fact("seen", at_h=3)]))
def test_the_order_of_facts_at_different_moments_does_not_matter(facts: list[OutcomeRow]) -> None:
    assert judged(*facts) == "rejected"


def ended(status: str | None, *facts: OutcomeRow, delivered: int | None) -> str:
    judge = AcceptanceJudge(AcceptanceRule())
    return judge.judge_request(
        facts, status=status, delivered=delivered, at_us=0, now_us=10 * HOUR_US
    )
