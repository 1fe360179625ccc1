"""Why an answer counts as it does, in words; and the kinds of outcomes that a rule can read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.analytics.acceptance import AcceptanceJudge, OutcomeRow
from pointsman.analytics.explaining import explain, known_kinds
from pointsman.domain.task import AcceptanceRule

HOUR_US = 3_600_000_000
RULE = AcceptanceRule(
    accepted="outcome.kind == 'sent'", rejected="outcome.kind in ['rewritten', 'thrown']",
    within_h=2,
)  # fmt: skip
SENT, THROWN = (OutcomeRow(at_us=HOUR_US, outcome=kind) for kind in ("sent", "thrown"))


@pytest.mark.parametrize(
    ("outcomes", "given", "acceptance", "why"),
    [
        ([SENT], {}, "accepted", "outcome.kind == 'sent'"),
        ([THROWN], {}, "rejected", "outcome.kind in ['rewritten', 'thrown']"),
        ([], {}, "unknown", "yes by outcome.kind == 'sent'; no by"),
        ([], {"now_us": 3 * HOUR_US}, "unknown", "no outcome of the rule came within 2 h"),
        ([], {"status": None}, "unknown", "it has not ended"),
        ([SENT], {"status": "cancelled"}, "unknown", "the client cancelled it"),
        ([SENT], {"status": "failed", "delivered": None}, "rejected", "nothing was delivered"),
    ],
)
def test_the_reason_fits_the_judgement(
    outcomes: list[OutcomeRow], given: dict[str, Any], acceptance: str, why: str
) -> None:
    known = {"status": "delivered", "delivered": 0, "at_us": 0, "now_us": HOUR_US, **given}
    said = explain(RULE, outcomes, **known)
    assert said.acceptance == acceptance
    assert said.why.startswith(why)
    assert said.until_us == 2 * HOUR_US


KINDS = st.sampled_from(["sent", "thrown", "thumbs"])


@given(
    facts=st.lists(st.tuples(st.integers(0, 4 * HOUR_US), KINDS), max_size=4),
    status=st.sampled_from([None, "delivered", "cancelled", "failed", "cut"]),
    delivered=st.sampled_from([None, 0]),
    now_us=st.integers(0, 5 * HOUR_US),
    otherwise=st.sampled_from(["unknown", "accepted", "rejected"]),
)
def test_it_is_always_the_judgement_of_the_reports(
    facts, status, delivered, now_us: int, otherwise: Any
) -> None:
    rule = AcceptanceRule(
        accepted=RULE.accepted, rejected=RULE.rejected, within_h=2, otherwise=otherwise
    )
    rows = [OutcomeRow(at_us=at_us, outcome=kind) for at_us, kind in facts]
    known = {"status": status, "delivered": delivered, "at_us": 0, "now_us": now_us}
    said = explain(rule, rows, **known)
    assert said.acceptance == AcceptanceJudge(rule).judge_request(rows, **known)
    assert said.why


@pytest.mark.parametrize(
    ("accepted", "kinds"),
    [
        ("outcome.kind == 'sent'", {"sent"}),
        ("outcome.kind == 'sent' || outcome.kind == 'kept'", {"sent", "kept"}),
        ("outcome.kind in ['a', 'b'] && outcome.value > 3", {"a", "b"}),
        ("false", set()),
        ("true", None),
        ("outcome.value == true", None),
        ("outcome.kind == 'sent' || outcome.value == true", None),
        ("outcome.kind != 'sent'", None),
        ("!(outcome.kind == 'sent')", None),
        ("outcome.kind.startsWith('s')", None),
        ("outcome.kind == 'a' ? true : outcome.value > 1", None),
    ],
)
def test_kinds_are_known_only_where_no_other_can_decide(accepted: str, kinds) -> None:
    found = known_kinds([AcceptanceRule(accepted=accepted, rejected="false")])
    assert found == kinds
    if found is not None:  # then no other kind does, whatever its value
        judge = AcceptanceJudge(AcceptanceRule(accepted=accepted, rejected="false"))
        for value in (None, True, 7, "sent"):
            row = OutcomeRow(at_us=0, outcome="thumbs", value=value)
            assert judge.judge([row], at_us=0, now_us=1) == "unknown"
