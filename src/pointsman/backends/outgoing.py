"""A call written in a deployment's dialect, and what to strip from its answer in return."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from pointsman.backends.dialects import ENGINES, Dialect
from pointsman.backends.guiding import form_fields
from pointsman.backends.thinking import bound_fields, thinking_fields
from pointsman.domain.messages import WRITING
from pointsman.domain.portfolio import OUTPUT_FIELDS
from pointsman.domain.ports import UpstreamCall

_TRUE = msgspec.Raw(b"true")
_ONE = msgspec.Raw(b"1")  # completions want a number of alternatives
_USAGE = msgspec.Raw(b'{"include_usage":true}')


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """The body to send; `strip_*` name what we asked for and the client did not."""

    body: bytes
    strip_usage: bool
    strip_logprobs: bool


def encode(call: UpstreamCall) -> Outgoing:
    """The request's own fields, untouched but for the model's name and what the dialect declares.

    Never adds a null; never drops a field it does not know.
    """
    request, deployment = call.request, call.deployment
    dialect = ENGINES[deployment.engine]
    fields = dict(request.fields)
    fields["model"] = _quoted(deployment.served_name)
    if request.operation not in WRITING:
        return Outgoing(msgspec.json.encode(fields), False, False)
    strip_usage = request.stream and not request.include_usage
    if request.stream and (deployment.stream_usage or dialect.stream_usage) != "asked":
        _without_usage(fields)
    elif strip_usage:
        fields["stream_options"] = _with_usage(fields.get("stream_options"))
    chat = request.operation == "chat"
    strip_logprobs = _asks_logprobs(call, dialect)
    if strip_logprobs:
        fields["logprobs"] = _TRUE if chat else _ONE
    for name, form in form_fields(dialect, fields).items():
        if form is None:
            del fields[name]
        else:
            fields[name] = form
    if deployment.limits.max_output_tokens is not None:
        _bound_output(fields, deployment.limits.max_output_tokens)
    thinking = request.thinking or call.thinking
    if thinking is not None and chat:
        _set(fields, thinking_fields(thinking, deployment.engine, deployment.family, fields))
    if call.thinking_tokens is not None and chat and request.thinking is None:
        _set(fields, bound_fields(call.thinking_tokens, deployment.engine, fields))
    if call.fields:
        _set(fields, {name: each for name, each in call.fields.items() if name not in fields})
    return Outgoing(msgspec.json.encode(fields), strip_usage, strip_logprobs)


@lru_cache(maxsize=1024)
def _quoted(name: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(name))


def _set(fields: dict[str, msgspec.Raw], settings: Mapping[str, Any]) -> None:
    """Put fields in; a value of None takes one out."""
    for name, value in settings.items():
        if value is None:
            fields.pop(name, None)
        else:
            fields[name] = msgspec.Raw(msgspec.json.encode(value))


def _asks_logprobs(call: UpstreamCall, dialect: Dialect) -> bool:
    """Whether to ask for logprobs that a gate reads and the client does not want."""
    request = call.request
    if not (call.logprobs and call.deployment.logprobs) or request.wants_logprobs:
        return False
    if request.operation == "chat":
        return dialect.logprobs
    # of an echoed prompt there are some too, and nothing tells where the answer begins
    return dialect.text_logprobs and not _is_true(request.fields.get("echo"))


def _is_true(raw: msgspec.Raw | None) -> bool:
    return raw is not None and bytes(raw) == b"true"


def _bound_output(fields: dict[str, msgspec.Raw], most: int) -> None:
    """No answer longer than this, whatever the client asks for, in whichever of the words."""
    said = False
    for name in OUTPUT_FIELDS:
        raw = fields.get(name)
        if raw is None or bytes(raw) == b"null":
            continue
        said = True
        value = msgspec.json.decode(raw)
        if not (isinstance(value, int | float) and 0 < value <= most):
            fields[name] = msgspec.Raw(b"%d" % most)
    if not said:
        fields["max_tokens"] = msgspec.Raw(b"%d" % most)


def _without_usage(fields: dict[str, msgspec.Raw]) -> None:
    """Take out the wish for usage, which this deployment may refuse; other options stay."""
    own = fields.get("stream_options")
    if own is None or bytes(own) == b"null":
        return
    options = msgspec.json.decode(own, type=dict[str, msgspec.Raw])
    options.pop("include_usage", None)
    if options:
        fields["stream_options"] = msgspec.Raw(msgspec.json.encode(options))
    else:
        del fields["stream_options"]


def _with_usage(own: msgspec.Raw | None) -> msgspec.Raw:
    if own is None or bytes(own) == b"null":
        return _USAGE
    options = msgspec.json.decode(own, type=dict[str, msgspec.Raw])
    return msgspec.Raw(msgspec.json.encode({**options, "include_usage": _TRUE}))
