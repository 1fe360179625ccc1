"""What a response says of its own request: the chat request in the words of the Responses API."""

from typing import Any

import msgspec

from pointsman.domain.messages import ModelRequest
from pointsman.surfaces.responses_tools import response_choice, response_tools

Json = dict[str, Any]
_AS_THEY_CAME = ("temperature", "top_p", "metadata", "user", "safety_identifier")


def asked(request: ModelRequest) -> Json:
    """The settings of the request, those not given as null or as the default they have here.

    Instructions are part of the messages by now, and are not repeated.
    """
    fields = request.fields
    tools = _decoded(request, "tools") or []
    choice = _decoded(request, "tool_choice")
    told: Json = {
        "instructions": None,
        "max_output_tokens": request.max_tokens,
        "parallel_tool_calls": fields.get("parallel_tool_calls", True),
        "reasoning": {"effort": fields.get("reasoning_effort"), "summary": None},
        "temperature": None,
        "text": {"format": _form(_decoded(request, "response_format"))},
        "tool_choice": response_choice(choice) if choice is not None else "auto",
        # Encoded once: a stream says it three times.
        "tools": msgspec.Raw(msgspec.json.encode(response_tools(tools, request.namespaces or {}))),
        "top_p": None,
        "metadata": {},
    }
    return {**told, **{name: fields[name] for name in _AS_THEY_CAME if name in fields}}


def _decoded(request: ModelRequest, name: str) -> Any:
    raw = request.fields.get(name)
    return msgspec.json.decode(raw) if raw is not None else None


def _form(form: Any) -> Json:
    if not isinstance(form, dict) or "type" not in form:  # a client may have sent chat's own field
        return {"type": "text"}
    schema = form.get("json_schema")
    return {**(schema if isinstance(schema, dict) else {}), "type": form["type"]}
