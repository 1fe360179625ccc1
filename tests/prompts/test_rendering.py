"""Prompts in requests: one system message, everything else byte for byte."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.task import PromptVersion
from pointsman.prompts.rendering import render
from pointsman.surfaces.chat import parse_chat

PROMPT = PromptVersion(name="p", version="v1", digest="d", system='Say "hi"\n')


def rendered(messages):
    body = json.dumps({"model": "m", "messages": messages, "x": 1.50}).encode()
    request = render(parse_chat(body), PROMPT)
    return request, json.loads(bytes(request.fields["messages"]))


messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"]), "content": st.text(max_size=20)},
        optional={"name": st.text(max_size=5), "vendor": st.integers()},
    ),
    min_size=1, max_size=4,
)  # fmt: skip


@given(messages)
def test_the_clients_messages_follow_the_prompt_untouched(own):
    request, sent = rendered(own)
    assert sent == [{"role": "system", "content": PROMPT.system}, *own]
    assert [m.role for m in request.messages] == [m["role"] for m in sent]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_clients_own_system_message_is_joined_not_doubled(role):
    _, sent = rendered([{"role": role, "content": "Mine.", "vendor": 1},
                        {"role": "user", "content": "q"}])  # fmt: skip
    assert sent[0] == {"role": role, "content": f"{PROMPT.system}\n\nMine.", "vendor": 1}
    assert len(sent) == 2


def test_a_system_message_of_parts_gets_the_prompt_as_its_first_part():
    parts = [{"type": "text", "text": "Mine."}]
    _, sent = rendered([{"role": "system", "content": parts}, {"role": "user", "content": "q"}])
    assert sent[0]["content"] == [{"type": "text", "text": PROMPT.system}, *parts]


def test_other_fields_keep_their_bytes():
    request, _ = rendered([{"role": "user", "content": "q"}])
    assert bytes(request.fields["x"]) == b"1.5"
