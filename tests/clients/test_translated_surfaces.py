"""The official Anthropic client, and OpenAI's Responses, against a running gateway."""

import hashlib
import json
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.config import parse
from pointsman.demo.portfolio import configuration
from pointsman.domain.limits import Allowance
from pointsman.domain.task import Key, VerifierSpec
from pointsman.testing import (
    ScriptedUpstream,
    chat_answer,
    chat_stream,
    cut,
    event_stream,
    status_answer,
)

CALL = {
    "id": "call_1", "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
}  # fmt: skip
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL: Any = {"name": "weather", "description": "d", "input_schema": SCHEMA}
FUNCTION: Any = {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}
HI: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture
def engine():
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def gateway(tmp_path: Path, engine):
    key = Key(name="app", sha256=hashlib.sha256(b"sk-right").hexdigest())
    deployment = a_deployment("only", engine.base_url)
    config = a_config(tmp_path / "journal", [deployment], gate=None, keys=[key])
    with RunningGateway(config) as running:
        yield running


@pytest.fixture
def claude(gateway):
    base = gateway.url.removesuffix("/v1")
    return anthropic.Anthropic(base_url=base, api_key="sk-right", max_retries=0)


@pytest.fixture
def client(gateway):
    return openai.OpenAI(base_url=gateway.url, api_key="sk-right", max_retries=0)


def calling(reasoning: str = "") -> Any:
    """A stream with thoughts, a word, and a call in pieces."""
    head = {"id": "c-9", "object": "chat.completion.chunk", "created": 1, "model": "qwen"}
    call = {**CALL, "index": 0, "function": {"name": "weather", "arguments": ""}}
    deltas: list[dict[str, Any]] = [{"role": "assistant"}, {"reasoning_content": reasoning}]
    deltas += [{"content": "Let me see."}, {"tool_calls": [call]}]
    deltas += [
        {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
        for piece in ('{"ci', 'ty": "Pa', 'ris"}')
    ]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    chunks.append({**head, "choices": [], "usage": usage})
    return event_stream([*(json.dumps(each).encode() for each in chunks), b"[DONE]"])


def test_a_message_is_answered_and_recorded(claude, gateway, engine) -> None:
    engine.then(chat_answer("good morning", reasoning_content="hm"))
    said = claude.messages.create(model="task:work", max_tokens=9, messages=HI, system="Be brief.")
    assert [block.type for block in said.content] == ["thinking", "text"]
    assert (said.content[1].text, said.stop_reason) == ("good morning", "end_turn")
    assert (said.usage.output_tokens, said.model) == (2, "scripted")
    assert engine.requests[0].headers.get("x-api-key") is None
    [row] = gateway.rows()
    assert said._request_id == row["trace"]
    assert (row["status"], row["principal"], row["task"]) == ("delivered", "app", "work")


def test_a_streamed_message_with_a_call_is_put_together(claude, engine) -> None:
    engine.then(calling("I wonder"))
    with claude.messages.stream(
        model="task:work", max_tokens=9, messages=HI, tools=[TOOL]
    ) as stream:
        text = "".join(stream.text_stream)
        said = stream.get_final_message()
    assert text == "Let me see."
    assert [block.type for block in said.content] == ["thinking", "text", "tool_use"]
    assert said.content[2].input == {"city": "Paris"}
    assert (said.stop_reason, said.usage.input_tokens) == ("tool_use", 9)
    assert engine.requests[0].json["tools"][0]["function"]["name"] == "weather"


def test_tokens_of_a_message_are_estimated_without_a_model(claude, engine) -> None:
    said = claude.messages.count_tokens(model="task:work", messages=HI * 20)
    assert 5 <= said.input_tokens <= 40
    assert said.estimated is True
    used = {"type": "tool_use", "id": "c", "name": "weather", "input": {"city": "P" * 360}}
    calling: Any = {"role": "assistant", "content": [used]}
    tool = {**TOOL, "description": "d" * 3600}
    more = claude.messages.count_tokens(
        model="task:work", messages=[*HI * 20, calling, *HI], tools=[tool]
    )
    assert 1100 <= more.input_tokens - said.input_tokens <= 1300  # most of an agent's prompt
    assert engine.requests == []


def test_errors_are_the_anthropic_clients_own(claude, gateway, engine) -> None:
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(model="nobody", max_tokens=9, messages=HI)
    base = gateway.url.removesuffix("/v1")
    with pytest.raises(anthropic.AuthenticationError):
        anthropic.Anthropic(base_url=base, api_key="sk-wrong").messages.create(
            model="task:work", max_tokens=9, messages=HI
        )
    engine.then(status_answer(429, headers=[("retry-after", "7")]))
    with pytest.raises(anthropic.RateLimitError) as limited:
        claude.messages.create(model="task:work", max_tokens=9, messages=HI)
    assert limited.value.response.headers["retry-after"] == "7"
    error = limited.value
    assert (error.type, error.error_code) == ("rate_limit_error", "rate_limit_exceeded")
    assert error.request_id == error.body["request_id"]
    assert error.request_id in {row["trace"] for row in gateway.rows()}


def test_a_message_that_breaks_off_raises(claude, engine) -> None:
    engine.then(cut(chat_stream("one two three four five six seven eight"), 1500))
    stream = claude.messages.create(model="task:work", max_tokens=9, messages=HI, stream=True)
    shown: list[Any] = []
    with pytest.raises(anthropic.APIStatusError):
        shown.extend(stream)
    texts = [event.delta.text for event in shown if event.type == "content_block_delta"]
    assert texts[0] == "one"


def test_a_response_is_answered(client, engine) -> None:
    engine.then(chat_answer("good morning"))
    said = client.responses.create(model="task:work", input="hi", instructions="Be brief.")
    assert (said.output_text, said.status, said.store) == ("good morning", "completed", False)
    assert said.usage.output_tokens == 2
    sent = engine.requests[0].json["messages"]
    assert sent == [{"role": "system", "content": "Be brief."}, *HI]


def test_a_streamed_response_with_a_call_is_put_together(client, engine) -> None:
    engine.then(calling("I wonder"))
    with client.responses.stream(model="task:work", input="hi", tools=[FUNCTION]) as stream:
        kinds = [event.type for event in stream]
        said = stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert [item.type for item in said.output] == ["reasoning", "message", "function_call"]
    assert json.loads(said.output[2].arguments) == {"city": "Paris"}
    assert (said.output_text, said.usage.input_tokens) == ("Let me see.", 9)


def test_the_output_of_a_response_goes_on_as_input(client, engine) -> None:
    engine.then(chat_answer("", tool_calls=[CALL], finish_reason="tool_calls"), chat_answer("mild"))
    first = client.responses.create(model="task:work", input="hi", tools=[FUNCTION])
    result = {"type": "function_call_output", "call_id": "call_1", "output": "12 degrees"}
    then = client.responses.create(
        model="task:work", tools=[FUNCTION],
        input=[*HI, *(item.to_dict() for item in first.output), result],
    )  # fmt: skip
    assert then.output_text == "mild"
    roles = [message["role"] for message in engine.requests[1].json["messages"]]
    assert roles == ["user", "assistant", "tool"]


def test_a_response_that_breaks_off_raises_and_says_failed(client, gateway, engine) -> None:
    """OpenAI's clients raise at `error`; agents that read events themselves wait for the last."""
    engine.then(*[cut(chat_stream("one two three four five six seven eight"), 1500)] * 2)
    shown: list[Any] = []
    with pytest.raises(openai.APIError, match="broke off"):
        shown.extend(client.responses.create(model="task:work", input="hi", stream=True))
    assert shown[-1].type == "response.output_text.delta"
    body = {"model": "task:work", "input": "hi", "stream": True}
    raw = gateway.request("POST", "/v1/responses", body, {"authorization": "Bearer sk-right"})
    assert raw.chunks[-1]["type"] == "response.failed"
    assert raw.chunks[-1]["response"]["error"]["code"] == "stream_interrupted"
    assert "output_item.done" not in raw.body.decode()
    assert {row["status"] for row in gateway.rows()} == {"cut"}


def test_a_response_that_cannot_be_honoured_is_a_bad_request(client, engine) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="task:work", input="hi", previous_response_id="resp_1")
    assert (refused.value.code, refused.value.param) == ("unsupported", "previous_response_id")
    assert engine.requests == []


