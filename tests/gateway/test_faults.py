"""Every way an upstream can fail, before and after the first byte, plain and streamed."""

import json
import socket
import threading

import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.domain.portfolio import Limits
from pointsman.testing import (
    Flag,
    ScriptedUpstream,
    chat_answer,
    chat_stream,
    closed_at_once,
    cut,
    empty_answer,
    event_stream,
    free_port,
    head_only,
    malformed_event,
    malformed_framing,
    raw_answer,
    silence,
    status_answer,
    trickle,
)

ERROR_400 = {"error": {"message": "context length exceeded", "type": "BadRequestError"}}
ERROR_IN_STREAM = json.dumps({"error": {"message": "engine died", "code": 500}}).encode()

# Faults before anything could be shown: (name, script for plain, script for streamed, kind)
EARLY = [
    ("never answers", silence(), silence(), "first_token_timeout"),
    ("closes at once", closed_at_once(), closed_at_once(), "cut"),
    ("resets", closed_at_once("reset"), closed_at_once("reset"), "cut"),
    ("500", status_answer(500, {"error": {"message": "boom"}}),
     status_answer(500, {"error": {"message": "boom"}}), "server_error"),
    ("401 of our own key", status_answer(401, {"error": {"message": "bad key"}}),
     status_answer(401, {"error": {"message": "bad key"}}), "server_error"),
    ("429", status_answer(429, {"error": {"message": "slow down"}}, [("Retry-After", "7")]),
     status_answer(429, {"error": {"message": "slow down"}}, [("Retry-After", "7")]),
     "rate_limited"),
    ("empty body", empty_answer(), empty_answer(), None),
    ("empty answer", chat_answer(""), chat_stream([]), "empty"),
    ("cut", cut(chat_answer("a long answer"), 260), cut(chat_stream("hello"), 330), "cut"),
    ("head and silence", head_only("hang"), head_only("hang"), None),
    ("malformed", status_answer(200, b"<html>not json</html>"), malformed_event(), "malformed"),
    ("malformed framing", malformed_framing(), malformed_framing(), "malformed"),
    ("garbage", raw_answer(b"\x00\x01\x02 not http\r\n\r\n"), raw_answer(b"SSH-2.0-x\r\n\r\n"),
     "malformed"),
    ("error event", status_answer(200, ERROR_IN_STREAM), event_stream([ERROR_IN_STREAM]),
     "server_error"),
]  # fmt: skip


@pytest.fixture
def pair():
    with ScriptedUpstream() as first, ScriptedUpstream() as second:
        yield first, second


IMPATIENT = Limits(
    connect_timeout_s=5, first_token_timeout_s=2, between_tokens_timeout_s=2, timeout_s=10
)


def gateway_for(tmp_path, first, second, **changes):
    deployments = [
        a_deployment("first", first.base_url, limits=IMPATIENT),
        a_deployment("second", second.base_url),
    ]
    settings = {"steps": ["first"], "gate": None, "fallbacks": ["second"], **changes}
    return RunningGateway(a_config(tmp_path, deployments, **settings))


def attempts_of(gateway):
    [row] = gateway.rows()
    return row, json.loads(row["attempts"])


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("fault", EARLY, ids=lambda fault: fault[0])
def test_a_failure_before_the_first_byte_falls_over_unseen(tmp_path, pair, fault, stream):
    _, plain, streamed, kind = fault
    first, second = pair
    first.then(streamed if stream else plain)
    second.then(chat_stream("it works") if stream else chat_answer("it works"))
    with gateway_for(tmp_path, first, second) as gateway:
        answer = gateway.chat(stream=stream)
        assert answer.status == 200
        if stream:
            assert answer.text == "it works"
            assert answer.events[-1] == "[DONE]"
            assert not any("error" in chunk for chunk in answer.chunks)
        else:
            assert answer.json["choices"][0]["message"]["content"] == "it works"
        assert answer.headers["x-pointsman-deployment"] == "second"
        row, attempts = attempts_of(gateway)
    assert row["status"] == "delivered"
    assert len(attempts) == 2
    if kind is not None:
        assert attempts[0]["failure"]["kind"] == kind


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("fault", EARLY, ids=lambda fault: fault[0])
def test_with_nothing_left_the_client_gets_an_error_with_its_own_status(
    tmp_path, pair, fault, stream
):
    _, plain, streamed, kind = fault
    first, second = pair
    first.then(streamed if stream else plain)
    with gateway_for(tmp_path, first, second, fallbacks=[]) as gateway:
        answer = gateway.chat(stream=stream)
        expected = {"first_token_timeout": 504, "rate_limited": 429}.get(kind or "")
        assert answer.status == expected or (expected is None and answer.status in (502, 504))
        assert set(answer.json["error"]) == {"message", "type", "param", "code"}
        if kind == "rate_limited":
            assert answer.headers["retry-after"] == "7"
        row, attempts = attempts_of(gateway)
    assert row["status"] == "failed"
    assert row["http_status"] == answer.status
    assert attempts[0]["failure"]


