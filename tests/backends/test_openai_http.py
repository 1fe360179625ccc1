"""Answers over a real socket: what is passed on, what is made of odd ones, what is kept open."""

import asyncio
import json

import pytest
from backend_calls import (
    LIMITS,
    a_backend,
    a_call,
    answered,
    contents,
    delta,
    events,
    take,
    usage,
)
from engine_answers import ANSWERS, ERRORS

from pointsman.testing import (
    STREAM_HEAD,
    Flag,
    ScriptedUpstream,
    chat_answer,
    chat_stream,
    chunk,
    cut,
    event_stream,
    raw_answer,
    silence,
    status_answer,
)

ASKED = {"stream_options": {"include_usage": True}}


def sse(events):
    """Events as bytes, each with this data."""
    return b"".join(b"data: " + data + b"\n\n" for data in events)


def in_pieces(data: bytes, size: int):
    pieces = [chunk(data[at : at + size]) for at in range(0, len(data), size)]
    return raw_answer(STREAM_HEAD, *pieces, b"0\r\n\r\n", then="keep")


# What engines send


@pytest.mark.parametrize("name", ANSWERS)
def test_a_whole_answer_is_passed_on_byte_for_byte_and_understood(name):
    engine = ANSWERS[name]
    outcome = answered(status_answer(200, engine.whole))
    assert outcome.said.body == engine.whole
    [reply] = outcome.said.replies
    assert (reply.content, reply.reasoning) == (engine.content, engine.reasoning)
    assert outcome.said.usage.completion_tokens == 5


@pytest.mark.parametrize("name", sorted(set(ANSWERS) - {"ollama", "dashscope"}))
def test_a_stream_whose_usage_was_asked_for_is_passed_on_byte_for_byte(name):
    engine = ANSWERS[name]
    outcome = answered(in_pieces(engine.stream, 4096), stream=True, **ASKED)
    assert [item.data for item in outcome.chunks] == engine.frames
    assert outcome.said.replies[0].content == engine.content
    assert outcome.said.usage.prompt_tokens == 11


def test_another_call_of_the_same_index_is_given_one_of_its_own():
    engine = ANSWERS["ollama"]
    outcome = answered(in_pieces(engine.stream, 4096), stream=True, **ASKED)
    expected = [json.loads(data) for data in engine.frames]
    expected[3]["choices"][0]["delta"]["tool_calls"][0]["index"] = 1
    assert outcome.data == expected
    assert [call.index for call in outcome.said.replies[0].tool_calls] == [0, 1]


def test_usage_told_beside_choices_is_told_once_more_alone_where_it_was_asked_for():
    engine = ANSWERS["dashscope"]
    outcome = answered(in_pieces(engine.stream, 4096), stream=True, **ASKED)
    assert [item.data for item in outcome.chunks[:-1]] == engine.frames
    last, extra = json.loads(engine.frames[-1]), outcome.data[-1]
    assert extra == {**last, "choices": []}
    assert not outcome.chunks[-1].content


def stream_of(*choices, **more):
    frames = [
        {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m", **more,
         "choices": each}
        for each in choices
    ]  # fmt: skip
    return event_stream([*(json.dumps(frame).encode() for frame in frames), b"[DONE]"])


def test_a_reason_to_finish_is_told_once():
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    said = {"index": 0, "delta": {"role": "assistant", "content": "hi"}}
    outcome = answered(stream_of([said], [end], [end]), stream=True)
    assert [each["choices"][0].get("finish_reason") for each in outcome.data] == [
        None, "stop", None,
    ]  # fmt: skip
    assert outcome.said.replies[0].finish_reason == "stop"


