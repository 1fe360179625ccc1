"""A held answer as one JSON object in the words of chat, whatever way it came; its text changed.

Pure.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from pointsman.domain.messages import Reply
from pointsman.domain.money import Usage


def answer_of(
    replies: Sequence[Reply], *, id: str | None, model: str | None, usage: Usage | None,
    operation: str, created: int,
) -> bytes:  # fmt: skip
    """A whole answer of what a stream said."""
    chat = operation == "chat"
    choices: list[dict[str, Any]] = []
    for index, reply in enumerate(replies):
        choice: dict[str, Any] = {"index": index, "finish_reason": reply.finish_reason or "stop"}
        if chat:
            message: dict[str, Any] = {"role": "assistant", "content": reply.content or None}
            if reply.reasoning:
                message["reasoning_content"] = reply.reasoning
            if reply.refusal:
                message["refusal"] = reply.refusal
            if reply.tool_calls:
                message["tool_calls"] = [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.name, "arguments": call.arguments},
                    }
                    for call in reply.tool_calls
                ]
            choice["message"] = message
        else:
            choice["text"] = reply.content
        choices.append(choice)
    body: dict[str, Any] = {
        "id": id or "",
        "object": "chat.completion" if chat else "text_completion",
        "created": created,
        "model": model or "",
        "choices": choices,
    }
    if usage is not None:
        body["usage"] = {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        }
    return msgspec.json.encode(body)


def chunks_of(body: bytes, *, usage: bool) -> list[bytes]:
    """The same answer as events of a stream: what each choice says, its end, and usage if asked."""
    said = msgspec.json.decode(body)
    chat = said.get("object") != "text_completion"
    head = {
        "id": said.get("id", ""),
        "object": "chat.completion.chunk" if chat else "text_completion",
        "created": said.get("created", 0),
        "model": said.get("model", ""),
    }
    made = []
    for choice in said["choices"]:
        index, finish = choice.get("index", 0), choice.get("finish_reason") or "stop"
        if chat:
            delta = {k: v for k, v in choice["message"].items() if v is not None}
            calls = delta.get("tool_calls")
            if calls is not None:
                delta["tool_calls"] = [{"index": at, **call} for at, call in enumerate(calls)]
            parts: list[dict[str, Any]] = [
                {"index": index, "delta": delta, "finish_reason": None},
                {"index": index, "delta": {}, "finish_reason": finish},
            ]
        else:
            parts = [{"index": index, "text": choice.get("text", ""), "finish_reason": finish}]
        made += [msgspec.json.encode({**head, "choices": [part]}) for part in parts]
    if usage and said.get("usage") is not None:
        made.append(msgspec.json.encode({**head, "choices": [], "usage": said["usage"]}))
    return made


def text_of(body: bytes) -> str:
    """What a reviewer reads: the text of every choice, and calls of tools as JSON."""
    said = msgspec.json.decode(body)
    parts = []
    for choice in said.get("choices", ()):
        message = choice.get("message") or {}
        content = message.get("content", choice.get("text"))
        if isinstance(content, str):
            parts.append(content)
        elif content is not None:
            parts.append(msgspec.json.encode(content).decode())
        if message.get("refusal"):
            parts.append(message["refusal"])
        if message.get("tool_calls"):
            parts.append(msgspec.json.encode(message["tool_calls"]).decode())
    return "\n\n".join(parts)


def with_text(body: bytes, text: str) -> bytes:
    """The answer with one choice that says this, and nothing else of what the model wrote."""
    said = msgspec.json.decode(body)
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    if said.get("object") == "text_completion":
        choice["text"] = text
    else:
        choice["message"] = {"role": "assistant", "content": text}
    kept = {k: said[k] for k in ("id", "object", "created", "model", "usage") if k in said}
    return msgspec.json.encode({**kept, "choices": [choice]})
