"""What an engine answered, read once: replies, usage, logprobs; and stripped for the client."""

from typing import Any

import msgspec

from pointsman.backends.mending import Odd
from pointsman.domain.messages import LogprobSummary, Reply, ToolCall
from pointsman.domain.money import Usage


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None  # None in whole answers: the place in the list
    id: str | None = None
    function: _Function | None = None


class _Text(msgspec.Struct):
    """A message or a delta; engines name the thinking `reasoning_content` or `reasoning`."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None  # what tool calls were before they had that name
    audio: Any = None


class _Token(msgspec.Struct):
    logprob: float | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None
    token_logprobs: list[float | None] | None = None  # of a completion


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Text | None = None
    message: _Text | None = None
    text: str | None = None  # of a completion, which has no message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: float | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: float | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    total_tokens: float | None = None  # all that some rerankers say
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    reasoning_tokens: float | None = None  # SGLang's place for it


class Answer(msgspec.Struct):
    """One JSON object of an answer: the whole of it, or one event of its stream."""

    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None
    object: str | None = None
    message: str | None = None
    data: list[msgspec.Raw] | None = None  # vectors
    results: list[msgspec.Raw] | None = None  # documents in their order


MOST_CHARS = 200  # of an id, a model's name, a reason: they go into records
_MOST_TOKENS = 10**9  # of one attempt; more is no count of anything
_DECODER = msgspec.json.Decoder(Answer)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CHOICES = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None)


def parse(data: bytes) -> Answer:
    """Raises: msgspec.MsgspecError where it is not an answer."""
    try:
        return _DECODER.decode(data)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error


def error_message(answer: Answer) -> str | None:
    """The engine's own words where the object is an error (two shapes are in use)."""
    error = answer.error
    if error:  # `null`, or an empty one, is none
        return str(error.get("message") or error) if isinstance(error, dict) else str(error)
    if answer.object == "error":
        return answer.message or "error"
    return None


def error_code(answer: Answer) -> str | None:
    """The code of an error, such as `context_length_exceeded`, where it is a word."""
    code = answer.error.get("code") if isinstance(answer.error, dict) else None
    return code[:64] if isinstance(code, str) and code else None


def usage_of(answer: Answer) -> Usage | None:
    """The usage the engine reported, None if it said none."""
    said = answer.usage
    if said is None:
        return None
    if said.prompt_tokens is None and said.completion_tokens is None:
        total = said.total_tokens
        return None if total is None else Usage(prompt_tokens=_tokens(total), completion_tokens=0)
    prompt, completion = said.prompt_tokens_details, said.completion_tokens_details
    reasoning = completion.reasoning_tokens if completion else None
    return Usage(
        prompt_tokens=_tokens(said.prompt_tokens),
        completion_tokens=_tokens(said.completion_tokens),
        cached_tokens=_tokens(prompt.cached_tokens if prompt else 0),
        reasoning_tokens=_tokens(reasoning or said.reasoning_tokens),
    )


def only_text(choice: _Choice) -> str | None:
    """The text of a choice that carries it in `delta.content` and nothing else of note."""
    delta = choice.delta
    if delta is None or choice.finish_reason or choice.logprobs is not None or choice.text:
        return None
    if choice.message is not None or not isinstance(delta.content, str):
        return None
    others = (delta.reasoning_content, delta.reasoning, delta.refusal, delta.tool_calls,
              delta.function_call, delta.audio)  # fmt: skip
    return None if any(each is not None for each in others) else delta.content


def _tokens(said: float | None) -> int:
    """A count of tokens as an engine may say it, kept within what a count can be."""
    if not said:
        return 0
    return int(min(max(said or 0, 0), _MOST_TOKENS))


def strip(data: bytes, *, usage: bool, logprobs: bool) -> bytes:
    """The object without its `usage` and its choices' `logprobs`; everything else as it came.

    Raises: msgspec.MsgspecError where a name of a field is no text.
    """
    try:
        return _stripped(data, usage=usage, logprobs=logprobs)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error


def _stripped(data: bytes, *, usage: bool, logprobs: bool) -> bytes:
    fields = _FIELDS.decode(data)
    if usage:
        fields.pop("usage", None)
    if logprobs and "choices" in fields:
        choices = _CHOICES.decode(fields["choices"])
        for choice in choices or ():
            choice.pop("logprobs", None)
        fields["choices"] = msgspec.Raw(msgspec.json.encode(choices))
    return msgspec.json.encode(fields)


