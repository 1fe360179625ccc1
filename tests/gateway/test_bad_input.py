"""Whatever a client sends gets a clear OpenAI-shaped error, or is forwarded; nothing crashes."""

import contextlib
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.domain.errors import ConfigurationError, InvalidRequest
from pointsman.domain.messages import ModelRequest
from pointsman.domain.task import Key, ServerSettings
from pointsman.gateway.auth import check_exposure
from pointsman.surfaces.chat import parse_chat
from pointsman.testing import ScriptedUpstream, chat_answer

USER = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with ScriptedUpstream(default=chat_answer("ok")) as upstream:
        deployment = a_deployment("only", upstream.base_url)
        config = a_config(tmp_path_factory.mktemp("journal"), [deployment], gate=None)
        with RunningGateway(config) as running:
            running.upstream = upstream
            yield running


def body(**fields):
    return {"model": "task:work", "messages": USER, **fields}


@pytest.mark.parametrize(
    ("sent", "status", "code", "param"),
    [
        (b"", 400, "invalid_json", None),
        (b"{", 400, "invalid_json", None),
        (b"\xff\xfe", 400, "invalid_json", None),
        (b"[1]", 400, "invalid_type", None),
        (b"[" * 100_000, 400, "invalid_type", None),
        (b'{"model":"m","messages":' + b"[" * 100_000, 400, "invalid_type", None),
        (b'{"model":"m","messages":[],"x":' + b"[" * 100_000, 400, "invalid_json", None),
        ({"messages": USER}, 400, "invalid_type", "model"),
        ({"model": "task:work"}, 400, "invalid_type", "messages"),
        ({"model": 5, "messages": USER}, 400, "invalid_type", "model"),
        (body(messages=[]), 400, "empty_messages", "messages"),
        (body(messages="hi"), 400, "invalid_type", "messages"),
        (body(messages=[{"content": "hi"}]), 400, "invalid_type", "messages[0]"),
        (body(stream="yes"), 400, "invalid_type", "stream"),
        (body(n=0), 400, "invalid_value", "n"),
        (body(n=10**30), 400, "invalid_value", "n"),
        (body(model="task:wrok"), 404, "model_not_found", "model"),
        (body(model="x" * 100_000), 404, "model_not_found", "model"),
    ],
)
def test_a_bad_body_gets_an_error_that_names_the_field(gateway, sent, status, code, param):
    answer = gateway.request("POST", "/v1/chat/completions", sent)
    error = answer.json["error"]
    assert (answer.status, error["code"]) == (status, code)
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    if param is not None:
        assert error["param"] == param
    assert len(error["message"]) < 1000


def test_an_unknown_model_is_told_the_nearest_name(gateway):
    answer = gateway.chat(model="task:wrok")
    assert "task:work" in answer.json["error"]["message"]


def test_a_body_over_the_limit_is_refused_and_the_server_lives_on(tmp_path):
    with ScriptedUpstream(default=chat_answer("ok")) as upstream:
        config = a_config(tmp_path, [a_deployment("only", upstream.base_url)], gate=None)
        with RunningGateway(config) as gateway:
            try:
                answer = gateway.request("POST", "/v1/chat/completions", b"x" * 50_000_000)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the door closed while we were still sending
            else:
                assert answer.status == 413
                assert answer.json["error"]["code"] == "request_too_large"
            assert gateway.chat().status == 200


