"""What is read in answers, whatever the engine, and what stripping leaves of them."""

import itertools
import json
from typing import Any

import msgspec
import pytest
from engine_answers import ANSWERS, ERRORS
from hypothesis import given
from hypothesis import strategies as st

from pointsman.backends.incoming import Assembler, error_message, parse, strip, usage_of
from pointsman.domain.messages import Reply


def reply_of(*frames: Any) -> Reply:
    """The first choice of these deltas, messages or frames' bytes."""
    assembler = Assembler()
    for frame in frames:
        data = frame if isinstance(frame, bytes) else json.dumps({"choices": [frame]}).encode()
        for choice in parse(data).choices or ():
            assembler.take(choice, choice.delta or choice.message)
    return assembler.reply()


@pytest.mark.parametrize("name", ANSWERS)
def test_a_streamed_answer_says_what_the_whole_one_says(name):
    engine = ANSWERS[name]
    whole, streamed = reply_of(engine.whole), reply_of(*engine.frames)
    assert streamed.content == whole.content == engine.content
    assert streamed.reasoning == whole.reasoning == engine.reasoning
    for reply in (whole, streamed):
        calls = reply.tool_calls
        assert tuple(call.arguments for call in calls) == engine.arguments
        assert {call.name for call in calls} <= {"get_weather"}
        assert [call.index for call in calls] == list(range(len(calls)))
    assert [c.id for c in streamed.tool_calls] == [c.id for c in whole.tool_calls]
    assert streamed.finish_reason == whole.finish_reason == engine.finish_reason
    assert streamed.logprobs == whole.logprobs
    assert (whole.logprobs.tokens if whole.logprobs else 0) == engine.logprobs


@pytest.mark.parametrize("name", ANSWERS)
def test_usage_is_read_wherever_an_engine_puts_it(name):
    engine = ANSWERS[name]
    said = [usage_of(parse(data)) for data in engine.frames]
    for usage in (usage_of(parse(engine.whole)), [each for each in said if each][-1]):
        assert usage is not None
        assert (usage.prompt_tokens, usage.completion_tokens) == (11, 5)
        assert usage.cached_tokens == engine.cached_tokens
        assert usage.reasoning_tokens == engine.reasoning_tokens
        assert usage.source == "reported"


@pytest.mark.parametrize("name", [name for name in ERRORS if name[0] != "a"])
def test_an_engines_error_is_read_in_its_own_words(name):
    assert error_message(parse(ERRORS[name])) == "no such thing"


@pytest.mark.parametrize("none", [b"null", b"{}", b'""', b"false"])
def test_an_error_that_is_none_is_none(none):
    assert error_message(parse(b'{"choices":[],"error":' + none + b"}")) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"nonsense", b'{"choices":5}', b'{"choices":[{"delta":{"content":"\xff"}}]}',
     b'{"choices":[{"delta":{"content":"\\ud83d"}}]}', b'{"x":' + b"[" * 100_000],
    ids=lambda data: repr(data[:40]),
)  # fmt: skip
def test_what_is_no_answer_is_told_with_one_kind_of_error(data):
    with pytest.raises(msgspec.MsgspecError):
        parse(data)


def test_a_field_whose_name_is_no_text_cannot_be_stripped_around():
    data = b'{"choices":[],"usage":{},"\xff":1}'
    with pytest.raises(msgspec.MsgspecError):
        strip(data, usage=True, logprobs=True)


# Assembling


def cuts(text: str, at: list[int]) -> list[str]:
    edges = sorted({where % (len(text) + 1) for where in at} | {0, len(text)})
    return [text[a:b] for a, b in itertools.pairwise(edges)]


texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
places = st.lists(st.integers(0, 40), max_size=6)


