"""The texts of a request, and the request with some of them redacted."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from pointsman.domain.messages import Message, ModelRequest
from pointsman.domain.policies import Stage
from pointsman.domain.verdict import Subject
from pointsman.governing.leaves import Path, leaves, put

# Fields that models read words in; everything else steers the engine.
_FIELDS: Mapping[str, Stage] = {
    "messages": "request",
    "tools": "request",
    "functions": "request",
    "prompt": "request",
    "suffix": "request",
    "input": "request",
    "query": "request",
    "instruction": "request",
    "documents": "retrieval",
}
_RESULTS = ("tool", "function")


class Text(NamedTuple):
    """One text that is looked at; None, and why, where it cannot be read."""

    subject: Subject
    path: Path
    text: str | None
    what: str = ""


def texts_of(request: ModelRequest) -> Iterator[Text]:
    """Every text that a model would read; tokens count as what cannot be read."""
    part = 0
    for field, stage in _FIELDS.items():
        raw = request.fields.get(field)
        if raw is None:
            continue
        value = msgspec.json.decode(raw)
        items = value if isinstance(value, list) else [value]
        for index, item in enumerate(items):
            path: Path = (field, index) if isinstance(value, list) else (field,)
            role = item.get("role") if field == "messages" and isinstance(item, dict) else None
            stages: tuple[Stage, ...] = ("tool_result",) if role in _RESULTS else (stage,)
            for number, leaf in enumerate(leaves(item, path)):
                subject = Subject(stages=stages, channel=leaf.channel, part=part, index=number)
                yield Text(subject, leaf.path, leaf.text, leaf.what)
            part += 1
    if request.token_ids:
        subject = Subject(stages=("request",), part=part)
        yield Text(subject, (), None, f"{request.token_ids} tokens, which are no text")


def with_texts(request: ModelRequest, replaced: Mapping[Path, str]) -> ModelRequest:
    """The request with other texts at these paths; every other field stays byte for byte."""
    fields = dict(request.fields)
    for field in dict.fromkeys(path[0] for path in replaced):
        assert isinstance(field, str), "a path starts at a field"
        value = {field: msgspec.json.decode(fields[field])}
        for path, text in replaced.items():
            if path[0] == field:
                put(value, path, text)
        fields[field] = msgspec.Raw(msgspec.json.encode(value[field]))
    messages = request.messages
    if any(path[0] == "messages" for path in replaced):
        said: list[dict[str, Any]] = msgspec.json.decode(fields["messages"])
        messages = tuple(msgspec.convert(said, list[Message]))
    return msgspec.structs.replace(request, fields=fields, messages=messages)
