"""A request of Anthropic's Messages API, written as a chat request."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pointsman.domain.errors import InvalidRequest
from pointsman.domain.messages import ModelRequest
from pointsman.surfaces.chat import parse_chat
from pointsman.surfaces.reading import read
from pointsman.surfaces.system_turns import with_one_system

Json = dict[str, Any]


class _Known(msgspec.Struct):
    model: str
    messages: list[Json]
    max_tokens: int | None = None
    system: str | list[Json] | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    tools: list[Json] | None = None
    tool_choice: Json | None = None
    thinking: Json | None = None
    metadata: Json | None = None
    output_config: Json | None = None


_KNOWN = msgspec.json.Decoder(_Known)
# Read above, or of no sense to another engine; everything else is forwarded as it came.
_OURS = frozenset(_Known.__struct_fields__) | {
    "cache_control", "container", "context_management", "inference_geo", "mcp_servers",
    "n", "service_tier", "speed",
}  # fmt: skip
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def parse_messages(body: bytes) -> ModelRequest:
    """The request in a body. Raises: InvalidRequest that says what is wrong and where."""
    return _request(body, bounded=True)


def parse_counted(body: bytes) -> ModelRequest:
    """The request whose tokens are to be counted: the same, without a bound on its answer."""
    return _request(body, bounded=False)


def _request(body: bytes, *, bounded: bool) -> ModelRequest:
    known, fields = read(body, _KNOWN)
    if bounded and known.max_tokens is None:
        raise InvalidRequest("`max_tokens` is missing", param="max_tokens", code="invalid_type")
    if known.max_tokens is not None and known.max_tokens < 1:
        raise InvalidRequest(
            "`max_tokens` must be at least 1", param="max_tokens", code="invalid_value"
        )
    if "mcp_servers" in fields and bytes(fields["mcp_servers"]) not in (b"null", b"[]"):
        raise _unsupported("mcp_servers", "no server is called for a model here")
    if not known.messages:
        raise InvalidRequest("`messages` is empty", param="messages", code="empty_messages")
    turns = with_one_system([*_system(known.system), *_turns(known)])
    chat: Json = {"model": known.model, "messages": turns}
    chat.update({name: raw for name, raw in fields.items() if name not in _OURS})
    for name, value in _settings(known):
        if value is not None:
            chat[name] = value
    request = parse_chat(msgspec.json.encode(chat))
    wished = _thinking(known.thinking)
    return request if wished is None else msgspec.structs.replace(request, thinking=wished)


def _settings(known: _Known) -> Iterator[tuple[str, Any]]:
    yield "max_tokens", known.max_tokens
    yield "stop", known.stop_sequences or None
    if known.stream:
        yield "stream", True
        yield "stream_options", {"include_usage": True}  # the last event tells of it
    if known.tools:
        yield "tools", [_tool(tool, at) for at, tool in enumerate(known.tools)]
    choice = known.tool_choice
    if choice is not None:
        yield "tool_choice", _choice(choice)
        if choice.get("disable_parallel_tool_use") is True:
            yield "parallel_tool_calls", False
    person = (known.metadata or {}).get("user_id")
    if isinstance(person, str) and person:
        yield "user", person
    config = known.output_config or {}
    if config.get("effort") is not None:
        yield "reasoning_effort", _word(config, "effort", "output_config")
    form = config.get("format")
    if isinstance(form, dict) and form.get("type") == "json_schema":
        schema = {"name": "answer", "schema": form.get("schema")}
        yield "response_format", {"type": "json_schema", "json_schema": schema}


def _system(said: str | Sequence[Json] | None) -> list[Json]:
    """The system prompt, whose blocks are one text."""
    text = said if isinstance(said, str) else _joined(said or (), "system")
    return [{"role": "system", "content": text}] if text else []


def _joined(blocks: Sequence[Json], where: str) -> str:
    texts = []
    for at, block in enumerate(blocks):
        if block.get("type") != "text" or not isinstance(block.get("text"), str):
            raise _unsupported(f"{where}[{at}]", "text is what stands there")
        texts.append(block["text"])
    return "\n".join(texts)


def _turns(known: _Known) -> Iterator[Json]:
    for at, message in enumerate(known.messages):
        role, content, where = message.get("role"), message.get("content"), f"messages[{at}]"
        if role not in ("user", "assistant", "system"):
            raise InvalidRequest(
                f"`{where}.role` must be user or assistant", param=where, code="invalid_value"
            )
        if isinstance(content, str):
            yield {"role": role, "content": content}
            continue
        blocks = content if isinstance(content, list) else None
        if blocks is None or not all(isinstance(block, dict) for block in blocks):
            raise InvalidRequest(
                f"`{where}.content` must be text or a list of blocks", param=where,
                code="invalid_type",
            )  # fmt: skip
        yield from _assistant(blocks, where) if role == "assistant" else _user(blocks, role, where)


def _user(blocks: Sequence[Json], role: str, where: str) -> Iterator[Json]:
    """Results of tools first, each a message of its own, then what the person says."""
    parts: list[Json] = []
    for at, block in enumerate(blocks):
        place = f"{where}.content[{at}]"
        if block.get("type") == "tool_result":
            text, pictures = _result(block.get("content"), place)
            yield {"role": "tool", "tool_call_id": _word(block, "tool_use_id", place),
                   "content": text}  # fmt: skip
            parts += pictures
        else:
            parts += _parts(block, place)
    if len(parts) == 1 and parts[0]["type"] == "text":
        yield {"role": role, "content": parts[0]["text"]}
    elif parts:
        yield {"role": role, "content": parts}


def _result(content: Any, place: str) -> tuple[str, list[Json]]:
    """The text of a tool's result, and the pictures in it, which go to the person's turn."""
    if content is None or isinstance(content, str):
        return content or "", []
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise InvalidRequest(f"`{place}.content` must be text or blocks", param=place,
                             code="invalid_type")  # fmt: skip
    parts = [part for at, block in enumerate(content)
             for part in _parts(block, f"{place}.content[{at}]")]  # fmt: skip
    texts = [part["text"] for part in parts if part["type"] == "text"]
    return "\n".join(texts), [part for part in parts if part["type"] != "text"]


def _parts(block: Json, place: str) -> list[Json]:
    """The content parts of chat that a block is."""
    source = block.get("source")
    match block.get("type"):
        case "text":
            return [_text(_word(block, "text", place))]
        case "image" if isinstance(source, dict):
            return [{"type": "image_url", "image_url": {"url": _address(source, place)}}]
        case "document" if isinstance(source, dict):
            return _document(block, source, place)
        case "search_result":
            found = block.get("content")
            return [_text(_joined(found if isinstance(found, list) else (), f"{place}.content"))]
        case kind:
            raise _unsupported(place, f"blocks of type {str(kind)[:40]!r} are not read here")


def _document(block: Json, source: Json, place: str) -> list[Json]:
    """A document's text or parts under its title; a PDF as a file, for engines that read them."""
    title = block.get("title")
    named = title if isinstance(title, str) and title else None
    match source.get("type"):
        case "text":
            text = _word(source, "data", place)
            return [_text(f"{named}\n\n{text}" if named else text)]
        case "base64":
            file = {"filename": named or "document.pdf", "file_data": _address(source, place)}
            return [{"type": "file", "file": file}]
        case "content":
            found = source.get("content")
            blocks = [{"type": "text", "text": found}] if isinstance(found, str) else found
            if not isinstance(blocks, list) or not all(isinstance(each, dict) for each in blocks):
                raise InvalidRequest(f"`{place}.source.content` must be text or blocks",
                                     param=place, code="invalid_type")  # fmt: skip
            if any(each.get("type") not in ("text", "image") for each in blocks):
                raise _unsupported(place, "a document is made of text and pictures")
            parts = [part for each in blocks for part in _parts(each, place)]
            return [*([_text(named)] if named else []), *parts]
        case _:
            raise _unsupported(place, "a document is given as text, content or base64")


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _address(source: Json, place: str) -> str:
    if source.get("type") == "base64":
        kind = _word(source, "media_type", place)
        return f"data:{kind};base64,{_word(source, 'data', place)}"
    if source.get("type") == "url":
        return _word(source, "url", place)
    raise _unsupported(place, "a picture is given as base64 or by its url")


