"""One case as a conversation: what is asked next, and when it is over. Values in, values out.

The model's tool calls are answered from the case's scripted results; after an answer without
calls the user's next scripted turn follows. It ends where nothing is left to say, where a call
has no script, or at the case's bound on requests.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from pointsman.domain.messages import Reply, ToolCall
from pointsman.evals.case import Case, SimulatedTool, ToolResult

MAX_CALLS = 64  # of one reply that are answered
_DECODE = msgspec.json.decode


class Talk(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation so far."""

    case: Case
    added: tuple[dict[str, Any], ...] = ()  # messages after the case's own
    turn: int = 0  # of the user's that were said
    requests: int = 0  # that were answered
    calls: tuple[ToolCall, ...] = ()  # all the model made
    last: Reply | None = None
    over: str | None = None  # why: `answered`, `no script`, `turns used up`

    @property
    def heard(self) -> Reply | None:
        """The last reply, with the tool calls of every one."""
        if self.last is None:
            return None
        return msgspec.structs.replace(self.last, tool_calls=self.calls)


def request_of(
    talk: Talk, *, model: str, fields: Mapping[str, Any], seed: int | None
) -> dict[str, Any]:
    """The body of the next request: the suite's fields under the case's own."""
    case = talk.case
    own = dict(case.request or {})
    own.pop("stream", None)
    body: dict[str, Any] = {**fields, **own, "model": model}
    body["messages"] = [*case.first_messages, *talk.added]
    if case.tools:
        body["tools"] = [*(own.get("tools") or ()), *map(_described, case.tools)]
    if seed is not None:
        body["seed"] = seed
    return body


def hear(talk: Talk, reply: Reply) -> Talk:
    """The conversation after a reply; `over` says whether it goes on."""
    case, requests = talk.case, talk.requests + 1
    calls = reply.tool_calls[:MAX_CALLS]
    talk = msgspec.structs.replace(
        talk, requests=requests, calls=(*talk.calls, *calls), last=reply,
        added=(*talk.added, _spoken(reply, calls)),
    )  # fmt: skip
    if calls:
        results = _results(case.tools, calls)
        if results is None:
            return msgspec.structs.replace(talk, over="answered" if not case.tools else "no script")
        return _bounded(msgspec.structs.replace(talk, added=(*talk.added, *results)))
    if talk.turn < len(case.turns):
        said = {"role": "user", "content": case.turns[talk.turn]}
        return _bounded(
            msgspec.structs.replace(talk, added=(*talk.added, said), turn=talk.turn + 1)
        )
    return msgspec.structs.replace(talk, over="answered")


def result_for(tool: SimulatedTool, arguments: Any) -> ToolResult | None:
    """The first scripted result that fits the arguments."""
    return next(
        (each for each in tool.results if each.when is None or _holds(each.when, arguments)), None
    )


def _bounded(talk: Talk) -> Talk:
    used_up = talk.requests >= talk.case.max_turns
    return msgspec.structs.replace(talk, over="turns used up") if used_up else talk


def _results(
    tools: tuple[SimulatedTool, ...], calls: tuple[ToolCall, ...]
) -> list[dict[str, Any]] | None:
    """The messages that answer the calls; None where one has no script at all."""
    known = {tool.name: tool for tool in tools}
    if not tools or any(call.name in known and not known[call.name].results for call in calls):
        return None
    return [
        {
            "role": "tool",
            "tool_call_id": call.id or f"call_{call.index}",
            "content": _result(known.get(call.name), call),
        }
        for call in calls
    ]


def _result(tool: SimulatedTool | None, call: ToolCall) -> str:
    if tool is None:
        return _json({"error": "there is no tool of that name"})
    try:
        arguments = _DECODE(call.arguments.strip() or "{}")
    except msgspec.DecodeError:
        return _json({"error": "the arguments are not JSON"})
    found = result_for(tool, arguments)
    if found is None:
        return _json({"error": "nothing is found for these arguments"})
    if found.error is not None:
        return _json({"error": found.error})
    return found.gives if isinstance(found.gives, str) else _json(found.gives)


def _holds(when: Any, given: Any) -> bool:
    """Whether the arguments hold all that is said; lists and values are equal."""
    if isinstance(when, Mapping):
        return isinstance(given, Mapping) and all(
            key in given and _holds(value, given[key]) for key, value in when.items()
        )
    if isinstance(when, bool) or isinstance(given, bool):
        return when is given
    return bool(when == given)


def _spoken(reply: Reply, calls: tuple[ToolCall, ...]) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": reply.content or None}
    if reply.refusal:
        said["refusal"] = reply.refusal
    if calls:
        said["tool_calls"] = [
            {
                "id": call.id or f"call_{call.index}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
    return said


def _described(tool: SimulatedTool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
