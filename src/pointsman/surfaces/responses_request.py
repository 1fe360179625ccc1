"""A request of OpenAI's Responses API, written as a chat request."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pointsman.domain.errors import InvalidRequest
from pointsman.domain.messages import ModelRequest
from pointsman.surfaces.chat import parse_chat
from pointsman.surfaces.reading import read
from pointsman.surfaces.responses_tools import chat_choice, chat_tools, joined
from pointsman.surfaces.system_turns import with_one_system

Json = dict[str, Any]


class _Known(msgspec.Struct):
    model: str
    input: str | list[Json]
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: int | None = None
    tools: list[Json] | None = None
    tool_choice: Any = None
    text: Json | None = None
    reasoning: Json | None = None
    store: bool | None = None
    include: list[str] | None = None


_KNOWN = msgspec.json.Decoder(_Known)
# What a gateway that keeps no conversations cannot do; null and false ask for nothing.
_NOT_HERE = {
    "previous_response_id": "no conversation is kept here: send its turns as `input`",
    "conversation": "no conversation is kept here: send its turns as `input`",
    "background": "an answer is waited for here; for later there are batches",
    "prompt": "prompts are versions of a task here: ask the task",
    "max_tool_calls": "tools of the client's own are called, by the client",
    "top_logprobs": "chat completions give logprobs",
}
# Read above, or of no sense to an engine; everything else is forwarded as it came.
_OURS = frozenset(_Known.__struct_fields__) | frozenset(_NOT_HERE) | {
    "messages", "n", "truncation", "stream_options", "prompt_cache_retention",
}  # fmt: skip
_NOTHING = (b"null", b"false")
_LOGPROBS = "message.output_text.logprobs"


def parse_responses(body: bytes) -> ModelRequest:
    """The request in a body. Raises: InvalidRequest that says what is wrong and where."""
    known, fields = read(body, _KNOWN)
    for name, why in _NOT_HERE.items():
        if name in fields and bytes(fields[name]) not in _NOTHING:
            raise _unsupported(name, why)
    if known.store:
        raise _unsupported("store", "answers are kept in the journal, not to be asked for again")
    if _LOGPROBS in (known.include or ()):
        raise _unsupported("include", "chat completions give logprobs")
    if known.max_output_tokens is not None and known.max_output_tokens < 1:
        raise InvalidRequest("`max_output_tokens` must be at least 1", param="max_output_tokens",
                             code="invalid_value")  # fmt: skip
    if not known.input:
        raise InvalidRequest("`input` is empty", param="input", code="empty_input")
    messages = with_one_system(list(_messages(known)))
    if not messages:
        raise InvalidRequest(
            "`input` holds nothing that was said", param="input", code="empty_input"
        )
    chat: Json = {"model": known.model, "messages": messages}
    chat.update({name: raw for name, raw in fields.items() if name not in _OURS})
    for name, value in _settings(known):
        if value is not None:
            chat[name] = value
    tools, names = chat_tools(known.tools or ())
    if tools:
        chat["tools"] = tools
    request = parse_chat(msgspec.json.encode(chat))
    return msgspec.structs.replace(request, namespaces=names) if names else request


def _settings(known: _Known) -> Iterator[tuple[str, Any]]:
    yield "max_tokens", known.max_output_tokens
    if known.stream:
        yield "stream", True
        yield "stream_options", {"include_usage": True}  # the last event tells of it
    yield "tool_choice", chat_choice(known.tool_choice)
    if (known.reasoning or {}).get("effort") is not None:
        yield "reasoning_effort", _word(known.reasoning or {}, "effort", "reasoning")
    text = known.text or {}
    yield "verbosity", text.get("verbosity")
    form = text.get("format")
    if form is not None:
        yield "response_format", _form(form)


def _form(form: Any) -> Json | None:
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "json_object"}
    if kind == "json_schema" and isinstance(form.get("schema"), dict):
        schema = {name: form[name] for name in ("name", "description", "schema", "strict")
                  if form.get(name) is not None}  # fmt: skip
        return {"type": "json_schema", "json_schema": schema}
    raise _unsupported("text.format", "it is text, json_object, or json_schema with a schema")


def _messages(known: _Known) -> Iterator[Json]:
    if known.instructions:
        yield {"role": "system", "content": known.instructions}
    if isinstance(known.input, str):
        yield {"role": "user", "content": known.input}
        return
    turn = _Turn()
    for at, item in enumerate(known.input):
        place = f"input[{at}]"
        kind = item.get("type") or ("message" if "role" in item else None)
        match kind:
            case "function_call":
                turn.calls.append(_call(item, place))
            case "reasoning":
                turn.thoughts += _thoughts(item)
            case "message" if item.get("role") == "assistant":
                if turn.calls or turn.text is not None:
                    yield turn.message()
                    turn = _Turn()
                turn.text = _said(item.get("content"), place)
            case _:
                if not turn.empty:
                    yield turn.message()
                turn = _Turn()
                yield _other(item, kind, place)
    if not turn.empty:
        yield turn.message()


class _Turn:
    """What an assistant said and called, which are items of their own there."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.thoughts: list[str] = []
        self.calls: list[Json] = []

    @property
    def empty(self) -> bool:
        return self.text is None and not self.calls

    def message(self) -> Json:
        message: Json = {"role": "assistant", "content": self.text or ""}
        if self.thoughts:
            message["reasoning_content"] = "\n".join(self.thoughts)
        if self.calls:
            message["tool_calls"] = self.calls
        return message


