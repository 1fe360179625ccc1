"""The official npm client, unmodified, against a running gateway: npm/ask.mjs asks, we read."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.domain.task import Key
from pointsman.testing import (
    ScriptedUpstream,
    chat_answer,
    chat_stream,
    cut,
    event_stream,
    silence,
    status_answer,
)

HERE = Path(__file__).parent / "npm"
CITIES = ['{"city": "Paris"}', '{"city": "東京"}']
CALLS = [
    {"id": f"call_{at}", "type": "function",
     "function": {"name": "get_weather", "arguments": arguments}}
    for at, arguments in enumerate(CITIES)
]  # fmt: skip


@pytest.fixture(scope="module")
def said(modules, tmp_path_factory):
    """What the script printed, and the requests that reached the engine, by their text."""
    if isinstance(modules, str):
        return modules
    folder = tmp_path_factory.mktemp("npm")
    shutil.copy(HERE / "ask.mjs", folder)
    (folder / "node_modules").symlink_to(modules)
    key = Key(name="app", sha256=hashlib.sha256(b"sk-right").hexdigest())
    with ScriptedUpstream(default=engine()) as upstream:
        deployment = a_deployment("only", upstream.base_url)
        vectors = a_deployment("vectors", upstream.base_url, operations=("embedding",))
        deployments = [deployment, vectors]
        config = a_config(folder / "journal", deployments, steps=["only"], gate=None, keys=[key])
        with RunningGateway(config) as gateway:
            own = {"OPENAI_BASE_URL": gateway.url, "OPENAI_API_KEY": "sk-right"}
            done = subprocess.run(
                ["node", "ask.mjs"],
                cwd=folder, env={**os.environ, **own},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            for received in upstream.requests:
                if text_of(received) in ("left", "timeout"):
                    assert received.cancelled.wait(), text_of(received)
            traces = {row["trace"] for row in gateway.rows()}
        return json.loads(done.stdout), {text_of(each): each for each in upstream.requests}, traces


@pytest.fixture
def results(said, skip_or_fail):
    if isinstance(said, str):
        skip_or_fail("npm", said)
    return said[0]


@pytest.fixture
def requests(said, results):
    return said[1]


def text_of(received):
    said = received.json
    return said["messages"][0]["content"] if "messages" in said else received.target


def engine():
    """An engine whose answer depends on what is asked."""
    two = [
        {"index": at, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        for at, text in enumerate(("a", "b"))
    ]
    busy = status_answer(429, headers=[("Retry-After", "0.05")])
    retried = iter([busy, chat_answer("at last")])
    scripts = {
        "chat": chat_answer("good morning"),
        "stream": chat_stream("one two three"),
        "tools": chat_answer("", tool_calls=CALLS, finish_reason="tool_calls"),
        "results": chat_answer("12 and 12 degrees"),
        "streamed tools": event_stream([*tool_frames(), b"[DONE]"]),
        "schema": chat_answer('{"customer": "Ada", "priority": 2}'),
        "two": status_answer(200, {"id": "c", "object": "chat.completion", "choices": two}),
        "left": chat_stream(["word "] * 1000, every_s=0.01),
        "too long": status_answer(400, {"error": {"message": "context length exceeded"}}),
        "rate limited": status_answer(429, headers=[("Retry-After", "7")]),
        "unavailable": status_answer(500),
        "broken": cut(chat_stream("one two three four five six seven eight"), 1500),
        "timeout": silence(),
        "response": chat_answer("good evening"),
        "/v1/completions": status_answer(
            200, {"id": "t", "choices": [{"index": 0, "text": " and on", "finish_reason": "stop"}]}
        ),
        # 1 and 0.5 as the client asks for them: four bytes each, in base64
        "/v1/embeddings": status_answer(
            200, {"object": "list", "data": [{"index": 0, "embedding": "AACAPwAAAD8="}]}
        ),
    }

    def script(received):
        text = text_of(received)
        return (next(retried) if text == "retried" else scripts[text])(received)

    return script


def tool_frames():
    def frame(finish=None, **delta):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        said = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        return json.dumps({**said, "choices": [choice]}).encode()

    yield frame(role="assistant", content=None)
    for at, call in enumerate(CALLS):
        arguments = call["function"]["arguments"]
        opening = {**call, "index": at, "function": {"name": "get_weather", "arguments": ""}}
        yield frame(tool_calls=[opening])
        for start in range(0, len(arguments), 5):
            piece = {"arguments": arguments[start : start + 5]}
            yield frame(tool_calls=[{"index": at, "function": piece}])
    yield frame("tool_calls")


def test_no_case_of_the_script_crashed(results):
    assert {name: said for name, said in results.items() if "crashed" in str(said)} == {}


def test_a_chat_is_answered_and_its_request_id_is_the_trace(results, requests, said):
    chat = results["chat"]
    assert (chat["content"], chat["deployment"]) == ("good morning", "only")
    assert chat["usage"]["completion_tokens"] == 2
    assert chat["sameID"]
    assert chat["requestID"] in said[2]
    sent = requests["chat"].json
    assert (sent["seed"], sent["top_k"], sent["model"]) == (7, 20, "only-model")


def test_a_stream_ends_with_its_usage(results):
    stream = results["stream"]
    assert (stream["content"], stream["finish"]) == ("one two three", "stop")
    assert stream["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("name", ["tools", "streamedTools"])
def test_several_tool_calls_come_back_plain_and_streamed(results, name):
    calls = results[name]["calls"]
    assert [call["function"]["arguments"] for call in calls] == CITIES
    assert [call["id"] for call in calls] == ["call_0", "call_1"]


def test_the_results_of_tools_go_on(results, requests):
    assert results["tools"]["after"] == "12 and 12 degrees"
    roles = [message["role"] for message in requests["results"].json["messages"]]
    assert roles == ["user", "assistant", "tool", "tool"]


def test_a_json_schema_goes_out_as_it_is(results, requests):
    assert results["schema"] == {"customer": "Ada", "priority": 2}
    assert requests["schema"].json["response_format"]["json_schema"]["strict"] is True


def test_two_choices_are_two_choices(results):
    assert results["two"] == ["a", "b"]


def test_a_client_that_leaves_or_loses_patience_cancels_the_engine(results, requests):
    assert results["left"] is True
    assert results["timeout"]["kind"] == "APIConnectionTimeoutError"
    assert requests["left"].cancelled.is_set()
    assert requests["timeout"].cancelled.is_set()


@pytest.mark.parametrize(
    ("name", "kind", "status", "code"),
    [
        ("unknownModel", "NotFoundError", 404, "model_not_found"),
        ("wrongKey", "AuthenticationError", 401, "invalid_api_key"),
        ("badRequest", "BadRequestError", 400, "invalid_value"),
        ("tooLong", "BadRequestError", 400, "context_length_exceeded"),
        ("rateLimited", "RateLimitError", 429, "rate_limit_exceeded"),
        ("unavailable", "InternalServerError", 502, "upstream_unavailable"),
    ],
)
def test_an_error_is_the_clients_own_class_with_our_code(results, name, kind, status, code):
    error = results[name]
    assert (error["kind"], error["status"], error["code"]) == (kind, status, code)


def test_an_error_tells_what_the_client_can_do(results):
    assert results["badRequest"]["param"] == "n"
    assert "context length exceeded" in results["tooLong"]["message"]
    assert results["tooLong"]["requestID"].startswith("tr_")
    assert results["rateLimited"]["retryAfter"] == "7"
    assert results["retried"] == "at last"


def test_a_stream_that_breaks_throws_and_is_never_a_short_success(results):
    broken = results["broken"]
    assert broken["content"].startswith("one")
    assert broken["error"]["isAPIError"]
    assert "broke off" in broken["error"]["message"]


def test_every_other_surface_answers_the_client_too(results):
    assert results["response"]["text"] == "good evening"
    assert results["response"]["status"] == "completed"
    assert results["streamedResponse"] == {"text": "one two three", "last": "response.completed"}
    assert results["completion"] == " and on"
    assert results["embedding"] == [1, 0.5]
    assert {"task:work", "only", "vectors"} <= set(results["models"])


def test_the_lock_names_no_machine():
    lock = (HERE / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert "http" not in lock