def _assistant(blocks: Sequence[Json], where: str) -> Iterator[Json]:
    texts, thoughts, calls = [], [], []
    for at, block in enumerate(blocks):
        place = f"{where}.content[{at}]"
        match block.get("type"):
            case "text":
                texts.append(_word(block, "text", place))
            case "thinking":
                thoughts.append(_word(block, "thinking", place))
            case "redacted_thinking":
                continue  # readable by nobody but who wrote it
            case "tool_use":
                arguments = msgspec.json.encode(block.get("input") or {}).decode()
                function = {"name": _word(block, "name", place), "arguments": arguments}
                calls.append(
                    {"id": _word(block, "id", place), "type": "function", "function": function}
                )
            case kind:
                raise _unsupported(place, f"blocks of type {str(kind)[:40]!r} are not read here")
    message: Json = {"role": "assistant", "content": "".join(texts)}
    if thoughts:
        message["reasoning_content"] = "\n".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    yield message


def _tool(tool: Mapping[str, Any], at: int) -> Json:
    place = f"tools[{at}]"
    kind = tool.get("type") or "custom"
    if kind != "custom" or not isinstance(tool.get("input_schema"), dict):
        raise _unsupported(place, "tools of the client's own are called here, with an input_schema")
    function: Json = {"name": _word(tool, "name", place), "parameters": tool["input_schema"]}
    for name in ("description", "strict"):
        if tool.get(name) is not None:
            function[name] = tool[name]
    return {"type": "function", "function": function}


def _choice(choice: Json) -> Any:
    kind = choice.get("type")
    if kind == "tool":
        return {"type": "function", "function": {"name": _word(choice, "name", "tool_choice")}}
    if kind not in _CHOICES:
        raise InvalidRequest("`tool_choice.type` must be auto, any, tool or none",
                             param="tool_choice", code="invalid_value")  # fmt: skip
    return _CHOICES[kind]


def _thinking(said: Json | None) -> str | None:
    kind = (said or {}).get("type")
    return {"enabled": "on", "disabled": "off"}.get(kind) if isinstance(kind, str) else None


def _word(block: Mapping[str, Any], name: str, place: str) -> str:
    value = block.get(name)
    if not isinstance(value, str):
        raise InvalidRequest(
            f"`{place}.{name}` must be text", param=f"{place}.{name}", code="invalid_type"
        )
    return value


def _unsupported(place: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"`{place}` is not supported", why=why, param=place, code="unsupported")
