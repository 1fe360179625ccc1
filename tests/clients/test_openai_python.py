"""The official Python client, unmodified, against a running gateway."""

import asyncio
import hashlib
import json
import time
from typing import Any

import openai
import pydantic
import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.config import parse
from pointsman.demo.portfolio import configuration
from pointsman.domain.task import Key
from pointsman.testing import (
    STREAM_HEAD,
    Flag,
    ScriptedUpstream,
    chat_answer,
    chat_stream,
    cut,
    event_stream,
    head_only,
    silence,
    status_answer,
)

USER: list[Any] = [{"role": "user", "content": "hello"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CITIES = ['{"city": "Paris"}', '{"city": "東京"}']


class Ticket(pydantic.BaseModel):
    customer: str
    priority: int


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with ScriptedUpstream() as upstream:
        deployment = a_deployment("only", upstream.base_url, engine="vllm", family="qwen3")
        config = a_config(tmp_path_factory.mktemp("journal"), [deployment], gate=None)
        with RunningGateway(config) as gateway:
            yield gateway, upstream


@pytest.fixture
def gateway(running):
    return running[0]


@pytest.fixture
def upstream(running):
    yield running[1]
    running[1].scripts.clear()


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.url, api_key="none", max_retries=0) as client:
        yield client


def ask(client, **changes):
    return client.chat.completions.create(**{"model": "task:work", "messages": USER, **changes})


def frame(*choices, **more):
    said = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return json.dumps({**said, "choices": list(choices), **more}).encode()


def delta(index=0, finish=None, **said):
    return {"index": index, "delta": said, "finish_reason": finish}


def tool_frames():
    """Two calls: each first with its id and name, then its arguments in pieces."""
    yield frame(delta(role="assistant", content=None))
    for at, arguments in enumerate(CITIES):
        opening = {"name": "get_weather", "arguments": ""}
        call = {"index": at, "id": f"call_{at}", "type": "function", "function": opening}
        yield frame(delta(tool_calls=[call]))
        for start in range(0, len(arguments), 5):
            piece = {"arguments": arguments[start : start + 5]}
            yield frame(delta(tool_calls=[{"index": at, "function": piece}]))
    yield frame(delta(finish="tool_calls"))
    yield b"[DONE]"


def tool_answer():
    calls = [
        {"id": f"call_{at}", "type": "function",
         "function": {"name": "get_weather", "arguments": arguments}}
        for at, arguments in enumerate(CITIES)
    ]  # fmt: skip
    return chat_answer("", tool_calls=calls, finish_reason="tool_calls")


# Answers


def test_a_chat_is_answered_and_its_request_id_is_the_trace(client, gateway, upstream):
    upstream.then(chat_answer("good morning", model="qwen3-8b"))
    answer = ask(client, temperature=0.5, seed=7, extra_body={"top_k": 20})
    assert answer.choices[0].message.content == "good morning"
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.model, answer.usage.completion_tokens) == ("qwen3-8b", 2)
    assert answer._request_id in {row["trace"] for row in gateway.rows()}
    sent = upstream.requests[-1].json
    assert (sent["temperature"], sent["seed"], sent["top_k"]) == (0.5, 7, 20)


def test_raw_headers_tell_who_answered(client, upstream):
    upstream.then(chat_answer("hi"))
    raw = client.chat.completions.with_raw_response.create(model="task:work", messages=USER)
    assert raw.headers["x-pointsman-deployment"] == "only"
    assert raw.headers["x-pointsman-attempts"] == "1"
    assert raw.request_id == raw.headers["x-pointsman-trace"]
    assert raw.parse().choices[0].message.content == "hi"


def test_a_stream_with_usage_ends_with_it(client, upstream):
    upstream.then(chat_stream("one two three"))
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "one two three"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 3
    assert [c.usage for c in chunks[:-1]] == [None] * (len(chunks) - 1)