# Nothing goes round routing, checks, limits or the journal


@pytest.fixture
def guarded(tmp_path: Path, engine):
    """Two steps, small and large; the small one's answer must be a number. Its key has a rate."""
    limits = Allowance(requests_per_minute=3)
    key = Key(name="app", sha256=hashlib.sha256(b"sk-right").hexdigest(), limits=limits)
    steps = [a_deployment(name, engine.base_url) for name in ("small", "large")]
    digits = VerifierSpec(name="shape", kind="regex", spec="[0-9 ]+")
    config = a_config(tmp_path / "j", steps, verifiers=[digits], keys=[key], prompt="Count.",
                      server={"keepalive_comment_s": 0.1})  # fmt: skip
    with RunningGateway(config) as running:
        yield running


def test_a_held_message_shows_life_and_only_what_was_accepted(guarded, engine) -> None:
    """Life comes before the message has begun; clients skip it wherever it comes."""
    engine.then(*[chat_stream("forbidden", every_s=0.3), chat_stream("4 2")] * 2)
    body = {"model": "task:work", "max_tokens": 9, "messages": HI, "stream": True}
    raw = guarded.request("POST", "/v1/messages", body, {"x-api-key": "sk-right"})
    kinds = [event["type"] for event in raw.chunks]
    assert kinds[0] == "ping"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert raw.chunks[-2]["pointsman"]["deployment"] == "large"
    assert b"forbidden" not in raw.body
    base = guarded.url.removesuffix("/v1")
    claude = anthropic.Anthropic(base_url=base, api_key="sk-right", max_retries=0)
    with claude.messages.stream(model="task:work", max_tokens=9, messages=HI) as stream:
        assert stream.get_final_message().content[0].text == "4 2"
    assert sorted(row["deployment"] for row in guarded.rows("attempts")) == [
        "large", "large", "small", "small",
    ]  # fmt: skip
    sent = engine.requests[0].json["messages"]
    assert sent == [{"role": "system", "content": "Count."}, *HI]


