"""A prompt version put into a request; the rest of the request stays byte for byte."""

import msgspec

from pointsman.domain.messages import Message, ModelRequest
from pointsman.domain.task import PromptVersion

_SYSTEM_ROLES = ("system", "developer")


def render(request: ModelRequest, prompt: PromptVersion) -> ModelRequest:
    """The request with the prompt's text as, or at the head of, its system message.

    Engines' templates (Qwen's among them) take one system message at the start only, so a
    client's own is joined to ours: the prompt, an empty line, then the client's text.
    """
    own = request.messages[0] if request.messages else None
    raw = bytes(request.fields["messages"])
    if own is not None and own.role in _SYSTEM_ROLES:
        parts = msgspec.json.decode(raw, type=list[msgspec.Raw])
        head: dict[str, object] = msgspec.json.decode(parts[0])
        head["content"] = _joined(prompt.system, own.content)
        messages = (Message(own.role, _joined(prompt.system, own.content)), *request.messages[1:])
        parts[0] = msgspec.Raw(msgspec.json.encode(head))
        encoded = msgspec.json.encode(parts)
    else:
        messages = (Message("system", prompt.system), *request.messages)
        encoded = _system_bytes(prompt.system) + raw.lstrip()[1:]
    fields = dict(request.fields)
    fields["messages"] = msgspec.Raw(encoded)
    return msgspec.structs.replace(request, fields=fields, messages=messages)


def _joined(text: str, content: object) -> str | list[dict[str, object]]:
    if isinstance(content, list):
        return [{"type": "text", "text": text}, *content]
    return f"{text}\n\n{content}" if content else text


def _system_bytes(text: str) -> bytes:
    return b'[{"role":"system","content":' + msgspec.json.encode(text) + b"},"
