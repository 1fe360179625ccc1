"""What Responses and Messages ask becomes a chat request that says the same, or a clear refusal."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.errors import InvalidRequest
from pointsman.surfaces.messages_request import parse_messages
from pointsman.surfaces.responses_request import parse_responses

TOOL = {"type": "object", "properties": {"city": {"type": "string"}}}
PIXEL = {"type": "base64", "media_type": "image/png", "data": "aGk="}


def chat_of(parse: Any, said: dict[str, Any]) -> dict[str, Any]:
    """The fields that the engine would be sent, decoded."""
    request = parse(json.dumps(said).encode())
    return {name: json.loads(bytes(raw)) for name, raw in request.fields.items()}


def messages(*turns: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 5, "messages": list(turns), **fields}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def test_a_coding_agents_turn_becomes_chat() -> None:
    """A system prompt in blocks, a tool that was called, its result, and a picture."""
    said = messages(
        user([{"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}}]),
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "a"}},
        ]},
        user([
            {"type": "tool_result", "tool_use_id": "t1",
             "content": [{"type": "text", "text": "line 1"}, {"type": "image", "source": PIXEL}]},
            {"type": "text", "text": "and?"},
        ]),
        system=[{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        tools=[{"name": "read", "description": "d", "input_schema": TOOL}],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        thinking={"type": "enabled", "budget_tokens": 1024},
        metadata={"user_id": "ada"}, stop_sequences=["END"], temperature=0.5, top_k=20, stream=True,
        context_management={"edits": []}, service_tier="auto",
    )  # fmt: skip
    assert chat_of(parse_messages, said) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief.\nBe kind."},
            {"role": "user", "content": "look"},
            {"role": "assistant", "content": "I look.", "reasoning_content": "hm", "tool_calls": [
                {"id": "t1", "type": "function",
                 "function": {"name": "read", "arguments": '{"path":"a"}'}}]},
            {"role": "tool", "tool_call_id": "t1", "content": "line 1"},
            {"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                {"type": "text", "text": "and?"}]},
        ],
        "temperature": 0.5, "top_k": 20, "max_tokens": 5, "stop": ["END"], "user": "ada",
        "stream": True, "stream_options": {"include_usage": True},
        "tools": [{"type": "function",
                   "function": {"name": "read", "parameters": TOOL, "description": "d"}}],
        "tool_choice": "required", "parallel_tool_calls": False,
    }  # fmt: skip
    assert parse_messages(json.dumps(said).encode()).thinking == "on"


def test_the_items_of_a_response_become_turns() -> None:
    said = {
        "model": "m", "instructions": "Be brief.", "max_output_tokens": 7, "temperature": 0.5,
        "input": [
            {"role": "user", "content": [
                {"type": "input_text", "text": "look"},
                {"type": "input_image", "image_url": "http://h/a.png", "detail": "low"}]},
            {"type": "reasoning", "id": "r", "summary": [],
             "content": [{"type": "reasoning_text", "text": "hm"}]},
            {"type": "message", "role": "assistant", "id": "x", "status": "completed",
             "content": [{"type": "output_text", "text": "I look.", "annotations": []}]},
            {"type": "function_call", "call_id": "c1", "name": "read", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "list", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {"type": "function_call_output", "call_id": "c2",
             "output": [{"type": "input_text", "text": "two"}]},
        ],
        "tools": [{"type": "function", "name": "read", "parameters": TOOL, "strict": True}],
        "tool_choice": {"type": "function", "name": "read"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": TOOL, "strict": True}},
        "reasoning": {"effort": "low"}, "store": False, "previous_response_id": None,
        "include": ["reasoning.encrypted_content"], "top_p": 0.25,
    }  # fmt: skip
    calls = [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for n, name in ((1, "read"), (2, "list"))
    ]
    assert chat_of(parse_responses, said) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "http://h/a.png", "detail": "low"}}]},
            {"role": "assistant", "content": "I look.", "reasoning_content": "hm",
             "tool_calls": calls},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "tool", "tool_call_id": "c2", "content": "two"},
        ],
        "max_tokens": 7, "temperature": 0.5, "top_p": 0.25, "reasoning_effort": "low",
        "tools": [{"type": "function",
                   "function": {"name": "read", "parameters": TOOL, "strict": True}}],
        "tool_choice": {"type": "function", "function": {"name": "read"}},
        "response_format": {"type": "json_schema",
                            "json_schema": {"name": "n", "schema": TOOL, "strict": True}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0]"),
        ({"messages": [user([{"type": "document", "source": {"type": "base64"}}])]},
         "messages[0].content[0].media_type"),
        ({"messages": [user([{"type": "image", "source": {"type": "file"}}])]},
         "messages[0].content[0]"),
        ({"messages": [user([{"type": "tool_result"}])]}, "messages[0].content[0].tool_use_id"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
        ({"tool_choice": {"type": "all"}}, "tool_choice"),
        ({"mcp_servers": [{"url": "x"}]}, "mcp_servers"),
        ({"output_config": {"effort": 5}}, "output_config.effort"),
        ({"system": [{"type": "image"}]}, "system[0]"),
        ({"messages": [user([{"type": "document", "source": {"type": "url", "url": "x"}}])]},
         "messages[0].content[0]"),
        ({"messages": [user([{"type": "document", "source": {"type": "content", "content": [
            {"type": "document", "source": {"type": "content", "content": []}}]}}])]},
         "messages[0].content[0]"),
    ],
)  # fmt: skip
def test_a_message_that_cannot_be_honoured_names_why(fields: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_messages(json.dumps({**messages(user("x")), **fields}).encode())
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content[0]"),
        ({"input": [{"role": "clown", "content": "x"}]}, "input[0]"),
        ({"input": [{"type": "function_call", "call_id": "c"}]}, "input[0].arguments"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": {"id": "c"}}, "conversation"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        (
            {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "custom"}]}]},
            "tools[0].tools[0]",
        ),
        (
            {
                "tools": [
                    {"type": "function", "name": "n__a"},
                    {
                        "type": "namespace",
                        "name": "n",
                        "tools": [{"type": "function", "name": "a"}],
                    },
                ]
            },
            "tools[1].tools[0]",
        ),
        ({"reasoning": {"effort": 5}}, "reasoning.effort"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input[0].content[0]",
        ),
    ],
)
def test_a_response_that_cannot_be_honoured_names_why(fields: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_responses(json.dumps({"model": "m", "input": "x", **fields}).encode())
    assert refused.value.param == param


def test_only_what_stands_first_is_the_systems() -> None:
    """Templates refuse a later system message, or drop a developer's; nobody's text is raised."""
    said = {
        "model": "m", "instructions": "Be brief.",
        "input": [
            {"role": "developer", "content": "Sandboxed."},
            {"role": "user", "content": "hi"},
            {"role": "developer", "content": [{"type": "input_text", "text": "No network."}]},
        ],
    }  # fmt: skip
    assert chat_of(parse_responses, said)["messages"] == [
        {"role": "system", "content": "Be brief.\n\nSandboxed."},
        {"role": "user", "content": "hi"},
        {"role": "user", "content": "No network."},
    ]
    turns = messages(user("hi"), {"role": "system", "content": "Now French."}, system="Be brief.")
    roles = [turn["role"] for turn in chat_of(parse_messages, turns)["messages"]]
    assert roles == ["system", "user", "user"]


def test_documents_are_text_pictures_or_files() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "aGk="}
    blocks = [
        {"type": "document", "title": "T", "source": {"type": "text", "data": "body"}},
        {"type": "document", "source": {"type": "content", "content": [
            {"type": "text", "text": "a"}, {"type": "image", "source": PIXEL}]}},
        {"type": "document", "title": "b.pdf", "source": pdf},
    ]  # fmt: skip
    url = "data:application/pdf;base64,aGk="
    assert chat_of(parse_messages, messages(user(blocks)))["messages"][0]["content"] == [
        {"type": "text", "text": "T\n\nbody"},
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        {"type": "file", "file": {"filename": "b.pdf", "file_data": url}},
    ]
    part = {"type": "input_file", "filename": "b.pdf", "file_data": url}
    said = {"model": "m", "input": [user([part])]}
    file = {"type": "file", "file": {"filename": "b.pdf", "file_data": url}}
    assert chat_of(parse_responses, said)["messages"][0]["content"] == [file]


def test_a_field_of_chat_replaces_nothing_that_was_translated() -> None:
    said = {"model": "m", "input": "mine", "messages": [user("other")], "n": 3, "seed": 7}
    chat = chat_of(parse_responses, said)
    assert chat == {"model": "m", "messages": [user("mine")], "seed": 7}


def test_functions_of_a_namespace_are_functions_with_both_names() -> None:
    """Codex groups the tools of other agents so."""
    close = {"type": "function", "name": "close", "parameters": TOOL, "strict": False}
    said = {
        "model": "m",
        "tools": [{"type": "function", "name": "close"},
                  {"type": "namespace", "name": "agents", "description": "d", "tools": [close]}],
        "input": [
            {"type": "function_call", "call_id": "c", "namespace": "agents", "name": "close",
             "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "done"},
        ],
    }  # fmt: skip
    chat = chat_of(parse_responses, said)
    names = [tool["function"]["name"] for tool in chat["tools"]]
    assert names == ["close", "agents__close"]
    assert chat["messages"][0]["tool_calls"][0]["function"]["name"] == "agents__close"
    request = parse_responses(json.dumps(said).encode())
    assert request.namespaces == {"agents__close": ("agents", "close")}


_WORDS = st.sampled_from(
    ["text", "tool_use", "tool_result", "message", "function_call", "user", "assistant", "x", ""]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "text", "id", "name", "input", "source"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from([parse_messages, parse_responses]), st.dictionaries(st.sampled_from(
    ["messages", "input", "system", "tools", "tool_choice", "text", "thinking", "instructions",
     "reasoning", "metadata", "output_config", "stream"]), _JSON))  # fmt: skip
def test_any_object_is_translated_or_refused(parse: Any, said: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidRequest):
        request = parse(json.dumps({"model": "m", "max_tokens": 1, **said}).encode())
        assert request.operation == "chat"
        assert all(bytes(raw) != b"null" for raw in request.fields.values())
