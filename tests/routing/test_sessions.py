"""Which requests are of one conversation, and where it is remembered to be."""

import json

import pytest

from pointsman.domain.money import Price
from pointsman.routing.sessions import Place, Sessions, prefix_usd_picos, session_key
from pointsman.surfaces.chat import parse_chat

FIRST = [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}]
LATER = [*FIRST, {"role": "assistant", "content": "A"}, {"role": "user", "content": "again"}]


def key(messages=FIRST, session=None, **fields):
    body = json.dumps({"model": "m", "messages": messages, **fields}).encode()
    return session_key(parse_chat(body), session=session)


def test_the_first_name_that_is_there_counts():
    named = {"prompt_cache_key": "k", "metadata": {"thread_id": "m"}}
    assert key(session="s", **named) == "s:s"
    assert key(**named) == "k:k"
    assert key(metadata={"thread_id": "m"}) == "m:m"
    assert key().startswith("d:")


def test_every_turn_of_a_conversation_has_the_key_of_its_beginning():
    assert key(LATER) == key(FIRST)
    other = [FIRST[0], {"role": "user", "content": "another"}]
    assert key(other) != key(FIRST)
    assert key(FIRST, user="ann") != key(FIRST, user="bob")


@pytest.mark.parametrize("odd", [{"prompt_cache_key": 3}, {"prompt_cache_key": ""},
                                 {"metadata": {"thread_id": 7}}])  # fmt: skip
def test_what_names_nothing_is_passed_over(odd):
    assert key(**odd) == key()


def test_parts_count_as_their_texts_and_a_chat_without_a_user_has_no_key():
    parts = [{"type": "image_url", "image_url": {"url": "data:,"}}, {"type": "text", "text": "Q"}]
    assert key([{"role": "user", "content": parts}]) == key([{"role": "user", "content": "Q"}])
    assert key([{"role": "system", "content": "S"}]) is None


def a_place(at_s: float) -> Place:
    return Place(("small",), "small", 100, at_s)


def test_a_conversation_is_forgotten_after_its_silence_and_under_pressure():
    sessions = Sessions(most=2)
    for number in range(3):
        sessions.put(("t", "task:a", str(number)), a_place(float(number)))
    assert len(sessions) == 2
    assert sessions.find(("t", "task:a", "0"), now_s=2.0, keep_s=60) is None
    assert sessions.find(("t", "task:a", "2"), now_s=2.0, keep_s=60) == a_place(2.0)
    assert sessions.find(("other", "task:a", "2"), now_s=2.0, keep_s=60) is None
    assert sessions.find(("t", "task:a", "2"), now_s=70.0, keep_s=60) is None


def test_leaving_loses_what_the_cache_saves():
    price = Price(input_usd_picos=10, output_usd_picos=1, cached_input_usd_picos=2)
    assert prefix_usd_picos(a_place(0), price) == 800
    assert prefix_usd_picos(a_place(0), Price(input_usd_picos=10, output_usd_picos=1)) == 0
    assert prefix_usd_picos(a_place(0), None) == 0
