"""A held answer goes forward once, to one end, whatever is tried in whatever order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.errors import InvalidRequest
from pointsman.domain.records import BodyRef
from pointsman.domain.reviews import Held, approve, delivered, edit, reject

BODY, OTHER = BodyRef(digest="a", size=1), BodyRef(digest="b", size=2)


def a_held(**changes):
    said = {
        "id": "held_1", "trace": "tr_1", "tenant": "t", "principal": "p", "surface": "chat",
        "why": "p: r", "made_us": 0, "expires_us": 100, "request": BODY, "answer": BODY,
    }  # fmt: skip
    return Held(**{**said, **changes})


STEPS = st.lists(
    st.tuples(st.sampled_from(["approve", "edit", "reject"]), st.sampled_from("abc"),
              st.integers(0, 150)),
    max_size=8,
)  # fmt: skip


@given(STEPS, st.integers(1, 3))
def test_it_is_decided_once_in_time_and_by_as_many_as_it_takes(steps, persons):
    held, now = a_held(persons=persons), 0
    for action, by, later in steps:
        now = max(now, later)
        before = held
        try:
            if action == "approve":
                held = approve(held, by=by, now_us=now)
            elif action == "edit":
                held = edit(held, by=by, now_us=now, edited=OTHER)
            else:
                held = reject(held, by=by, now_us=now)
        except InvalidRequest:
            assert held is before
            assert before.status != "waiting" or now >= 100 or action == "approve"
            continue
        assert before.status == "waiting"
        assert now < 100
        if held.delivers is not None:
            approved = {each.by for each in held.approvals}
            assert held.status == "edited" or len(approved) == persons
            assert held.status == "approved" or persons == 1
        if held.status == "rejected":
            assert held.delivers is None
    if held.status == "waiting":
        assert held.delivers is None
        assert held.status_at(100) == "expired"


def test_one_person_counts_once():
    held = approve(a_held(persons=2), by="ada", now_us=1)
    assert held.status == "waiting"
    with pytest.raises(InvalidRequest, match="already"):
        approve(held, by="ada", now_us=2)
    assert approve(held, by="bob", now_us=2).delivers == BODY


def test_an_edited_text_must_be_read_by_the_others_too():
    held = approve(a_held(persons=2), by="ada", now_us=1)
    held = edit(held, by="bob", now_us=2, edited=OTHER)
    assert held.status == "waiting"
    held = approve(held, by="ada", now_us=3)
    assert (held.status, held.delivers) == ("approved", OTHER)


def test_a_person_is_one_whatever_they_are_called():
    held = approve(a_held(persons=2), by="ada@a.example", principal="https://id#1", now_us=1)
    with pytest.raises(InvalidRequest, match="already"):
        approve(held, by="ada@b.example", principal="https://id#1", now_us=2)
    other = approve(held, by="bob@a.example", principal="https://id#2", now_us=2)
    assert other.status == "approved"
    assert [(each.principal, each.digest) for each in other.approvals] == [
        ("https://id#1", "a"), ("https://id#2", "a"),
    ]  # fmt: skip


def test_who_read_another_text_approves_nothing():
    held = edit(a_held(persons=2), by="ada", now_us=1, edited=OTHER)
    with pytest.raises(InvalidRequest, match="not the answer that you read"):
        approve(held, by="bob", now_us=2, digest="a")
    done = approve(held, by="bob", now_us=2, digest="b")
    assert [each.digest for each in done.approvals] == ["b", "b"]


def test_it_is_delivered_once():
    held = delivered(approve(a_held(), by="ada", now_us=1), now_us=5)
    assert delivered(held, now_us=9).delivered_us == 5
