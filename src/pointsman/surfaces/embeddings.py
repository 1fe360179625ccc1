"""`/v1/embeddings`: vectors of texts; they come back as the engine wrote them."""

from typing import Any

import msgspec

from pointsman.domain.errors import InvalidRequest
from pointsman.domain.messages import Message, ModelRequest
from pointsman.surfaces.completions import prompts_of
from pointsman.surfaces.inputs import message_of
from pointsman.surfaces.reading import read

MOST_INPUTS = 8192  # OpenAI takes 2048; engines of one's own are fed larger batches


class _Known(msgspec.Struct):
    model: str
    # Of a multimodal model: objects (SGLang, Jina), or `messages` in its place (vLLM).
    input: str | list[str | int | list[int] | dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    messages: list[Message] | None = None


_KNOWN = msgspec.json.Decoder(_Known)


def parse_embedding(body: bytes) -> ModelRequest:
    """The request in a body. Raises: InvalidRequest that says what is wrong and where."""
    known, fields = read(body, _KNOWN)
    if known.input is msgspec.UNSET:
        if not known.messages:
            raise InvalidRequest("`input` is missing", param="input", code="invalid_type")
        return _request(known.model, tuple(known.messages), fields)
    if known.messages:
        raise InvalidRequest(
            "`input` and `messages` are two ways to say one thing",
            next="send one of them",
            param="messages",
            code="invalid_value",
        )
    messages, tokens, inputs = _read(known.input)
    if not inputs:
        raise InvalidRequest("`input` is empty", param="input", code="empty_input")
    if inputs > MOST_INPUTS:
        raise InvalidRequest(
            f"`input` holds {inputs} inputs; {MOST_INPUTS} is the most",
            next="send them in several requests",
            param="input",
            code="too_many_inputs",
        )
    return _request(known.model, messages, fields, tokens)


def _read(
    said: str | list[str | int | list[int] | dict[str, Any]],
) -> tuple[tuple[Message, ...], int, int]:
    """Messages, number of token ids, number of inputs. Raises: InvalidRequest if mixed."""
    if isinstance(said, list) and any(isinstance(each, dict) for each in said):
        known = [each for each in said if isinstance(each, str | dict)]
        if len(known) == len(said):
            return tuple(map(message_of, known)), 0, len(known)
    texts, tokens, inputs = prompts_of(said, "input")
    return tuple(Message("user", text) for text in texts), tokens, inputs


def _request(
    model: str, messages: tuple[Message, ...], fields: dict[str, msgspec.Raw], token_ids: int = 0
) -> ModelRequest:
    return ModelRequest(
        model=model,
        operation="embedding",
        stream=False,
        include_usage=False,
        messages=messages,
        fields=fields,
        token_ids=token_ids,
    )
