"""Held answers in the state, on both databases: found by their own, changed once at a time."""

import threading

import pytest

from pointsman.domain.errors import InvalidRequest, NotFound
from pointsman.domain.records import BodyRef
from pointsman.domain.reviews import Held, approve, reject

BODY = BodyRef(digest="a", size=1)


def a_held(at, **changes):
    said = {
        "id": f"held_{at:03d}", "trace": "tr_1", "tenant": "acme", "principal": "p",
        "surface": "chat", "why": "w", "made_us": at, "expires_us": 1_000, "request": BODY,
        "answer": BODY,
    }  # fmt: skip
    return Held(**{**said, **changes})


def test_they_wait_in_order_until_decided_or_over(state):
    for at in range(5):
        state.held.add(a_held(at, expires_us=10 if at == 1 else 1_000))
    state.held.change("held_002", lambda one: reject(one, by="ada", now_us=5))
    ids = [each.id for each in state.held.waiting(now_us=20)]
    assert ids == ["held_000", "held_003", "held_004"]
    assert [each.id for each in state.held.waiting(now_us=20, after="held_000", limit=1)] == [
        "held_003"
    ]
    assert state.held.latest(limit=1)[0].id == "held_004"
    assert state.held.forget(before_us=11) == 1
    with pytest.raises(NotFound):
        state.held.get("held_001")


def test_another_tenants_is_not_there(state):
    state.held.add(a_held(0))
    assert state.held.get("held_000", tenant="acme").tenant == "acme"
    with pytest.raises(NotFound):
        state.held.get("held_000", tenant="other")
    with pytest.raises(NotFound):
        state.held.change("held_9", lambda one: one)


def test_two_who_decide_at_once_are_one_after_the_other(state):
    state.held.add(a_held(0, persons=1))
    done, refused = [], []

    def decide(name):
        try:
            done.append(state.held.change("held_000", lambda one: approve(one, by=name, now_us=1)))
        except InvalidRequest as error:
            refused.append(error)

    threads = [threading.Thread(target=decide, args=(name,)) for name in "abcd"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (len(done), len(refused)) == (1, 3)
    assert state.held.get("held_000").decided_by == done[0].decided_by