class Assembler:
    """One choice put together from its deltas, or read from its message."""

    __slots__ = (
        "_content",
        "_logprobs",
        "_min",
        "_other",
        "_reasoning",
        "_refusal",
        "_slots",
        "_sum",
        "_tools",
        "_unknown",
        "finish_reason",
        "odd",
    )

    def __init__(self) -> None:
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._tools: dict[int, _PartialCall] = {}
        self._slots: dict[int, int] = {}  # the engine's index to ours, where it repeats itself
        self._min, self._sum, self._logprobs = 0.0, 0.0, 0
        self._unknown = False  # some token's logprob was null
        self._other = False  # something came that a Reply has no place for: sound, pictures
        self.finish_reason: str | None = None
        self.odd: Odd | None = None  # what is wrong with the delta that was taken last

    def take(self, choice: _Choice, text: _Text | None) -> bool:
        """Add one delta or message; True if it carried something for the client."""
        self.odd = None
        # Some engines send "" until the end. The last reason counts, but for a cut answer: it
        # does not become whole by another word.
        if choice.finish_reason:
            reason = choice.finish_reason[:MOST_CHARS]
            if reason == self.finish_reason:
                self.odd = Odd(None, True)
            elif self.finish_reason != "length":
                self.finish_reason = reason
        if choice.logprobs is not None:
            self._take_logprobs(choice.logprobs)
        if choice.text:
            self._content.append(choice.text)
            return True
        return text is not None and self._take_text(text)

    def take_plain(self, text: str) -> None:
        """Add a delta of this text alone."""
        self.odd = None
        self._content.append(text)

    def _take_logprobs(self, said: _Logprobs) -> None:
        if said.content:
            values = [token.logprob for token in said.content]
        else:
            values = said.token_logprobs or []
        for value in values:
            if value is None or value > 0.0:  # no probability at all
                self._unknown = True
                continue
            self._min = min(self._min, value)
            self._sum += value
        self._logprobs += len(values)

    def _take_text(self, text: _Text) -> bool:
        content = False
        if isinstance(text.content, str) and text.content:
            self._content.append(text.content)
            content = True
        elif text.content:
            content = self._take_parts(text.content)
        thought = text.reasoning_content or text.reasoning
        if thought:
            self._reasoning.append(thought)
            content = True
        if text.refusal:
            self._refusal.append(text.refusal)
            content = True
        if text.tool_calls:
            self._take_tools(text.tool_calls)
            content = True
        if text.function_call is not None:
            self._take_tool(_ToolCall(function=text.function_call), 0)
            content = True
        if text.audio:
            self._other = content = True
        return content

    def _take_parts(self, parts: list[Any]) -> bool:
        known = [part for part in parts if isinstance(part, dict)]
        said = "".join(str(part.get("text") or "") for part in known)
        self._content.append(said)
        self._other |= any("text" not in part for part in known)  # a picture is an answer too
        return bool(said) or self._other

    def _take_tools(self, calls: list[_ToolCall]) -> None:
        places = [
            self._take_tool(call, call.index if call.index is not None else position)
            for position, call in enumerate(calls)
        ]
        if any(call.index != place for call, place in zip(calls, places, strict=True)):
            self.odd = Odd(places, self.odd is not None)

    def _take_tool(self, call: _ToolCall, index: int) -> int:
        """The call's own index, which is the engine's unless that is another call's."""
        slot = self._slots.get(index, index)
        partial = self._tools.get(slot)
        if partial is not None and partial.followed_by(call):  # Ollama's index was always 0
            slot = self._slots[index] = max(self._tools) + 1
            partial = None
        if partial is None:
            partial = self._tools[slot] = _PartialCall()
        partial.take(call)
        return slot

    @property
    def empty(self) -> bool:
        """True when nothing came that anyone could use, not even a reason for it."""
        if self._content and any(self._content):
            return False
        something = self._tools or self._refusal or self._reasoning
        return not (something or self._other or self.finish_reason == "content_filter")

    @property
    def text_bytes(self) -> int:
        """The size of everything the model wrote."""
        reply = self.reply()
        parts = [reply.content, reply.reasoning, reply.refusal]
        parts += [call.name + call.arguments for call in reply.tool_calls]
        return sum(len(part.encode()) for part in parts)

    def reply(self) -> Reply:
        """The choice as gates and verifiers see it."""
        return Reply(
            content="".join(self._content),
            reasoning="".join(self._reasoning),
            refusal="".join(self._refusal),
            tool_calls=tuple([self._tools[index].whole(index) for index in sorted(self._tools)]),
            finish_reason=self.finish_reason,
            logprobs=LogprobSummary(
                minimum=self._min, mean=self._sum / self._logprobs, tokens=self._logprobs
            )
            if self._logprobs and not self._unknown
            else None,
        )


class _PartialCall:
    """A tool call as far as its deltas have come."""

    __slots__ = ("_arguments", "_id", "_name")

    def __init__(self) -> None:
        self._id = ""
        self._name = ""
        self._arguments: list[str] = []

    def followed_by(self, call: _ToolCall) -> bool:
        """True where a delta of the same index begins another call: a new id and a name again."""
        named = call.function is not None and bool(call.function.name)
        return named and bool(self._name and call.id and self._id and call.id != self._id)

    def take(self, call: _ToolCall) -> None:
        self._id = self._id or call.id or ""
        if call.function is None:
            return
        name = call.function.name
        if name and name != self._name:  # some engines repeat it in every delta
            self._name += name
        said = call.function.arguments
        if isinstance(said, str):
            self._arguments.append(said)
        elif said is not None:  # an object, where an engine forgot to write it as text
            self._arguments.append(msgspec.json.encode(said).decode())

    def whole(self, index: int) -> ToolCall:
        return ToolCall(
            index=index, id=self._id, name=self._name, arguments="".join(self._arguments)
        )