def test_a_response_takes_the_steps_of_its_task_and_counts_in_its_limits(guarded, engine) -> None:
    client = openai.OpenAI(base_url=guarded.url, api_key="sk-right", max_retries=0)
    engine.then(chat_answer("no number"), chat_answer("42"))
    raw = client.responses.with_raw_response.create(model="task:work", input="hi")
    assert raw.parse().output_text == "42"
    assert raw.headers["x-pointsman-deployment"] == "large"
    assert raw.headers["x-pointsman-verified"] == "true"
    attempts = guarded.rows("attempts")
    assert sorted(row["deployment"] for row in attempts) == ["large", "small"]
    assert {row["prompt_tokens"] for row in attempts} == {11}
    engine.then(chat_answer("1"), chat_answer("2"))
    for _ in range(2):
        client.responses.create(model="task:work", input="hi")
    with pytest.raises(openai.RateLimitError):
        client.responses.create(model="task:work", input="hi")
    base = guarded.url.removesuffix("/v1")
    claude = anthropic.Anthropic(base_url=base, api_key="sk-right", max_retries=0)
    with pytest.raises(anthropic.RateLimitError) as limited:
        claude.messages.create(model="task:work", max_tokens=9, messages=HI)
    assert limited.value.type == "rate_limit_error"
    assert int(limited.value.response.headers["retry-after"]) >= 1
    assert len(engine.requests) == 4


@pytest.mark.parametrize("name", ["x-session-id", "x-claude-code-session-id", "session-id"])
def test_the_session_of_an_agent_is_in_the_record(claude, gateway, name: str) -> None:
    headers = {name: "s-1", "x-pointsman-subject": "ada"}
    said = claude.messages.create(
        model="task:work", max_tokens=9, messages=HI, extra_headers=headers
    )
    payloads = [json.loads(r["payload"]) for r in gateway.rows("trace", trace=said._request_id)]
    assert (payloads[0]["session"], payloads[0]["surface"]) == ("s-1", "messages")


def test_the_usage_asked_of_the_engine_is_told_and_never_leaks(client, engine) -> None:
    engine.then(chat_stream("a b"))
    events = list(client.responses.create(model="task:work", input="hi", stream=True))
    assert engine.requests[0].asks_usage
    assert events[-1].response.usage.output_tokens == 2
    told = [event for event in events if "prompt_tokens" in event.to_json()]
    assert told == []


@pytest.mark.needs_engine
def test_a_real_engine_answers_both_the_same_whole_and_streamed(tmp_path: Path) -> None:
    """llama.cpp with real weights, greedy: four ways of asking are one answer."""
    text = configuration(path="pointsman.yaml", journal=str(tmp_path / "journal"))
    sums: Any = [{"role": "user", "content": "12\n7\n30"}]
    asked: Any = {"model": "task:sums", "extra_body": {"temperature": 0}}
    with RunningGateway(parse(text, base=tmp_path)) as gateway:
        base = gateway.url.removesuffix("/v1")
        claude = anthropic.Anthropic(base_url=base, api_key="none", max_retries=0)
        client = openai.OpenAI(base_url=gateway.url, api_key="none", max_retries=0)
        message: Any = {**asked, "max_tokens": 20, "messages": sums}
        whole = claude.messages.create(**message)
        with claude.messages.stream(**message) as stream:
            streamed = stream.get_final_message()
        response = client.responses.create(**asked, max_output_tokens=20, input=sums)
        events = list(
            client.responses.create(**asked, max_output_tokens=20, input=sums, stream=True)
        )
        with pytest.raises(anthropic.BadRequestError) as refused:
            claude.messages.create(
                **{**message, "messages": [{**sums[0], "content": "1 " * 20_000}]}
            )
        rows = gateway.rows()
    assert whole.content[0].text.strip()
    assert whole.content[0].text == streamed.content[0].text == response.output_text
    assert events[-1].response.output_text == response.output_text
    assert whole.stop_reason == streamed.stop_reason
    assert whole.usage.output_tokens == streamed.usage.output_tokens > 0
    assert events[-1].response.usage.output_tokens == response.usage.output_tokens > 0
    assert refused.value.type == "invalid_request_error"
    assert sorted(row["status"] for row in rows) == [*["delivered"] * 4, "refused"]
