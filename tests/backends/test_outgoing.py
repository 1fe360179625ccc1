"""What goes out is what the client sent, but for the model's name and what the dialect declares."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from backend_calls import a_call, sent
from hypothesis import given
from hypothesis import strategies as st

from pointsman.backends import outgoing as outgoing_module
from pointsman.backends.dialects import ENGINES, FAMILIES
from pointsman.backends.outgoing import encode
from pointsman.domain.errors import InvalidRequest
from pointsman.domain.portfolio import Limits
from pointsman.surfaces.chat import parse_chat
from pointsman.surfaces.completions import parse_completion

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=3),
    max_leaves=6,
)  # fmt: skip
OURS = {"model", "messages", "stream", "stream_options", "n", "max_tokens", "logprobs", "metadata",
        "max_completion_tokens", "reasoning_effort", "enable_thinking",
        "chat_template_kwargs"}  # fmt: skip
unknown = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda n: n not in OURS), json_values
)
known = st.fixed_dictionaries(
    {},
    optional={
        "stream": st.none() | st.booleans(),
        "stream_options": st.none()
        | st.fixed_dictionaries(
            {}, optional={"include_usage": st.none() | st.booleans(), "continuous": st.booleans()}
        ),
        "logprobs": st.none() | st.booleans(),
        "max_tokens": st.none() | st.integers(1, 99),
        "reasoning_effort": st.none() | st.sampled_from(["none", "low"]),
        "enable_thinking": st.none() | st.booleans(),
        "chat_template_kwargs": st.none() | st.dictionaries(st.text(max_size=5), json_values),
    },
)


def pairs(text: bytes) -> list[tuple[str, Any]]:
    """Members of an object in their order, numbers exact."""
    found: list[tuple[str, Any]] = json.loads(
        text, object_pairs_hook=lambda members: members, parse_float=Decimal
    )
    return found


@given(
    st.sampled_from(sorted(ENGINES)), st.sampled_from(sorted(FAMILIES)), unknown, known,
    st.booleans(), st.sampled_from([None, "off", "on", "high"]), st.randoms(use_true_random=False),
)  # fmt: skip
def test_no_null_is_added_and_no_unknown_field_dropped_changed_or_moved(
    engine, family, unknown, known, logprobs, thinking, chance
):
    members = [*unknown.items(), *known.items(), ("model", "m"), ("messages", [{"role": "user"}])]
    chance.shuffle(members)
    body = json.dumps(dict(members)).encode()
    limits = {"limits": Limits(max_output_tokens=5)}
    call = a_call(
        engine, family, body=body, gate_logprobs=logprobs, thinking=thinking, deployment=limits
    )
    before, after = pairs(body), pairs(encode(call).body)
    untouched = [member for member in before if member[0] in {*unknown, "messages"}]
    assert [member for member in after if member[0] in {*unknown, "messages"}] == untouched
    nulls = {name for name, value in before if value is None}
    assert {name for name, value in after if value is None} <= nulls
    assert len(after) == len({name for name, _ in after})
    kept = [name for name, _ in after if name in dict(before)]
    assert kept == [name for name, _ in before if name in kept]


def test_numbers_go_out_digit_by_digit():
    body = (
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":0.10,'
        b'"seed":123456789012345678901234567890,"x":1e400,"y":{"z" : [ 1.0 ]}}'
    )
    out = encode(a_call(body=body)).body
    for piece in (b'"temperature":0.10', b"123456789012345678901234567890", b"1e400", b"[ 1.0 ]"):
        assert piece in out


def test_usage_is_asked_of_a_stream_and_stripped_only_where_the_client_did_not_ask():
    asked = encode(a_call(stream=True, stream_options={"include_usage": True}))
    assert not asked.strip_usage
    for options in ({"include_usage": False}, {"include_usage": None}, {}, None):
        call = a_call(stream=True, stream_options=options)
        assert encode(call).strip_usage
        assert sent(call)["stream_options"] == {"include_usage": True}
    assert not encode(a_call()).strip_usage
    assert "stream_options" not in sent(a_call())


def test_other_stream_options_of_the_client_stay():
    call = a_call(stream=True, stream_options={"continuous_usage_stats": True})
    assert sent(call)["stream_options"] == {"continuous_usage_stats": True, "include_usage": True}


@pytest.mark.parametrize(
    ("asked", "able", "client", "stripped"),
    [
        (True, True, None, True),
        (True, True, False, True),
        (True, True, True, False),
        (True, False, None, False),
        (False, True, None, False),
    ],
)
def test_logprobs_are_asked_for_a_gate_and_stripped_unless_the_client_asked_too(
    asked, able, client, stripped
):
    fields = {} if client is None else {"logprobs": client}
    call = a_call(gate_logprobs=asked, deployment={"logprobs": able}, **fields)
    assert encode(call).strip_logprobs is stripped
    assert sent(call).get("logprobs") == (True if stripped else client)


TEXT = {"model": "m", "prompt": "hi"}


def a_text_call(engine="openai", **fields: Any):
    """A call for a completion whose gate reads logprobs."""
    call = a_call(engine, gate_logprobs=True)
    request = parse_completion(json.dumps({**TEXT, **fields}).encode())
    return msgspec.structs.replace(call, request=request)


@pytest.mark.parametrize(
    ("engine", "fields", "asked"),
    [
        ("vllm", {}, 1),
        ("llamacpp", {"stream": True}, 1),
        ("vllm", {"logprobs": None}, 1),
        ("vllm", {"logprobs": 5}, None),  # the client's own, and it is given them
        ("vllm", {"logprobs": 0}, None),
        ("vllm", {"echo": True}, None),
        ("vllm", {"echo": False}, 1),
        ("tgi", {}, None),
        ("ollama", {}, None),
        ("dashscope", {}, None),
    ],
)
def test_of_a_completion_logprobs_are_asked_for_a_gate_as_completions_take_them(
    engine, fields, asked
):
    outgoing = encode(a_text_call(engine, **fields))
    assert outgoing.strip_logprobs is (asked is not None)
    own = fields.get("logprobs")
    assert json.loads(outgoing.body).get("logprobs") == (own if asked is None else asked)


def test_a_completion_is_told_nothing_of_thinking_and_its_form_in_the_engines_words():
    body = json.loads(encode(a_text_call("sglang", guided_regex="[0-9]")).body)
    assert body["regex"] == body["guided_regex"] == "[0-9]"
    assert "chat_template_kwargs" not in body


@pytest.mark.parametrize("how", ["always", "never"])
def test_an_engine_that_is_not_to_be_asked_for_usage_is_not_asked(monkeypatch, how):
    row = msgspec.structs.replace(ENGINES["vllm"], stream_usage=how)
    monkeypatch.setattr(outgoing_module, "ENGINES", {**ENGINES, "vllm": row})
    call = a_call("vllm", stream=True)
    assert sent(call) == {"stream": True}
    assert encode(call).strip_usage  # it may come all the same


def test_a_deployments_bound_on_output_stands_in_where_the_client_named_none():
    bound = {"limits": Limits(max_output_tokens=64)}
    assert sent(a_call(deployment=bound)) == {"max_tokens": 64}
    for own in ({"max_tokens": 9}, {"max_completion_tokens": 9}):
        assert sent(a_call(deployment=bound, **own)) == own


def test_what_would_be_forwarded_unread_is_text_or_refused():
    for field in (b'"vendor":"\xff"', b'"stream_options":{"\xff":1}'):
        body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,%b}' % field
        with pytest.raises(InvalidRequest):
            parse_chat(body)


def test_fields_of_an_arm_stand_where_the_client_said_nothing_of_them():
    mode = {"fields": {"top_k": 20, "mm_processor_kwargs": {"max_pixels": 9}}}
    assert sent(a_call(mode=mode)) == {"top_k": 20, "mm_processor_kwargs": {"max_pixels": 9}}
    assert sent(a_call(mode=mode, top_k=1))["top_k"] == 1
