"""Tools of the Responses API as tools of chat, and back.

A namespace groups functions there; chat has none, so its functions are named `NAMESPACE__NAME` to
the model, and a call of one is told with both names again.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pointsman.domain.errors import InvalidRequest

Json = dict[str, Any]
Names = dict[str, tuple[str, str]]  # as the model knows it: namespace and name
_MOST_CHARS = 64  # of a namespace: each of its functions says it once more
_KEPT = ("name", "description", "parameters", "strict")


def chat_tools(tools: Sequence[Any]) -> tuple[list[Json], Names]:
    """Functions of chat, and which of them have a namespace. Raises: InvalidRequest."""
    functions: list[Json] = []
    names: Names = {}
    for place, namespace, tool in _flat(tools):
        own = _word(tool, "name", place)
        name = joined(namespace, own)
        if namespace is not None:
            if name in names or any(name == each["name"] for each in functions):
                raise InvalidRequest(f"`{place}` is the second tool that the model would know as "
                                     f"{name!r}", param=place, code="invalid_value")  # fmt: skip
            names[name] = (namespace, own)
        kept = {key: tool[key] for key in _KEPT if tool.get(key) is not None}
        functions.append({**kept, "name": name})
    return [{"type": "function", "function": each} for each in functions], names


def joined(namespace: Any, name: str) -> str:
    """The name of a function as the model knows it."""
    return f"{namespace}__{name}" if isinstance(namespace, str) and namespace else name


def response_tools(tools: Sequence[Json], names: Mapping[str, tuple[str, str]]) -> list[Json]:
    """The tools as they were asked for; a namespace stands where its first function does."""
    told: list[Json] = []
    groups: dict[str, list[Json]] = {}
    for tool in tools:
        function = {"type": "function", "parameters": None, "strict": False, **tool["function"]}
        if function["name"] not in names:
            told.append(function)
            continue
        namespace, own = names[function["name"]]
        if namespace not in groups:
            groups[namespace] = []
            told.append({"type": "namespace", "name": namespace, "tools": groups[namespace]})
        groups[namespace].append({**function, "name": own})
    return told


def chat_choice(said: Any) -> Any:
    """The choice of a tool in the words of chat. Raises: InvalidRequest."""
    if said is None or said in ("auto", "none", "required"):
        return said
    if isinstance(said, dict) and said.get("type") == "function":
        return {"type": "function", "function": {"name": _word(said, "name", "tool_choice")}}
    raise _unsupported("tool_choice", "it is auto, none, required or a function")


def response_choice(choice: Any) -> Any:
    """The choice as it was asked for."""
    return {"type": "function", **choice["function"]} if isinstance(choice, dict) else choice


def _flat(tools: Sequence[Any]) -> Iterator[tuple[str, str | None, Json]]:
    """Each function with its place and its namespace."""
    for at, tool in enumerate(tools):
        place = f"tools[{at}]"
        if isinstance(tool, dict) and tool.get("type") == "namespace":
            inner = tool.get("tools")
            namespace = _word(tool, "name", place)
            if len(namespace) > _MOST_CHARS:
                raise InvalidRequest(f"`{place}.name` is over {_MOST_CHARS} characters",
                                     param=f"{place}.name", code="invalid_value")  # fmt: skip
            for index, each in enumerate(inner if isinstance(inner, list) else ()):
                yield (
                    f"{place}.tools[{index}]",
                    namespace,
                    _function(each, f"{place}.tools[{index}]"),
                )
        else:
            yield place, None, _function(tool, place)


def _function(tool: Any, place: str) -> Json:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if not isinstance(tool, dict) or kind != "function":
        said = str(kind)[:40]
        raise _unsupported(place, f"functions are called here, no tool of type {said!r}")
    return tool


def _word(item: Json, name: str, place: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"`{place}.{name}` must be text", param=f"{place}.{name}",
                             code="invalid_type")  # fmt: skip
    return value


def _unsupported(place: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"`{place}` is not supported", why=why, param=place, code="unsupported")
