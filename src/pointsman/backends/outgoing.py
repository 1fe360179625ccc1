"""A call written in a deployment's dialect, and what to strip from its answer in return."""

from typing import NamedTuple

import msgspec

from pointsman.backends.dialects import ENGINES, thinking_fields
from pointsman.domain.ports import UpstreamCall

_TRUE = msgspec.Raw(b"true")
_USAGE = msgspec.Raw(b'{"include_usage":true}')


class Outgoing(NamedTuple):
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
    fields["model"] = msgspec.Raw(msgspec.json.encode(deployment.served_name))
    strip_usage = request.stream and not request.include_usage and dialect.stream_usage
    if strip_usage:
        fields["stream_options"] = _with_usage(fields.get("stream_options"))
    strip_logprobs = (
        call.logprobs and not request.wants_logprobs and dialect.logprobs and deployment.logprobs
    )
    if strip_logprobs:
        fields["logprobs"] = _TRUE
    if deployment.limits.max_output_tokens is not None and request.max_tokens is None:
        fields["max_tokens"] = msgspec.Raw(b"%d" % deployment.limits.max_output_tokens)
    thinking = request.thinking or call.thinking
    if thinking is not None:
        settings = thinking_fields(thinking, deployment.engine, deployment.family, fields)
        for name, value in settings.items():
            if value is None:
                fields.pop(name, None)
            else:
                fields[name] = msgspec.Raw(msgspec.json.encode(value))
    return Outgoing(msgspec.json.encode(fields), strip_usage, strip_logprobs)


def _with_usage(own: msgspec.Raw | None) -> msgspec.Raw:
    if own is None or bytes(own) == b"null":
        return _USAGE
    options = msgspec.json.decode(own, type=dict[str, msgspec.Raw])
    return msgspec.Raw(msgspec.json.encode({**options, "include_usage": _TRUE}))
