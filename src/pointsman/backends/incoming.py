"""What an engine answered, read once: replies, usage, logprobs; and stripped for the client."""

from typing import Any

import msgspec

from pointsman.domain.messages import LogprobSummary, Reply, ToolCall
from pointsman.domain.money import Usage


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _ToolCall(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _Text(msgspec.Struct):
    """A message or a delta; engines name the thinking `reasoning_content` or `reasoning`."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Token(msgspec.Struct):
    logprob: float = 0.0


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Text | None = None
    message: _Text | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class Answer(msgspec.Struct):
    """One JSON object of an answer: the whole of it, or one event of its stream."""

    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None
    object: str | None = None
    message: str | None = None


_DECODER = msgspec.json.Decoder(Answer)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CHOICES = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def parse(data: bytes) -> Answer:
    """Raises: msgspec.DecodeError or ValidationError where it is not an answer."""
    return _DECODER.decode(data)


def error_message(answer: Answer) -> str | None:
    """The engine's own words where the object is an error (two shapes are in use)."""
    if answer.error is not None:
        error = answer.error
        return str(error.get("message") or error) if isinstance(error, dict) else str(error)
    if answer.object == "error":
        return answer.message or "error"
    return None


def usage_of(answer: Answer) -> Usage | None:
    """The usage the engine reported, None if it said none."""
    said = answer.usage
    if said is None or (said.prompt_tokens is None and said.completion_tokens is None):
        return None
    prompt, completion = said.prompt_tokens_details, said.completion_tokens_details
    return Usage(
        prompt_tokens=said.prompt_tokens or 0,
        completion_tokens=said.completion_tokens or 0,
        cached_tokens=(prompt.cached_tokens or 0) if prompt else 0,
        reasoning_tokens=(completion.reasoning_tokens or 0) if completion else 0,
    )


def strip(data: bytes, *, usage: bool, logprobs: bool) -> bytes:
    """The object without its `usage` and its choices' `logprobs`; everything else as it came."""
    fields = _FIELDS.decode(data)
    if usage:
        fields.pop("usage", None)
    if logprobs and "choices" in fields:
        choices = _CHOICES.decode(fields["choices"])
        for choice in choices:
            choice.pop("logprobs", None)
        fields["choices"] = msgspec.Raw(msgspec.json.encode(choices))
    return msgspec.json.encode(fields)


class Assembler:
    """One choice put together from its deltas, or read from its message."""

    __slots__ = (
        "_content",
        "_logprobs",
        "_min",
        "_reasoning",
        "_refusal",
        "_sum",
        "_tools",
        "finish_reason",
    )

    def __init__(self) -> None:
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._tools: dict[int, tuple[list[str], list[str], list[str]]] = {}
        self._min, self._sum, self._logprobs = 0.0, 0.0, 0
        self.finish_reason: str | None = None

    def take(self, choice: _Choice, text: _Text | None) -> bool:
        """Add one delta or message; True if it carried something for the client."""
        if choice.finish_reason is not None:
            self.finish_reason = choice.finish_reason
        if choice.logprobs is not None and choice.logprobs.content:
            for token in choice.logprobs.content:
                self._min = min(self._min, token.logprob)
                self._sum += token.logprob
            self._logprobs += len(choice.logprobs.content)
        return text is not None and self._take_text(text)

    def _take_text(self, text: _Text) -> bool:
        content = False
        if text.content:
            self._content.append(_plain(text.content))
            content = True
        thought = text.reasoning_content or text.reasoning
        if thought:
            self._reasoning.append(thought)
            content = True
        if text.refusal:
            self._refusal.append(text.refusal)
            content = True
        for position, call in enumerate(text.tool_calls or ()):
            self._take_tool(call, position)
            content = True
        return content

    def _take_tool(self, call: _ToolCall, position: int) -> None:
        index = call.index or position
        ids, names, arguments = self._tools.setdefault(index, ([], [], []))
        if call.id and not ids:
            ids.append(call.id)
        if call.function is not None:
            if call.function.name:
                names.append(call.function.name)
            said = call.function.arguments
            if isinstance(said, str):
                arguments.append(said)
            elif said is not None:  # Ollama's own shape: an object
                arguments.append(msgspec.json.encode(said).decode())

    def reply(self) -> Reply:
        """The choice as gates and verifiers see it."""
        return Reply(
            content="".join(self._content),
            reasoning="".join(self._reasoning),
            refusal="".join(self._refusal),
            tool_calls=tuple(
                ToolCall(
                    index=index, id="".join(ids), name="".join(names), arguments="".join(arguments)
                )
                for index, (ids, names, arguments) in sorted(self._tools.items())
            ),
            finish_reason=self.finish_reason,
            logprobs=LogprobSummary(
                minimum=self._min, mean=self._sum / self._logprobs, tokens=self._logprobs
            )
            if self._logprobs
            else None,
        )


def _plain(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