def test_a_stream_without_usage_has_a_choice_in_every_chunk(client, upstream):
    upstream.then(chat_stream("one two three"))
    chunks = list(ask(client, stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert upstream.requests[-1].asks_usage


def test_several_tool_calls_come_back_and_their_results_go_on(client, upstream):
    upstream.then(tool_answer(), chat_answer("12 and 20 degrees"))
    message = ask(client, tools=[WEATHER], tool_choice="auto").choices[0].message
    assert [call.function.arguments for call in message.tool_calls] == CITIES
    assert [call.id for call in message.tool_calls] == ["call_0", "call_1"]
    assert upstream.requests[-1].json["tools"] == [WEATHER]
    results = [{"role": "tool", "tool_call_id": c.id, "content": "12"} for c in message.tool_calls]
    answer = ask(client, messages=[*USER, message, *results], tools=[WEATHER])
    assert answer.choices[0].message.content == "12 and 20 degrees"
    sent = upstream.requests[-1].json["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "tool", "tool"]
    assert sent[1]["tool_calls"][1]["function"]["arguments"] == CITIES[1]


def test_streamed_tool_calls_come_as_deltas_with_their_index(client, upstream):
    upstream.then(event_stream(list(tool_frames())))
    arguments, ids = ["", ""], ["", ""]
    for chunk in ask(client, tools=[WEATHER], stream=True):
        for call in chunk.choices[0].delta.tool_calls or ():
            arguments[call.index] += call.function.arguments or ""
            ids[call.index] += call.id or ""
    assert (arguments, ids) == (CITIES, ["call_0", "call_1"])


def test_the_clients_own_stream_helper_puts_tool_calls_together(client, upstream):
    upstream.then(event_stream(list(tool_frames())))
    with client.chat.completions.stream(
        model="task:work", messages=USER, tools=[WEATHER]
    ) as stream:
        kinds = {event.type for event in stream}
        [choice] = stream.get_final_completion().choices
    assert "tool_calls.function.arguments.delta" in kinds
    assert [c.function.arguments for c in choice.message.tool_calls] == CITIES
    assert choice.finish_reason == "tool_calls"


def test_a_json_schema_goes_out_as_it_is_and_its_answer_is_parsed(client, upstream):
    upstream.then(chat_answer('{"customer": "Ada", "priority": 2}'))
    answer = client.chat.completions.parse(model="task:work", messages=USER, response_format=Ticket)
    assert answer.choices[0].message.parsed == Ticket(customer="Ada", priority=2)
    form = upstream.requests[-1].json["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["strict"] is True


def test_two_choices_are_two_choices(client, upstream):
    choices = [
        {"index": at, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        for at, text in enumerate(("a", "b"))
    ]
    upstream.then(
        status_answer(200, {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
                            "choices": choices}),
        event_stream([frame(delta(1, content="b")), frame(delta(0, content="a")),
                      frame(delta(0, "stop")), frame(delta(1, "stop")), b"[DONE]"]),
    )  # fmt: skip
    assert [c.message.content for c in ask(client, n=2).choices] == ["a", "b"]
    texts = ["", ""]
    for chunk in ask(client, n=2, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == ["a", "b"]
    assert upstream.requests[-1].json["n"] == 2


@pytest.mark.parametrize("stream", [False, True])
def test_logprobs_the_client_asked_for_are_its_own(client, upstream, stream):
    values = [-0.5, -0.25]
    script = chat_stream("a b", logprobs=values) if stream else chat_answer("a b", logprobs=values)
    upstream.then(script)
    said = ask(client, logprobs=True, top_logprobs=2, stream=stream)
    choices = [c.choices[0] for c in said] if stream else [said.choices[0]]
    tokens = [t for c in choices if c.logprobs for t in c.logprobs.content]
    assert [t.logprob for t in tokens] == values
    assert upstream.requests[-1].json["top_logprobs"] == 2


def test_thinking_is_switched_by_any_of_its_names_and_comes_back_as_it_came(client, upstream):
    for asked in (
        {"reasoning_effort": "none"},
        {"extra_body": {"enable_thinking": False}},
        {"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}},
    ):
        upstream.then(chat_answer("4", reasoning_content="2 + 2"))
        message = ask(client, **asked).choices[0].message
        assert message.model_extra["reasoning_content"] == "2 + 2"
        sent = upstream.requests[-1].json
        assert sent["chat_template_kwargs"] == {"enable_thinking": False}
        assert not {"reasoning_effort", "enable_thinking"} & set(sent)


def test_models_are_listed_and_found(client):
    names = {model.id for model in client.models.list()}
    assert {"task:work", "only", "gpt-4o"} <= names
    assert client.models.retrieve("task:work").id == "task:work"


# Errors


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, model="task:wrok")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert "task:work" in caught.value.message


def test_a_wrong_key_is_told_so_and_a_right_one_works(tmp_path):
    key = Key(name="app", sha256=hashlib.sha256(b"sk-right").hexdigest())
    with ScriptedUpstream() as upstream:
        config = a_config(tmp_path, [a_deployment("only", upstream.base_url)], gate=None,
                          keys=[key])  # fmt: skip
        with (
            RunningGateway(config) as gateway,
            openai.OpenAI(base_url=gateway.url, api_key="sk-wrong") as client,
        ):
            with pytest.raises(openai.AuthenticationError) as caught:
                ask(client)
            assert caught.value.code == "invalid_api_key"
            assert ask(client.with_options(api_key="sk-right")).choices
        assert len(upstream.requests) == 1
        assert "sk-right" not in str(upstream.requests[0].headers)


def test_a_bad_request_names_its_field_or_the_engines_reason(client, upstream):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, n=0)
    assert (caught.value.code, caught.value.param) == ("invalid_value", "n")
    upstream.then(status_answer(400, {"error": {"message": "context length exceeded"}}))
    with pytest.raises(openai.BadRequestError, match="context length exceeded") as caught:
        ask(client)
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id.startswith("tr_")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("wait", "waits"), [("7", [7.0]), ("2.5", [2.5]), ("0.25", [])])
def test_a_busy_engines_retry_after_is_what_the_client_waits(
    gateway, upstream, monkeypatch, stream, wait, waits
):
    """A short one is waited out here."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    answer = chat_stream("ok") if stream else chat_answer("ok")
    upstream.then(status_answer(429, headers=[("Retry-After", wait)]), answer)
    with openai.OpenAI(base_url=gateway.url, api_key="none", max_retries=1) as client:
        said = ask(client, stream=stream)
        assert list(said) if stream else said.choices
    assert slept == waits


def test_a_rate_limit_that_stays_is_one_to_the_client(client, upstream):
    upstream.then(status_answer(429, headers=[("Retry-After", "7")]))
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script", [status_answer(500), head_only(), chat_answer("")])
def test_an_engine_that_fails_is_a_502_that_hides_its_address(client, upstream, script, stream):
    upstream.then(script)
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, stream=stream)
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_unavailable")
    assert str(upstream.port) not in caught.value.message


ONE = frame(delta(content="one"))
BREAKS = {  # what comes after the first word, which the flag holds back
    "cut": lambda flag: cut(event_stream([ONE, ONE], once=flag), len(STREAM_HEAD + ONE) + 40),
    "no mark of an end": lambda flag: event_stream([ONE, ONE], once=flag),
    "an error": lambda flag: event_stream([ONE, b'{"error": "died"}', b"[DONE]"], once=flag),
    "not JSON": lambda flag: event_stream([ONE, b"oops", b"[DONE]"], once=flag),
    "aborted by the engine": lambda flag: event_stream(
        [ONE, frame(delta(finish="abort")), b"[DONE]"], once=flag
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_stream_that_breaks_raises_and_is_never_a_short_success(client, upstream, name):
    first = Flag()
    upstream.then(BREAKS[name](first))
    text, caught = "", None
    try:
        for chunk in ask(client, stream=True):
            text += chunk.choices[0].delta.content or ""
            first.set()
    except openai.APIError as error:
        caught = error
    assert text.startswith("one"), caught
    assert caught is not None
    assert caught.code == "stream_interrupted"
    assert ask(client).choices  # and the client goes on


# Leaving


def endless():
    """Ten seconds of words."""
    return chat_stream(["word "] * 1000, every_s=0.01)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_runs_out_of_patience_cancels_the_engine(client, upstream, stream):
    upstream.then(silence())
    with pytest.raises(openai.APITimeoutError):
        ask(client, stream=stream, timeout=0.3)
    asked = [request for request in upstream.requests if request.method == "POST"]
    assert asked[-1].cancelled.wait()


def test_a_stream_that_is_closed_early_cancels_the_engine(client, upstream):
    upstream.then(endless())
    with ask(client, stream=True) as stream:
        next(stream)
    assert upstream.requests[-1].cancelled.wait()
    assert not upstream.requests[-1].answered.is_set()


def test_connections_to_the_engine_are_used_again_until_one_is_broken(tmp_path):
    with ScriptedUpstream() as upstream:
        config = a_config(tmp_path, [a_deployment("only", upstream.base_url)], gate=None)
        with (
            RunningGateway(config) as gateway,
            openai.OpenAI(base_url=gateway.url, api_key="none", max_retries=0) as client,
        ):
            for _ in range(10):
                upstream.then(chat_answer("a"), chat_stream("a b"))
                assert ask(client).choices
                assert list(ask(client, stream=True))
            assert upstream.connections == 1
            upstream.then(endless())
            ask(client, stream=True).close()
            assert upstream.requests[-1].cancelled.wait()
            assert ask(client).choices
            assert upstream.connections == 2


def test_the_asynchronous_client_asks_streams_and_leaves(gateway, upstream):
    upstream.then(
        chat_answer("hi"), chat_stream("one two"), endless(),
        status_answer(500), cut(chat_stream("one two three four five six"), 1200),
    )  # fmt: skip

    async def main():
        async with openai.AsyncOpenAI(
            base_url=gateway.url, api_key="none", max_retries=0
        ) as client:
            answer = await ask(client)
            assert answer.choices[0].message.content == "hi"
            assert answer._request_id.startswith("tr_")
            chunks = [c async for c in await ask(client, stream=True)]
            assert "".join(c.choices[0].delta.content or "" for c in chunks) == "one two"
            async with await ask(client, stream=True) as stream:
                await anext(stream)
            await upstream.requests[-1].cancelled.raised()
            with pytest.raises(openai.InternalServerError):
                await ask(client)
            with pytest.raises(openai.APIError):
                [c async for c in await ask(client, stream=True)]

    asyncio.run(main())


def test_many_asynchronous_askers_each_get_their_own_answer(gateway, upstream):
    upstream.default, before = _echo, upstream.default

    async def one(client, number):
        messages = [{"role": "user", "content": f"say {number}"}]
        stream = await ask(client, messages=messages, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in stream])

    async def main():
        async with openai.AsyncOpenAI(base_url=gateway.url, api_key="none") as client:
            return await asyncio.gather(*(one(client, number) for number in range(40)))

    try:
        assert asyncio.run(main()) == [f"say {number}" for number in range(40)]
    finally:
        upstream.default = before


def _echo(received):
    return chat_stream(received.json["messages"][-1]["content"])(received)


# The whole of it, with real models


@pytest.mark.needs_engine
def test_the_embedded_portfolio_answers_streams_and_refuses(tmp_path):
    text = configuration(path="pointsman.yaml", journal=str(tmp_path / "journal"))
    with (
        RunningGateway(parse(text, base=tmp_path)) as gateway,
        openai.OpenAI(base_url=gateway.url, api_key="none", max_retries=0) as client,
    ):
        sums: list[Any] = [{"role": "user", "content": "12\n7\n30"}]
        raw = client.chat.completions.with_raw_response.create(model="task:sums", messages=sums)
        answer = raw.parse()
        assert raw.headers["x-pointsman-deployment"] == "specialist"
        assert answer.choices[0].message.content.strip()
        assert answer.choices[0].logprobs is None
        assert answer.usage.completion_tokens > 0
        chunks = list(
            ask(client, model="task:sums@cascade", messages=sums, stream=True,
                stream_options={"include_usage": True})
        )  # fmt: skip
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices).strip()
        assert chunks[-1].usage.completion_tokens > 0
        asked = ask(client, model="small", messages=sums, logprobs=True, max_tokens=4)
        assert len(asked.choices[0].logprobs.content) == asked.usage.completion_tokens
        with pytest.raises(openai.BadRequestError):
            ask(client, model="small", messages=[{"role": "user", "content": "1 " * 20_000}])
        assert gateway.request("GET", "/readyz").status == 200
        statuses = {row["status"] for row in gateway.rows()}
    assert statuses == {"delivered", "refused"}
