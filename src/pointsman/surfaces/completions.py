"""`/v1/completions`: text that goes on from a prompt, without messages."""

from collections.abc import Sequence

import msgspec

from pointsman.domain.errors import InvalidRequest
from pointsman.domain.messages import Message, ModelRequest
from pointsman.surfaces.chat import StreamOptions, check_choices
from pointsman.surfaces.reading import read

MOST_PROMPTS = 2048


class _Known(msgspec.Struct):
    model: str
    prompt: str | list[str | int | list[int]]  # one list of each kind, but no two in one
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    best_of: int | None = None
    max_tokens: int | None = None
    logprobs: int | None = None


_KNOWN = msgspec.json.Decoder(_Known)


def parse_completion(body: bytes) -> ModelRequest:
    """The request in a body. Raises: InvalidRequest that says what is wrong and where."""
    known, fields = read(body, _KNOWN)
    check_choices(known.n)
    texts, tokens, prompts = prompts_of(known.prompt, "prompt")
    if not prompts:
        raise InvalidRequest("`prompt` is empty", param="prompt", code="empty_prompt")
    if prompts > MOST_PROMPTS:
        raise InvalidRequest(
            f"`prompt` holds {prompts} prompts; {MOST_PROMPTS} is the most",
            param="prompt", code="too_many_prompts",
        )  # fmt: skip
    options = known.stream_options
    return ModelRequest(
        model=known.model,
        operation="completion",
        stream=bool(known.stream),
        include_usage=bool(options and options.include_usage),
        messages=tuple(Message("user", text) for text in texts),
        fields=fields,
        choices=(known.n or 1) * prompts,
        max_tokens=known.max_tokens,
        wants_logprobs=known.logprobs is not None,
        token_ids=tokens,
    )


def prompts_of(said: str | Sequence[object], field: str) -> tuple[list[str], int, int]:
    """Texts, number of token ids, and how many inputs they are. Raises: InvalidRequest if mixed."""
    if isinstance(said, str):
        return [said], 0, 1
    if all(isinstance(each, str) for each in said):
        return [each for each in said if isinstance(each, str)], 0, len(said)
    if all(isinstance(each, int) for each in said):
        return [], len(said), 1
    if all(isinstance(each, list) for each in said):
        return [], sum(len(each) for each in said if isinstance(each, list)), len(said)
    raise InvalidRequest(f"`{field}` mixes texts and tokens", param=field, code="invalid_type")