def test_two_choices_of_one_index_in_a_chunk_are_put_right_each_by_itself():
    """Nonsense, but nonsense must not break the gateway."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    one = {"index": 0, "delta": {"role": "assistant", "tool_calls": [call]}}
    two = {"index": 0, "delta": {"tool_calls": [call, {**call, "id": "d"}]}}
    end = {"index": 0, "delta": {}, "finish_reason": "tool_calls"}
    outcome = answered(stream_of([one, two], [end]), stream=True)
    indexes = [
        [call["index"] for call in choice["delta"]["tool_calls"]]
        for choice in outcome.data[0]["choices"]
    ]
    assert indexes == [[0], [0, 1]]


def test_every_object_of_a_stream_has_the_first_ones_id():
    said = {"index": 0, "delta": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    frames = [
        {
            "id": name,
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [said] if at == 0 else [],
        }
        for at, name in enumerate(("a", "b", ""))
    ]
    events = [json.dumps(frame).encode() for frame in frames]
    outcome = answered(event_stream([*events, b"[DONE]"]), stream=True)
    assert [each["id"] for each in outcome.data] == ["a", "a", "a"]
    assert outcome.said.response_id == "a"


@pytest.mark.parametrize("name", sorted(set(ANSWERS) - {"ollama"}))
def test_usage_only_we_asked_for_is_read_and_gone_and_nothing_else_is(name):
    engine = ANSWERS[name]
    outcome = answered(in_pieces(engine.stream, 4096), stream=True)
    frames = [json.loads(data) for data in engine.frames]
    for frame in frames:
        frame["gone"] = frame.pop("usage", None) is not None and frame["choices"] == []
    kept = [frame for frame in frames if not frame.pop("gone")]
    assert outcome.data == kept
    assert outcome.said.usage.completion_tokens == 5


@pytest.mark.parametrize("size", [1, 2, 3, 7, 61])
@pytest.mark.parametrize("name", ["vllm", "dashscope"])
def test_characters_split_between_reads_arrive_whole(name, size):
    engine = ANSWERS[name]
    outcome = answered(in_pieces(engine.stream, size), stream=True)
    assert contents(outcome.data) == engine.content
    assert outcome.said.replies[0].reasoning == engine.reasoning


@pytest.mark.parametrize("name", ["sglang", "tgi"])
@pytest.mark.parametrize("stream", [False, True])
def test_logprobs_a_gate_asked_for_are_read_and_stripped(name, stream):
    engine = ANSWERS[name]
    script = in_pieces(engine.stream, 512) if stream else status_answer(200, engine.whole)
    outcome = answered(script, stream=stream, gate_logprobs=True)
    assert outcome.said.replies[0].logprobs.minimum == -0.5
    frames = outcome.data if stream else [json.loads(outcome.said.body)]
    assert not [c for frame in frames for c in frame["choices"] if "logprobs" in c]
    assert outcome.received[0].json["logprobs"] is True


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("stream", [False, True])
def test_thinking_is_passed_on_under_the_name_it_came_with(field, stream):
    if stream:
        script = event_stream(
            events(delta(**{field: "hm"}), delta(content="yes"), delta("stop"), usage())
        )
    else:
        script = chat_answer("yes", **{field: "hm"})
    outcome = answered(script, stream=stream)
    assert outcome.said.replies[0].reasoning == "hm"
    if stream:
        assert outcome.data[0]["choices"][0]["delta"] == {field: "hm"}
        assert outcome.chunks[0].content
    else:
        assert json.loads(outcome.said.body)["choices"][0]["message"][field] == "hm"


def test_every_choice_of_a_stream_is_put_together_by_its_index():
    frames = [delta(index=1, content="b"), delta(index=0, content="a"),
              delta(index=1, content="B"), delta("stop", 0), delta("length", 1)]  # fmt: skip
    outcome = answered(event_stream(events(*frames)), stream=True, n=2)
    assert [(r.content, r.finish_reason) for r in outcome.said.replies] == [
        ("a", "stop"),
        ("bB", "length"),
    ]


# Odd and legal

HELLO = [delta(role="assistant", content=""), delta(content="hel"), delta(content="lo")]
KEEP_ALIVE = {"id": "", "model": "", "object": "chat.completion.chunk", "choices": []}
ODD = {
    "usage before the finish": events(*HELLO, usage(), delta("stop")),
    "usage beside choices, then again alone": events(
        {**HELLO[1], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
        delta(content="lo"), delta("stop"), usage(),
    ),
    "an empty usage at the end": events(*HELLO, usage(), {**delta("stop"), "usage": {}}),
    "two finishes": events(*HELLO, delta("stop"), delta("stop"), usage()),
    "finish in the last content": events(HELLO[1], delta("stop", content="lo"), usage()),
    "an empty finish until the end": events(
        delta("", content="hello"), delta("stop"), usage()
    ),
    "no [DONE], every choice finished": events(*HELLO, delta("stop"), usage(), done=False),
    "no finish, but [DONE]": events(*HELLO, usage()),
    "frames after [DONE]": [*events(*HELLO, delta("stop"), usage()), b'{"error":"late"}', b"{"],
    "[DONE] twice": [*events(*HELLO, delta("stop"), usage()), b"[DONE]"],
    "[DONE] with a space": [*events(*HELLO, delta("stop"), usage(), done=False), b"[DONE] "],
    "frames without choices": events(KEEP_ALIVE, *HELLO, KEEP_ALIVE, delta("stop"), usage()),
    "choices of null": events({"choices": None, "usage": None}, *HELLO, delta("stop"), usage()),
    "error of null": events(
        *({**frame, "error": None} for frame in (*HELLO, delta("stop"))), usage()
    ),
    "a delta of null": events(*HELLO, {"choices": [{"index": 0, "delta": None}]}, usage()),
    "data without anything": events(b"", *HELLO, b"", delta("stop"), usage()),
}  # fmt: skip


@pytest.mark.parametrize("gate_logprobs", [False, True])
@pytest.mark.parametrize("name", ODD)
def test_an_odd_stream_is_an_answer_all_the_same(name, gate_logprobs):
    outcome = answered(event_stream(ODD[name]), times=2, stream=True, gate_logprobs=gate_logprobs)
    assert outcome.failure is None
    assert contents([frame for frame in outcome.data if frame["choices"]]) == "hello"
    assert not [frame for frame in outcome.data if "usage" in frame or frame.get("error")]
    usage = outcome.said.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.source) == (7, 3, "reported")
    assert outcome.connections == 1


def test_comments_and_other_fields_of_events_are_nothing():
    body = b": hi\n\nevent: message\nid: 5\nretry: 10\n" + sse(events(*HELLO, delta("stop")))
    outcome = answered(in_pieces(body + b": bye\n\n", 4096), stream=True)
    assert contents(outcome.data) == "hello"


def test_the_id_and_the_model_are_those_of_frames_that_have_one():
    outcome = answered(event_stream(events(*HELLO, delta("stop"), KEEP_ALIVE)), stream=True)
    assert (outcome.said.response_id, outcome.said.model) == ("c1", "m")


@pytest.mark.parametrize(
    "message", [{"audio": {"data": "UklG"}}, {"function_call": {"name": "f", "arguments": "{}"}}]
)
def test_an_answer_in_no_words_is_an_answer(message):
    assert answered(chat_answer("", **message)).failure is None
    frames = event_stream(events(delta(**message), delta("stop")))
    outcome = answered(frames, stream=True)
    assert outcome.failure is None
    assert outcome.chunks[0].content


# No answer, whole as it may look

BROKEN = {
    "no [DONE], not finished": (events(*HELLO, done=False), "cut"),
    "no [DONE], an empty finish": (events(delta("", content="x"), done=False), "cut"),
    "no [DONE], nothing": (events(KEEP_ALIVE, done=False), "cut"),
    "[DONE] alone": (events(), "empty"),
    "broken off by the engine": (events(*HELLO, delta("abort")), "cut"),
    "broken off behind a router": (events(*HELLO, delta("error")), "cut"),
    "an error": (events(*HELLO, {"error": {"message": "engine died"}}), "server_error"),
    "an error in one word": (events(*HELLO, {"error": "died"}), "server_error"),
    "an error of old": (events(*HELLO, {"object": "error", "message": "died"}), "server_error"),
    "not JSON": (events(*HELLO, b"oops"), "malformed"),
    "not text": (events(*HELLO, b'{"choices":[{"delta":{"content":"\xff"}}]}'), "malformed"),
    "a name that is not text": (events(*HELLO, b'{"\xff":1,"usage":null}'), "malformed"),
    "nested without end": (events(*HELLO, b'{"x":' + b"[" * 50_000), "malformed"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream_is_a_failure_and_what_it_cost_is_kept(name):
    script, kind = BROKEN[name]
    outcome = answered(event_stream(script), stream=True)
    assert outcome.failure.kind == kind
    assert outcome.said.usage.source == "estimated"


def test_without_done_every_choice_that_was_asked_for_must_have_finished():
    frames = events(*HELLO, delta("stop"), done=False)
    assert answered(event_stream(frames), stream=True, n=2).failure.kind == "cut"
    assert answered(event_stream(frames), stream=True, n=1).failure is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "malformed"),
        (b"{}", "empty"),
        (b'{"choices":[]}', "empty"),
        (b'{"choices":null,"logprobs":1}', "empty"),
        (b'{"choices":[{"message":{"content":"x"},"finish_reason":"abort"}]}', "cut"),
        (b'{"choices":[{"message":{"content":"\xff"}}]}', "malformed"),
        (b'{"\xff":1,"choices":[{"message":{"content":"x"}}]}', "malformed"),
        (b'{"error":"died"}', "server_error"),
    ],
)
def test_a_whole_answer_that_is_none_is_a_failure(body, kind):
    outcome = answered(status_answer(200, body), gate_logprobs=True)
    assert outcome.failure.kind == kind


# Errors with a status of their own


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("stream", [False, True])
def test_an_engines_own_words_are_kept(name, stream):
    outcome = answered(status_answer(400, ERRORS[name]), stream=stream)
    assert outcome.failure.kind == "client_error"
    assert "no such thing" in outcome.failure.detail
    assert outcome.said is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "client_error"), (413, "client_error"), (422, "client_error")]
    + [(s, "server_error") for s in (301, 401, 402, 403, 404, 405, 407, 408, 410, 424, 500, 503)]
    + [(204, "server_error"), (429, "rate_limited")],
)
def test_whose_fault_a_status_is(status, kind):
    outcome = answered(status_answer(status))
    assert (outcome.failure.kind, outcome.failure.status) == (kind, status)


DATE = ("Date", "Wed, 21 Oct 2026 07:28:00 GMT")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([("Retry-After", "7")], 7.0),
        ([("Retry-After", "0.5")], 0.5),
        ([("Retry-After", "-3")], 0.0),
        ([("Retry-After", "7"), ("retry-after-ms", "250")], 0.25),
        ([("Retry-After", "Wed, 21 Oct 2026 07:28:30 GMT"), DATE], 30.0),
        ([("Retry-After", "Wed, 21 Oct 2026 07:20:00 GMT"), DATE], 0.0),
        ([("Retry-After", "Wed, 21 Oct 2026 07:28:30 GMT")], None),
        ([("Retry-After", "1e300")], 86_400.0),
        ([("Retry-After", "inf")], None),
        ([("Retry-After", "nan")], None),
        ([("Retry-After", "soon"), DATE], None),
        ([], None),
    ],
    ids=str,
)
def test_when_to_come_back_is_read_in_every_form(headers, seconds):
    outcome = answered(status_answer(429, headers=headers))
    assert outcome.failure.retry_after_s == seconds


@pytest.mark.parametrize(
    "script",
    [status_answer(429, b"x" * 100_000, [("Retry-After", "7")]),
     cut(status_answer(429, b"x" * 500, [("Retry-After", "7")]), 300)],
    ids=["endless", "cut"],
)  # fmt: skip
def test_an_error_whose_body_cannot_be_read_keeps_its_status(script):
    failure = answered(script).failure
    assert (failure.kind, failure.status, failure.retry_after_s) == ("rate_limited", 429, 7.0)


# Usage


@pytest.mark.parametrize("stream", [False, True])
def test_usage_is_estimated_only_when_the_engine_never_reported(stream):
    text = "one two three four five six seven eight nine"
    script = chat_stream(text, usage="never") if stream else chat_answer(text, usage=False)
    silent = answered(script, stream=stream).said.usage
    assert silent.source == "estimated"
    assert 9 <= silent.completion_tokens <= 15
    script = chat_stream(text) if stream else chat_answer(text)
    assert answered(script, stream=stream).said.usage.source == "reported"


def test_an_estimate_counts_every_token_of_a_delta_that_holds_many():
    script = event_stream(events(delta(content="a word " * 50), delta("stop")))
    assert answered(script, stream=True).said.usage.completion_tokens >= 90


def test_an_estimate_counts_words_and_tools_and_no_pictures():
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 50_000}}
    parts = [{"type": "text", "text": "what is this? " * 10}, picture]
    messages = [{"role": "user", "content": parts}]
    script = chat_answer("a cat", usage=False)
    seen = answered(script, messages=messages).said.usage.prompt_tokens
    assert 20 < seen < 100
    tools = [{"type": "function", "function": {"name": "f", "description": "d" * 900}}]
    assert answered(script, messages=messages, tools=tools).said.usage.prompt_tokens > seen + 200


def test_usage_of_a_stream_that_breaks_is_the_last_that_was_reported():
    frames = [{**delta(content="x"), "usage": {"prompt_tokens": 7, "completion_tokens": n}}
              for n in (1, 2, 3)]  # fmt: skip
    outcome = answered(event_stream(events(*frames, done=False)), stream=True)
    assert outcome.failure.kind == "cut"
    assert (outcome.said.usage.completion_tokens, outcome.said.usage.source) == (3, "reported")


# Connections and places


@pytest.mark.parametrize("stream", [False, True])
def test_one_connection_serves_many_answers(stream):
    script = chat_stream("a b c") if stream else chat_answer("a b c")
    assert answered(script, times=20, stream=stream).connections == 1


@pytest.mark.parametrize(
    "script",
    [status_answer(400), status_answer(429), status_answer(500), status_answer(200, b"{}"),
     event_stream(events())],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_that_was_read_to_its_end_costs_no_connection(script, stream):
    outcome = answered(script, times=3, stream=stream)
    assert outcome.failure is not None
    assert outcome.connections == 1


@pytest.mark.parametrize("how", ["abort", "leave", "cancel"])
def test_a_stream_that_is_given_up_closes_its_connection_and_the_next_has_a_new_one(how):
    async def main():
        script = event_stream([json.dumps(HELLO[1]).encode()] * 2, once=Flag())
        async with ScriptedUpstream(script) as upstream, a_backend() as backend:
            call = a_call(url=upstream.base_url, stream=True)
            stream = backend.stream(call)
            iterator = aiter(stream)
            await anext(iterator)
            if how == "abort":
                stream.abort()
            elif how == "leave":
                await iterator.aclose()
            else:
                waiting = asyncio.ensure_future(anext(iterator))
                await asyncio.sleep(0)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            received = await upstream.request(1)
            await received.cancelled.raised()
            assert stream.completion().replies[0].content == "hel"
            assert stream.completion().usage.source == "estimated"
            assert (await take(backend, a_call(url=upstream.base_url))).failure is None
            assert upstream.connections == 2
            assert upstream.requests[1].connection == 2

    asyncio.run(main())


def test_a_whole_answer_that_is_given_up_closes_its_connection():
    async def main():
        async with ScriptedUpstream(silence()) as upstream, a_backend() as backend:
            task = asyncio.ensure_future(take(backend, a_call(url=upstream.base_url)))
            received = await upstream.request(1)
            task.cancel()
            await received.cancelled.raised()
            assert (await take(backend, a_call(url=upstream.base_url))).failure is None
            assert upstream.connections == 2

    asyncio.run(main())


def test_a_deployment_without_an_address_is_down():
    async def main():
        async with a_backend() as backend:
            return await take(backend, a_call(url=None, deployment={"limits": LIMITS}))

    outcome = asyncio.run(main())
    assert (outcome.failure.kind, outcome.said) == ("engine_down", None)


LATE = {  # prompts that an engine counts only once the head of its answer is out
    "sglang": {"error": {"object": "error", "code": 400, "type": "BadRequestError", "param": None,
               "message": "Input length (17778 tokens) exceeds the maximum allowed length (11052 "
                          "tokens). Use a shorter input or enable --allow-auto-truncate."}},
    "vllm": {"error": {"message": "The decoder prompt (length 8357) is longer than the maximum "
                                  "model length of 8192.", "type": "BadRequestError",
                       "code": 400}},
}  # fmt: skip


@pytest.mark.parametrize("first", [[], [delta(role="assistant", content="")]], ids=["", "a role"])
@pytest.mark.parametrize("engine", LATE)
def test_a_prompt_too_long_that_is_told_as_an_event_is_the_clients_and_costs_nothing(engine, first):
    script = event_stream(events(*first, LATE[engine]))
    outcome = answered(script, engine=engine, stream=True)
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.status) == ("client_error", 400)
    assert outcome.failure.code == "context_length_exceeded"
    assert outcome.said is None


def test_a_prompt_too_long_in_a_whole_answer_of_200_is_the_clients_too():
    outcome = answered(status_answer(200, LATE["vllm"]))
    assert outcome.failure is not None
    assert outcome.failure.code == "context_length_exceeded"


def test_the_same_words_after_the_first_of_an_answer_are_the_engines_failure():
    outcome = answered(event_stream(events(delta(content="a"), LATE["vllm"])), stream=True)
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.code) == ("server_error", None)
    assert outcome.said is not None


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("engine", ["vllm", "sglang", "ollama", "dashscope"])
def test_thinking_comes_under_the_one_name_that_the_deployment_is_given(engine, field, stream):
    answer = ANSWERS[engine]
    outcome = answered(
        in_pieces(answer.stream, 4096) if stream else status_answer(200, answer.whole),
        engine=engine, stream=stream,
        deployment={"reasoning_field": field},
    )  # fmt: skip
    assert outcome.failure is None
    assert outcome.said is not None
    assert outcome.said.replies[0].reasoning == answer.reasoning
    whole = [json.loads(outcome.said.body)] if not stream else outcome.data
    choices = [choice for each in whole for choice in each["choices"]]
    told = [choice["delta"] if stream else choice["message"] for choice in choices]
    assert "".join(each.get(field) or "" for each in told) == answer.reasoning
    other = {"reasoning", "reasoning_content"} - {field}
    assert not [each for each in told if other & set(each)]
    assert "".join(each.get("content") or "" for each in told) == answer.content


def test_thinking_keeps_the_engines_name_and_bytes_where_no_name_is_given():
    frames = [
        b'{"choices":[{"index":0,"delta":{"reasoning":"a","x":1.50}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}']  # fmt: skip
    outcome = answered(event_stream([*frames, b"[DONE]"]), stream=True)
    assert [chunk.data for chunk in outcome.chunks] == frames
    named = answered(event_stream([*frames, b"[DONE]"]), stream=True,
                     deployment={"reasoning_field": "reasoning_content"})  # fmt: skip
    assert b'"x":1.50,"reasoning_content":"a"' in named.chunks[0].data
    assert named.chunks[1].data == frames[1]


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("how", ["asked", "always", "never"])
def test_a_deployment_that_refuses_to_be_asked_for_usage_is_not_and_who_asked_gets_it(how, asks):
    def strict(request):
        if how != "asked" and "stream_options" in request.json:
            return status_answer(422, {"detail": "extra inputs: stream_options"})(request)
        last = delta("stop")
        if how == "always":
            last["usage"] = usage()["usage"]
        more = [usage()] if how == "asked" else []
        return event_stream(events(delta(content="hi"), last, *more))(request)

    outcome = answered(
        strict, stream=True, deployment={"stream_usage": how}, **(ASKED if asks else {})
    )
    assert outcome.failure is None
    alone = [each["usage"]["prompt_tokens"] for each in outcome.data if not each["choices"]]
    assert alone == ([7] if asks and how != "never" else [])
    assert outcome.said is not None
    assert outcome.said.usage is not None
    assert outcome.said.usage.source == ("estimated" if how == "never" else "reported")
    if not asks:
        assert not any("usage" in each for each in outcome.data)


def test_other_options_of_a_stream_go_to_a_deployment_that_refuses_one():
    outcome = answered(
        event_stream(events(delta("stop", content="a"))), stream=True,
        stream_options={"include_usage": True, "chunk": 5}, deployment={"stream_usage": "never"},
    )  # fmt: skip
    assert outcome.received[0].json["stream_options"] == {"chunk": 5}