def test_a_refused_connection_falls_over_unseen(tmp_path, pair):
    _, second = pair
    second.then(chat_answer("it works"))
    dead = a_deployment("first", f"http://127.0.0.1:{free_port()}/v1")
    config = a_config(
        tmp_path, [dead, a_deployment("second", second.base_url)],
        steps=["first"], gate=None, fallbacks=["second"],
    )  # fmt: skip
    with RunningGateway(config) as gateway:
        assert gateway.chat().status == 200
        _, attempts = attempts_of(gateway)
    assert attempts[0]["failure"]["kind"] == "refused"
    assert "cost_usd_picos" not in attempts[0]


def test_a_stream_cut_after_its_first_byte_says_so_and_has_no_done(tmp_path, pair):
    first, second = pair
    first.then(cut(chat_stream("one two three four five six seven eight"), 1500))
    with gateway_for(tmp_path, first, second) as gateway:
        answer = gateway.chat(stream=True)
        assert answer.status == 200
        assert answer.text.startswith("one")
        assert "[DONE]" not in answer.events
        error = json.loads(answer.events[-1])["error"]
        assert error["code"] == "stream_interrupted"
        assert second.requests == []
        row, attempts = attempts_of(gateway)
    assert row["status"] == "cut"
    assert attempts[0]["failure"]["kind"] == "cut"
    assert attempts[0]["usage"]["source"] == "estimated"
    assert row["cost_usd_picos"] > 0


def test_a_stream_that_stalls_after_its_first_byte_times_out_and_says_so(tmp_path, pair):
    first, second = pair
    words = [b'{"choices":[{"index":0,"delta":{"content":"one"}}]}'] * 2
    never = Flag()
    first.then(event_stream([*words, b"[DONE]"], once=never))
    with gateway_for(tmp_path, first, second) as gateway:
        answer = gateway.chat(stream=True)
        assert answer.text == "one"
        assert "[DONE]" not in answer.events
        assert json.loads(answer.events[-1])["error"]["type"] == "upstream_error"
        _, attempts = attempts_of(gateway)
    assert attempts[0]["failure"]["kind"] == "between_tokens_timeout"


def test_a_malformed_chunk_after_the_first_byte_breaks_the_stream(tmp_path, pair):
    first, second = pair
    good = b'{"choices":[{"index":0,"delta":{"content":"one"}}]}'
    first.then(event_stream([good, b'{"choices": [', b"[DONE]"], every_s=0.3))
    with gateway_for(tmp_path, first, second) as gateway:
        answer = gateway.chat(stream=True)
        assert "[DONE]" not in answer.events
        assert "error" in json.loads(answer.events[-1])


def test_a_slow_trickle_is_an_answer_all_the_same(tmp_path, pair):
    first, second = pair
    first.then(trickle(chat_stream("one two"), size=40, every_s=0.002))
    with gateway_for(tmp_path, first, second) as gateway:
        answer = gateway.chat(stream=True)
        assert answer.text == "one two"
        assert answer.events[-1] == "[DONE]"


def test_an_engines_refusal_of_the_request_itself_reaches_the_client_in_its_words(tmp_path, pair):
    first, second = pair
    first.then(status_answer(400, ERROR_400))
    second.then(status_answer(400, ERROR_400))
    with gateway_for(tmp_path, first, second) as gateway:
        answer = gateway.chat()
        assert answer.status == 400
        assert "context length exceeded" in answer.json["error"]["message"]
        assert answer.json["error"]["type"] == "invalid_request_error"
        row, _ = attempts_of(gateway)
    assert row["status"] == "refused"


def test_a_rejected_answer_still_stands_when_the_stronger_step_fails(tmp_path, pair):
    first, second = pair
    first.then(chat_answer("cheap", finish_reason="length"))
    second.then(status_answer(500, {}))
    changes = {"steps": ["first", "second"], "fallbacks": [], "gate": "finish_reason != 'length'"}
    with gateway_for(tmp_path, first, second, **changes) as gateway:
        answer = gateway.chat()
        assert answer.status == 200
        assert answer.json["choices"][0]["message"]["content"] == "cheap"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_a_client_that_goes_away_cancels_the_upstream_call(tmp_path, pair, stream):
    first, second = pair
    events = [b'{"choices":[{"index":0,"delta":{"content":"one"}}]}'] * 2
    first.then(event_stream([*events, b"[DONE]"], once=Flag()) if stream else silence())
    with gateway_for(tmp_path, first, second) as gateway:
        body = json.dumps(
            {"model": "task:work", "stream": stream, "messages": [{"role": "user", "content": "x"}]}
        ).encode()
        client = socket.create_connection(("127.0.0.1", gateway.port))
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n"
            % len(body) + body
        )  # fmt: skip
        received = first.wait_request()
        if stream:
            client.recv(10)
        client.close()
        assert received.cancelled.wait(5), "the upstream call went on"
        row = _ended(gateway)
    attempts = json.loads(row["attempts"])
    assert row["status"] == "cancelled"
    assert attempts[0]["failure"]["kind"] == "cancelled"
    assert attempts[0]["usage"]["prompt_tokens"] > 0
    assert second.requests == []


def _ended(gateway):
    waited = threading.Event()
    for _ in range(100):
        rows = gateway.rows()
        if rows and rows[0]["status"] is not None:
            return rows[0]
        waited.wait(0.05)
    raise AssertionError("no end was recorded")
