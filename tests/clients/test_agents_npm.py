"""An agent on the official npm clients of Anthropic and OpenAI: npm/agent.mjs asks, we read."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.domain.task import Key
from pointsman.testing import (
    Received,
    ScriptedUpstream,
    chat_stream,
    cut,
    event_stream,
    status_answer,
)

HERE = Path(__file__).parent / "npm"
HEAD = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "qwen"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def two_calls() -> Any:
    """Thoughts, a word, and two calls whose arguments come by turns."""

    def call(index: int, arguments: str, **more: Any) -> dict[str, Any]:
        name = {"name": more.pop("name")} if more else {}
        return {"index": index, "function": {"arguments": arguments, **name}, **more}

    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "I must read two files."},
        {"content": "Let me read."},
        {"tool_calls": [call(0, "", id="call_a", name="read")]},
        {"tool_calls": [call(1, "", id="call_b", name="read")]},
    ]
    for piece in ('{"pa', 'th": ', '"'):
        deltas += [{"tool_calls": [call(index, piece)]} for index in (0, 1)]
    deltas += [{"tool_calls": [call(0, 'a.py"}')]}, {"tool_calls": [call(1, '東京"}')]}]
    chunks = [{**HEAD, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    chunks.append({**HEAD, "choices": [], "usage": USAGE})
    return event_stream([*(json.dumps(each).encode() for each in chunks), b"[DONE]"])


def engine(received: Received) -> Any:
    """Calls first; answers once the results are there. A probe is no question."""
    if received.method == "GET":
        return status_answer(200)(received)
    messages = received.json["messages"]
    said = next(each["content"] for each in messages if each["role"] == "user")
    scripts = {
        "busy": status_answer(503),
        "broken": cut(chat_stream("one two three four five six seven eight"), 1500),
        "left": chat_stream(["word "] * 1000, every_s=0.01),
    }
    done = any(each["role"] == "tool" for each in messages)
    scripts["agent"] = chat_stream("Both are read.") if done else two_calls()
    return scripts[said](received)


@pytest.fixture(scope="module")
def said(modules, tmp_path_factory):
    """What the agent printed, and the requests that reached the engine."""
    if isinstance(modules, str):
        return modules
    folder = tmp_path_factory.mktemp("agents")
    shutil.copy(HERE / "agent.mjs", folder)
    (folder / "node_modules").symlink_to(modules)
    key = Key(name="agents", sha256=hashlib.sha256(b"sk-agents").hexdigest())
    with ScriptedUpstream(default=engine) as upstream:
        coder = a_deployment("coder", upstream.base_url, engine="vllm", family="qwen3")
        config = a_config(folder / "journal", [coder], gate=None, keys=[key])
        config = msgspec.structs.replace(config, aliases={"claude-sonnet": "coder"})
        with RunningGateway(config) as gateway:
            own = {"AGENT_URL": gateway.url.removesuffix("/v1"), "AGENT_KEY": "sk-agents"}
            done = subprocess.run(
                ["node", "agent.mjs"],
                cwd=folder, env={**os.environ, **own},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            left = [each for each in upstream.requests if b'"left"' in each.body]
            assert [each.cancelled.wait() for each in left] == [True]
            rows = gateway.rows()
            asked = [each for each in upstream.requests if each.method == "POST"]
        return json.loads(done.stdout), asked, rows


@pytest.fixture
def results(said, skip_or_fail):
    if isinstance(said, str):
        skip_or_fail("npm", said)
    return said[0]


def test_no_case_of_the_agent_crashed(results):
    assert {name: said for name, said in results.items() if "crashed" in str(said)} == {}


@pytest.mark.parametrize("surface", ["messages", "responses"])
def test_an_agent_calls_its_tools_and_answers(results, said, surface):
    told = results[surface]
    assert (told["text"], told["turn"]) == ("Both are read.", 1)
    assert told["usage"]["input_tokens"] == 11
    [asked] = [
        each.json for each in said[1]
        if any(m["role"] == "tool" for m in each.json["messages"])
        and (each.json.get("max_tokens") == 1000) == (surface == "messages")
    ]  # fmt: skip
    assert [each["role"] for each in asked["messages"]] == [
        "system", "user", "assistant", "tool", "tool",
    ]  # fmt: skip
    assistant, *results_ = asked["messages"][2:]
    assert assistant["reasoning_content"] == "I must read two files."
    paths = [json.loads(each["function"]["arguments"]) for each in assistant["tool_calls"]]
    assert paths == [{"path": "a.py"}, {"path": "東京"}]
    assert [(each["tool_call_id"], each["content"]) for each in results_] == [
        ("call_a", "contents of a.py"), ("call_b", "contents of 東京"),
    ]  # fmt: skip


def test_the_switch_of_thinking_is_the_engines_own(said, results):
    switched = [each.json.get("chat_template_kwargs") for each in said[1]]
    assert {"enable_thinking": True} in switched
    assert not any("thinking" in each.json for each in said[1])


def test_the_agent_saw_every_kind_of_event(results):
    assert results["messages"]["reason"] == "end_turn"
    assert {"message_start", "content_block_start", "content_block_delta", "content_block_stop",
            "message_delta", "message_stop"} == set(results["messages"]["kinds"])  # fmt: skip
    assert results["responses"]["status"] == "completed"
    assert {"response.created", "response.reasoning_text.delta", "response.output_text.done",
            "response.function_call_arguments.done",
            "response.completed"} <= set(results["responses"]["kinds"])  # fmt: skip


def test_tokens_and_models_are_told(results):
    assert 1 <= results["count"] <= 10
    assert {"claude-sonnet", "coder"} <= set(results["models"])


@pytest.mark.parametrize(
    ("name", "kind", "status", "type"),
    [("unknownModel", "NotFoundError", 404, "not_found_error"),
     ("busy", "InternalServerError", 502, "api_error")],
)  # fmt: skip
def test_an_error_is_the_clients_own_class(results, name, kind, status, type):
    error = results[name]
    assert (error["kind"], error["status"], error["type"]) == (kind, status, type)


def test_an_error_after_routing_names_its_trace(results, said):
    assert results["busy"]["requestID"] in {row["trace"] for row in said[2]}


@pytest.mark.parametrize("name", ["broken", "brokenResponse"])
def test_a_stream_that_breaks_throws(results, name):
    assert results[name]["shown"].startswith("one two")
    assert "broke off" in results[name]["error"]["message"]


def test_a_client_that_leaves_cancels_the_engine(results):
    assert results["left"] is True


def test_every_turn_is_in_the_journal(results, said):
    statuses = sorted(row["status"] for row in said[2])
    assert statuses == ["cancelled", "cut", "cut", *["delivered"] * 4, "failed"]
