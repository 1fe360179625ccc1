"""Every row of the tables of engines and families, by the bytes that go out for it."""

import json
from typing import Any, get_args

import pytest
from backend_calls import a_call, sent
from engine_answers import ANSWERS
from tests.conformance.early import OVERFLOWS

from pointsman.backends.dialects import ENGINES, FAMILIES, PATHS
from pointsman.backends.refusals import refused
from pointsman.domain.portfolio import Engine

# engine: where a task's `thinking: off` goes for Qwen3
THINKING_OFF: dict[str, dict[str, Any]] = {
    "openai": {"reasoning_effort": "none"},
    "vllm": {"chat_template_kwargs": {"enable_thinking": False}},
    "sglang": {"chat_template_kwargs": {"enable_thinking": False}},
    "llamacpp": {"chat_template_kwargs": {"enable_thinking": False}},
    "embedded": {"chat_template_kwargs": {"enable_thinking": False}},
    "tgi": {"reasoning_effort": "none"},
    "ollama": {"reasoning_effort": "none"},
    "dashscope": {"enable_thinking": False},
}
TEMPLATE = ("vllm", "sglang", "llamacpp", "embedded")
EFFORT = ("openai", "tgi", "ollama")


def test_every_row_is_tested_here():
    assert set(THINKING_OFF) == set(ENGINES) == set(get_args(Engine))
    assert set(FAMILIES) == {"generic", "qwen3", "deepseek", "gpt-oss"}


@pytest.mark.parametrize("name", [name for name, answer in ANSWERS.items() if answer.reasoning])
def test_a_row_names_the_fields_in_which_its_engine_tells_its_thinking(name):
    row, answer = ENGINES[name], ANSWERS[name]
    message = json.loads(answer.whole)["choices"][0]["message"]
    deltas = [json.loads(frame)["choices"] for frame in answer.frames]
    told = {field for field in ("reasoning", "reasoning_content") if message.get(field)}
    told |= {
        field
        for choices in deltas
        for choice in choices
        for field in ("reasoning", "reasoning_content")
        if choice["delta"].get(field)
    }
    assert told == set(row.reasoning)


@pytest.mark.parametrize("name", ENGINES)
def test_an_engines_words_for_a_prompt_that_is_too_long_are_in_its_own_row(name):
    told = {key: bodies for key, bodies in OVERFLOWS.items() if key.partition("-")[0] == name}
    for _, body, _ in told.values():
        said = json.dumps(body, ensure_ascii=False)
        assert any(words in said for words in ENGINES[name].overflow)
    for words in ENGINES[name].overflow:
        body = json.dumps({"error": {"message": f"so: {words} 1"}}).encode()
        assert refused(400, {}, body).code == "context_length_exceeded"