def _other(item: Json, kind: str | None, place: str) -> Json:
    if kind == "function_call_output":
        output = item.get("output")
        text = output if isinstance(output, str) else _said(output, place)
        return {"role": "tool", "tool_call_id": _word(item, "call_id", place), "content": text}
    if kind == "message":
        role = item.get("role")
        if role not in ("user", "system", "developer"):
            raise InvalidRequest(f"`{place}.role` is none", param=place, code="invalid_value")
        return {"role": role, "content": _content(item.get("content"), place)}
    raise _unsupported(place, f"items of type {str(kind)[:40]!r} are not read here")


def _call(item: Json, place: str) -> Json:
    arguments = _word(item, "arguments", place)
    name = joined(item.get("namespace"), _word(item, "name", place))
    function = {"name": name, "arguments": arguments}
    return {"id": _word(item, "call_id", place), "type": "function", "function": function}


def _thoughts(item: Json) -> list[str]:
    parts = item.get("content")
    found = parts if isinstance(parts, list) else []
    texts = [part.get("text") for part in found if isinstance(part, dict)]
    return [text for text in texts if isinstance(text, str)]


def _content(content: Any, place: str) -> str | list[Json]:
    if isinstance(content, str):
        return content
    parts = [_part(part, f"{place}.content[{at}]") for at, part in enumerate(_list(content, place))]
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts


def _part(part: Mapping[str, Any], place: str) -> Json:
    match part.get("type"):
        case "input_text" | "output_text" | "text":
            return {"type": "text", "text": _word(part, "text", place)}
        case "input_image" if isinstance(part.get("image_url"), str):
            image = {"url": part["image_url"]}
            if isinstance(part.get("detail"), str):
                image["detail"] = part["detail"]
            return {"type": "image_url", "image_url": image}
        case "input_file" if isinstance(part.get("file_data"), str):
            file = {name: part[name] for name in ("filename", "file_data")
                    if isinstance(part.get(name), str)}  # fmt: skip
            return {"type": "file", "file": file}
        case "input_image" | "input_file":
            raise _unsupported(place, "it is given in the request, as `image_url` or `file_data`")
        case kind:
            raise _unsupported(place, f"parts of type {str(kind)[:40]!r} are not read here")


def _said(content: Any, place: str) -> str:
    """The text of what an assistant said, or a tool gave."""
    if isinstance(content, str):
        return content
    texts = []
    for at, part in enumerate(_list(content, place)):
        name = "refusal" if part.get("type") == "refusal" else "text"
        texts.append(_word(part, name, f"{place}.content[{at}]"))
    return "".join(texts)


def _list(content: Any, place: str) -> Sequence[Json]:
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise InvalidRequest(f"`{place}` wants text or a list of parts", param=place,
                             code="invalid_type")  # fmt: skip
    return content


def _word(item: Mapping[str, Any], name: str, place: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise InvalidRequest(
            f"`{place}.{name}` must be text", param=f"{place}.{name}", code="invalid_type"
        )
    return value


def _unsupported(place: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"`{place}` is not supported", why=why, param=place, code="unsupported")