def test_unknown_fields_and_shapes_are_forwarded_as_they_came(gateway):
    parts = [{"type": "text", "text": "hi"}, {"type": "vendor_thing", "x": [1, None]}]
    odd = {"seed": 7, "vendor": {"deep": [1e-7, 12345678901234567890]}, "stop": None}
    answer = gateway.chat(messages=[{"role": "user", "content": parts, "vendor_name": "n"}], **odd)
    assert answer.status == 200
    sent = gateway.upstream.requests[-1].json
    assert sent["messages"] == [{"role": "user", "content": parts, "vendor_name": "n"}]
    assert {name: sent[name] for name in odd} == odd


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/nothing", 404),
        ("GET", "/", 404),
        ("GET", "/v1/../../etc/passwd", 404),
        ("DELETE", "/v1/models", 405),
        ("POST", "/v1/feedback", 400),
    ],
)
def test_a_wrong_path_or_method_is_said_so(gateway, method, path, status):
    answer = gateway.request(method, path)
    assert answer.status == status
    assert answer.json["error"]["message"]


@pytest.mark.parametrize(
    "said",
    [b"{}", b"nonsense", {"kind": "accepted"}, {"trace": "tr_x", "kind": "no spaces please"},
     {"trace": "tr_x", "kind": "k", "value": {"a": 1}}, {"trace": "tr_x", "kind": "k" * 100}],
)  # fmt: skip
def test_bad_feedback_is_refused(gateway, said):
    answer = gateway.request("POST", "/v1/feedback", said)
    assert answer.status in (400, 404)
    assert answer.json["error"]["message"]


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_make_the_parser_do_anything_but_parse_or_refuse(data):
    with contextlib.suppress(InvalidRequest):
        assert isinstance(parse_chat(data), ModelRequest)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("model", "messages", "stream", "n", "max_tokens", "stream_options", "logprobs", "zzz")


@given(st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_no_json_makes_the_parser_do_anything_but_parse_or_refuse(value):
    with contextlib.suppress(InvalidRequest):
        parse_chat(json.dumps(value).encode())


# Who may ask


def a_key(token: str, **changes) -> Key:
    return Key(name="app", sha256=hashlib.sha256(token.encode()).hexdigest(), **changes)


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    with ScriptedUpstream(default=chat_answer("ok")) as upstream:
        deployment = a_deployment("only", upstream.base_url)
        keys = [a_key("sk-good", tenant="acme"), a_key("sk-bound", tenant="other", tasks=("else",))]
        config = a_config(tmp_path_factory.mktemp("journal"), [deployment], gate=None, keys=keys)
        with RunningGateway(config) as running:
            yield running


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "missing_api_key"),
        ({"authorization": "Bearer sk-wrong"}, 401, "invalid_api_key"),
        ({"authorization": "Basic abc"}, 401, "missing_api_key"),
        ({"authorization": "Bearer sk-bound"}, 403, "model_not_allowed"),
    ],
)
def test_a_missing_or_wrong_key_is_refused(locked, headers, status, code):
    answer = locked.chat(headers=headers)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)


def test_the_tenant_comes_from_the_key_and_another_tenant_sees_nothing(locked):
    answer = locked.chat(headers={"authorization": "Bearer sk-good"}, user="other")
    assert answer.status == 200
    trace = answer.headers["x-pointsman-trace"]
    said = {"trace": trace, "kind": "accepted"}
    foreign = locked.request("POST", "/v1/feedback", said, {"authorization": "Bearer sk-bound"})
    own = locked.request("POST", "/v1/feedback", said, {"x-api-key": "sk-good"})
    assert (foreign.status, own.status) == (404, 200)
    assert locked.rows()[0]["tenant"] == "acme"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "localhost:4100"}, 200),
        ({"host": "[::1]:4100"}, 200),
        ({"host": "evil.example"}, 403),
        ({"origin": "http://localhost:3000"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_without_keys_only_this_machine_and_its_own_pages_may_ask(gateway, headers, status):
    assert gateway.chat(headers=headers).status == status


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "example.org"])
def test_a_door_to_the_network_without_keys_does_not_open(host):
    with pytest.raises(ConfigurationError):
        check_exposure((), ServerSettings(host=host))
    check_exposure((a_key("k"),), ServerSettings(host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_a_loopback_door_may_stand_open(host):
    check_exposure((), ServerSettings(host=host))