@given(texts, texts, texts, places, st.sampled_from(["reasoning", "reasoning_content"]))
def test_deltas_of_any_split_make_the_whole_answer(content, thought, refusal, at, name):
    message = {"role": "assistant", "content": content, name: thought, "refusal": refusal}
    frames: list[Any] = [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
    for field, text in ((name, thought), ("content", content), ("refusal", refusal)):
        frames += [{"delta": {field: piece}} for piece in cuts(text, at)]
    frames.append({"delta": {}, "finish_reason": "stop"})
    assert reply_of(*frames) == reply_of({"message": message, "finish_reason": "stop"})


@given(st.lists(st.tuples(texts, places), max_size=4), st.randoms(use_true_random=False))
def test_tool_calls_of_any_split_and_interleaving_make_the_whole_ones(calls, chance):
    message = {
        "tool_calls": [
            {"id": f"call_{at}", "type": "function",
             "function": {"name": f"tool_{at}", "arguments": arguments}}
            for at, (arguments, _) in enumerate(calls)
        ]
    }  # fmt: skip
    queues = []
    for at, (arguments, where) in enumerate(calls):
        first = {"index": at, "id": f"call_{at}", "function": {"name": f"tool_{at}"}}
        pieces = [{"index": at, "function": {"arguments": p}} for p in cuts(arguments, where)]
        queues.append([first, *pieces])
    frames = []
    while queues:
        queue = chance.choice(queues)
        frames.append({"delta": {"tool_calls": [queue.pop(0)]}})
        queues = [each for each in queues if each]
    assert reply_of(*frames).tool_calls == reply_of({"message": message}).tool_calls


def test_an_explicit_index_counts_before_the_place_in_the_list():
    calls = [{"index": 1, "id": "b", "function": {"name": "two", "arguments": "{}"}},
             {"index": 0, "id": "a", "function": {"name": "one", "arguments": "{}"}}]  # fmt: skip
    assert [c.name for c in reply_of({"delta": {"tool_calls": calls}}).tool_calls] == ["one", "two"]


def test_a_name_that_is_repeated_in_every_delta_is_said_once():
    frames = [
        {"delta": {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": piece}}]}}
        for piece in ("{", "}")
    ]
    [call] = reply_of(*frames).tool_calls
    assert (call.name, call.arguments) == ("f", "{}")


def test_a_function_call_of_old_is_a_tool_call():
    said = {"name": "f", "arguments": "{}"}
    [call] = reply_of({"message": {"content": None, "function_call": said}}).tool_calls
    assert (call.name, call.arguments) == ("f", "{}")
    frames = [{"delta": {"function_call": {"name": "f", "arguments": ""}}},
              {"delta": {"function_call": {"arguments": "{}"}}}]  # fmt: skip
    assert reply_of(*frames).tool_calls == (call,)


def test_content_in_parts_is_its_text():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": None}, {"type": "x"}, "b"]
    assert reply_of({"message": {"content": parts}}).content == "a"


def test_the_least_and_the_mean_logprob_are_over_all_deltas():
    frames = [
        {"delta": {"content": "x"}, "logprobs": {"content": [{"logprob": value}]}}
        for value in (-0.5, -2.0, -0.5)
    ]
    logprobs = reply_of(*frames, {"delta": {}, "logprobs": {"content": None}}).logprobs
    assert logprobs is not None
    assert (logprobs.minimum, logprobs.mean, logprobs.tokens) == (-2.0, -1.0, 3)


def test_with_one_logprob_unknown_none_is_known():
    tokens = [{"logprob": -0.1}, {"logprob": None}]
    assert reply_of({"delta": {"content": "x"}, "logprobs": {"content": tokens}}).logprobs is None


@pytest.mark.parametrize(
    "logprobs",
    [
        {"tokens": ["a", "b"], "token_logprobs": [-0.5, -1.5], "text_offset": [0, 1]},
        {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]},
    ],
    ids=["OpenAI, vLLM, SGLang", "llama.cpp"],
)
def test_the_logprobs_of_a_completion_are_read_in_both_their_shapes(logprobs):
    said = reply_of({"text": "ab", "logprobs": logprobs, "finish_reason": "stop"})
    assert said.content == "ab"
    assert said.logprobs is not None
    assert (said.logprobs.minimum, said.logprobs.mean, said.logprobs.tokens) == (-1.5, -1.0, 2)


def test_an_echoed_prompts_first_token_has_no_logprob_so_none_is_known():
    logprobs = {"tokens": ["a", "b"], "token_logprobs": [None, -1.5]}
    assert reply_of({"text": "ab", "logprobs": logprobs}).logprobs is None


def test_the_last_reason_to_finish_counts_and_an_empty_one_is_none():
    assert reply_of({"delta": {}, "finish_reason": ""}).finish_reason is None
    frames = [{"delta": {}, "finish_reason": "stop"}, {"delta": {}, "finish_reason": "tool_calls"},
              {"delta": {}, "finish_reason": None}]  # fmt: skip
    assert reply_of(*frames).finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("message", "empty"),
    [
        ({"content": ""}, True),
        ({"content": None, "tool_calls": [], "audio": None}, True),
        ({"content": [{"type": "text", "text": ""}]}, True),
        ({"content": " "}, False),
        ({"reasoning": "hm"}, False),
        ({"refusal": "no"}, False),
        ({"audio": {"data": "UklG"}}, False),
        ({"function_call": {"name": "f", "arguments": ""}}, False),
    ],
)
def test_an_answer_is_empty_when_nothing_in_it_is_of_use(message, empty):
    assembler = Assembler()
    [choice] = parse(json.dumps({"choices": [{"message": message}]}).encode()).choices or ()
    assert assembler.take(choice, choice.message) is not empty
    assert assembler.empty is empty


def test_a_filtered_answer_is_not_empty_its_reason_is_the_answer():
    assembler = Assembler()
    [choice] = parse(b'{"choices":[{"delta":{},"finish_reason":"content_filter"}]}').choices or ()
    assembler.take(choice, choice.delta)
    assert not assembler.empty


# Stripping

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
some = st.dictionaries(texts, json_values, max_size=3)
choice_objects = st.builds(
    lambda some, own: {**some, **own},
    some,
    st.fixed_dictionaries({}, optional={"logprobs": json_values, "usage": json_values}),
)
objects = st.builds(
    lambda some, own: {**some, **own},
    some,
    st.fixed_dictionaries(
        {},
        optional={
            "usage": json_values,
            "logprobs": json_values,
            "choices": st.none() | st.lists(choice_objects, max_size=3),
        },
    ),
)


@given(objects, st.booleans(), st.booleans(), st.booleans())
def test_stripping_takes_what_it_names_and_leaves_the_rest_as_it_was(said, usage, logprobs, ascii_):
    data = json.dumps(said, ensure_ascii=ascii_).encode()
    expected = dict(said)
    if usage:
        expected.pop("usage", None)
    if logprobs and expected.get("choices"):
        expected["choices"] = [
            {name: value for name, value in choice.items() if name != "logprobs"}
            for choice in expected["choices"]
        ]
    left = json.loads(strip(data, usage=usage, logprobs=logprobs))
    assert left == expected
    assert list(left) == list(expected)


def test_stripping_leaves_numbers_digit_by_digit():
    data = b'{"usage":{},"t":0.10,"n":12345678901234567890123,"choices":[{"logprobs":{},"x":1E5}]}'
    left = b'{"t":0.10,"n":12345678901234567890123,"choices":[{"x":1E5}]}'
    assert strip(data, usage=True, logprobs=True) == left