PATHS_TAKEN = {
    "openai": ("/chat/completions", "/completions", "/embeddings", "/rerank"),
    "vllm": ("/chat/completions", "/completions", "/embeddings", "/rerank"),
    "sglang": ("/chat/completions", "/completions", "/embeddings", "/rerank"),
    "llamacpp": ("/chat/completions", "/completions", "/embeddings", "/rerank"),
    "embedded": ("/chat/completions", "/completions", None, None),
    "tgi": ("/chat/completions", "/completions", None, None),
    "ollama": ("/chat/completions", "/completions", "/embeddings", None),
    "dashscope": ("/chat/completions", "/completions", "/embeddings", "/reranks"),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_is_asked_on_its_own_path(engine):
    row = ENGINES[engine]
    paths = tuple(row.path(each) if each in row.operations else None for each in PATHS)
    assert paths == PATHS_TAKEN[engine]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_is_asked_for_usage_and_logprobs_and_told_of_thinking_in_its_words(engine):
    call = a_call(engine, "qwen3", gate_logprobs=True, thinking="off", stream=True)
    assert sent(call) == {
        "stream": True,
        "stream_options": {"include_usage": True},
        "logprobs": True,
        **THINKING_OFF[engine],
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_is_told_nothing_of_thinking_that_nobody_asked(engine):
    for family in FAMILIES:
        assert sent(a_call(engine, family)) == {}


@pytest.mark.parametrize(
    ("family", "off", "on"),
    [
        ("qwen3", {"chat_template_kwargs": {"enable_thinking": False}},
         {"chat_template_kwargs": {"enable_thinking": True}}),
        ("deepseek", {"chat_template_kwargs": {"thinking": False}},
         {"chat_template_kwargs": {"thinking": True}}),
        ("gpt-oss", {"reasoning_effort": "low"}, {}),
        ("generic", {"reasoning_effort": "none"}, {}),
        ("never heard of", {"reasoning_effort": "none"}, {}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("engine", TEMPLATE)
def test_a_task_switches_a_family_by_its_template(engine, family, off, on):
    assert sent(a_call(engine, family, thinking="off")) == off
    assert sent(a_call(engine, family, thinking="on")) == on


@pytest.mark.parametrize("family", FAMILIES)
def test_dashscope_has_one_switch_for_every_family(family):
    assert sent(a_call("dashscope", family, thinking="off")) == {"enable_thinking": False}
    assert sent(a_call("dashscope", family, thinking="high")) == {"enable_thinking": True}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("engine", EFFORT)
def test_a_tasks_effort_goes_out_as_one(engine, family):
    assert sent(a_call(engine, family, thinking="high")) == {"reasoning_effort": "high"}
    assert sent(a_call(engine, family, thinking="on")) == {}


# What a client may say, and what it means


CLIENT_OFF = [
    {"reasoning_effort": "none"},
    {"enable_thinking": False},
    {"chat_template_kwargs": {"enable_thinking": False}},
]


@pytest.mark.parametrize("said", CLIENT_OFF, ids=lambda said: next(iter(said)))
@pytest.mark.parametrize("task", [None, "on", "high"])
@pytest.mark.parametrize("engine", TEMPLATE)
def test_a_clients_switch_reaches_qwens_template_and_wins_over_the_task(engine, task, said):
    off = {"chat_template_kwargs": {"enable_thinking": False}}
    assert sent(a_call(engine, "qwen3", thinking=task, **said)) == off


@pytest.mark.parametrize("said", CLIENT_OFF, ids=lambda said: next(iter(said)))
@pytest.mark.parametrize("task", [None, "on"])
def test_a_clients_switch_reaches_dashscope_and_wins_over_the_task(task, said):
    body = sent(a_call("dashscope", "qwen3", thinking=task, **said))
    assert body["enable_thinking"] is False
    assert "reasoning_effort" not in body


@pytest.mark.parametrize("engine", EFFORT)
@pytest.mark.parametrize("effort", ["none", "minimal", "low", "high", "an effort of tomorrow"])
def test_a_clients_effort_stays_as_it_is(engine, effort):
    for family in FAMILIES:
        body = sent(a_call(engine, family, thinking="off", reasoning_effort=effort))
        assert body == {"reasoning_effort": effort}


@pytest.mark.parametrize("engine", ["ollama", "tgi"])
@pytest.mark.parametrize("said", CLIENT_OFF[1:], ids=lambda said: next(iter(said)))
def test_a_clients_switch_becomes_an_effort_where_that_is_the_switch(engine, said):
    body = sent(a_call(engine, "qwen3", thinking="on", **said))
    assert body == {**said, "reasoning_effort": "none"}


@pytest.mark.parametrize("said", CLIENT_OFF[1:], ids=lambda said: next(iter(said)))
@pytest.mark.parametrize(
    ("engine", "family"),
    [("openai", "qwen3"), ("openai", "generic"), ("vllm", "generic"), ("ollama", "generic")],
)
def test_of_an_unknown_engine_or_model_the_clients_own_words_stay(engine, family, said):
    assert sent(a_call(engine, family, thinking="on", **said)) == said


def test_deepseeks_own_switch_is_the_clients_word_on_every_engine():
    said = {"chat_template_kwargs": {"thinking": False}}
    assert sent(a_call("vllm", "deepseek", thinking="on", **said)) == said
    body = sent(a_call("dashscope", "deepseek", thinking="on", **said))
    assert body == {**said, "enable_thinking": False}


def test_a_switch_the_engine_itself_knows_is_not_touched():
    both = {"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "low"}
    assert sent(a_call("vllm", "qwen3", thinking="off", **both)) == both
    own = {"enable_thinking": True, "reasoning_effort": "none"}
    assert sent(a_call("dashscope", "qwen3", thinking="off", **own)) == own


@pytest.mark.parametrize(
    "said",
    [{"chat_template_kwargs": None}, {"enable_thinking": None}, {"reasoning_effort": None},
     {"chat_template_kwargs": {"enable_thinking": None}}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("engine", ENGINES)
def test_a_null_is_no_switch_so_the_task_decides(engine, said):
    body = sent(a_call(engine, "qwen3", thinking="off", **said))
    assert {name: body[name] for name in THINKING_OFF[engine]} == THINKING_OFF[engine]


def test_other_template_arguments_of_the_client_stay_beside_the_switch():
    own = {"documents": [{"a": 1.50}], "enable": None}
    body = sent(a_call("vllm", "qwen3", thinking="off", chat_template_kwargs=own))
    assert body == {"chat_template_kwargs": {**own, "enable_thinking": False}}


THINKING_BOUND = {"vllm": "thinking_token_budget", "dashscope": "thinking_budget",
                  "llamacpp": "thinking_budget_tokens",
                  "embedded": "thinking_budget_tokens"}  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_the_bound_of_an_arms_thinking_goes_out_in_the_engines_own_word(engine):
    bounded = sent(a_call(engine, "qwen3", mode={"thinking_tokens": 512}))
    name = THINKING_BOUND.get(engine)
    assert bounded == ({} if name is None else {name: 512})
    if name is not None:
        assert sent(a_call(engine, "qwen3", mode={"thinking_tokens": 5}, **{name: 9})) == {name: 9}
    off = sent(a_call(engine, "qwen3", mode={"thinking_tokens": 512}, reasoning_effort="none"))
    assert name is None or name not in off
