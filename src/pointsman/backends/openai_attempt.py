"""One attempt at one deployment: its deadline, and the reading of what comes back."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from pointsman.backends.http_wire import UpstreamResponse, WireError
from pointsman.backends.incoming import (
    MOST_CHARS,
    Answer,
    Assembler,
    error_message,
    only_text,
    parse,
    strip,
    usage_of,
)
from pointsman.backends.mending import Odd, ranked, with_reasoning_in
from pointsman.backends.outgoing import Outgoing, encode
from pointsman.backends.refusals import DETAIL_CHARS, refused, refused_late
from pointsman.domain.messages import WRITING, Message, Operation
from pointsman.domain.money import Usage
from pointsman.domain.ports import AttemptFailed, Completion, UpstreamCall
from pointsman.domain.records import Failure, FailureKind

_ERROR_BODY_BYTES = 64 * 1024
_BYTES_PER_TOKEN = 3.6  # for usage an engine never reported; marked `estimated`
_NAMES: dict[Operation, str] = {
    "chat": "a chat completion",
    "completion": "a completion",
    "embedding": "embeddings",
    "rerank": "a ranking",
}
_WAITS = frozenset({"connect_timeout", "first_token_timeout", "between_tokens_timeout"})
_BROKEN_OFF = ("abort", "error")  # finish reasons of vLLM, SGLang and routers: no whole answer


class Wire(Protocol):
    """What an attempt needs of its backend."""

    @property
    def clock(self) -> Callable[[], float]:
        """Monotonic seconds."""
        ...

    def open(
        self, call: UpstreamCall, outgoing: Outgoing, *, left_s: float
    ) -> Awaitable[UpstreamResponse]:
        """Send the call; the response's head has arrived when this returns, within `left_s`."""
        ...


class Attempt:
    """What a whole and a streamed call share: the deadline, the reading of answers."""

    def __init__(self, backend: "Wire", call: UpstreamCall) -> None:
        self._wire = backend
        self._clock = backend.clock
        self.call = call
        self.outgoing = encode(call)
        self.started = self._clock()
        self.deadline = self.started + min(call.deadline_s, call.deployment.limits.timeout_s)
        self.choices: dict[int, Assembler] = {}
        self.usage: Usage | None = None
        self.model: str | None = None
        self.response_id: str | None = None  # the first that was told: the client's
        self.renamed = False  # the object taken last has another id, or none
        self.odd: dict[int, Odd] = {}  # what is wrong with its choices, by position
        self.first_token_ms: int | None = None
        self.deltas = 0
        self._latest: Assembler | None = None  # of the latest usual object
        self.finished = False  # the answer was read to its end: the connection can be used again
        self.response: UpstreamResponse | None = None

    async def open(self) -> UpstreamResponse:
        """The response, once its status says that an answer follows."""
        self.response = await self._wire.open(self.call, self.outgoing, left_s=self.remaining_s())
        if self.response.status != 200:
            raise await self._refusal(self.response)
        return self.response

    async def whole(self) -> Completion:
        """A whole answer. Raises: AttemptFailed."""
        call = self.call
        try:
            left_s = self.remaining_s()
            self.response = response = await self._wire.open(call, self.outgoing, left_s=left_s)
            if response.status != 200:
                raise await self._refusal(response)
            limit = call.deployment.limits.max_answer_bytes
            body = await response.read(limit=limit, timeout_s=self.remaining_s())
            self.finished = True
            return self._read(body)
        except WireError as error:
            raise self.broken(error) from error
        finally:
            self.close()

    def _read(self, body: bytes) -> Completion:
        try:
            if self.call.request.operation == "rerank" and body.lstrip().startswith(b"["):
                body = ranked(body)
            answer = parse(body)
            said = answer.choices or ()
            if len(said) > 1 and len({choice.index for choice in said}) < len(said):
                # put together they would be nobody's answer
                raise self.failed("malformed", "two choices have the same index")
            self.take(answer)
            if self.call.request.operation in WRITING:
                self.check_end()
            else:
                self._check_list(answer)
            field = self.call.deployment.reasoning_field
            if field is not None:
                body = with_reasoning_in(body, field)
            if self.outgoing.strip_logprobs:
                body = strip(body, usage=False, logprobs=True)
        except msgspec.MsgspecError as error:
            what = _NAMES[self.call.request.operation]
            raise self.failed("malformed", f"not {what}: {error}") from error
        return self.completion(body)

    def take(self, answer: Answer) -> bool:
        """Read one JSON object of the answer; True if it carried something for the client."""
        if answer.error or answer.object == "error":
            raise self._told(error_message(answer) or "error")
        # keep-alive and filter frames carry empty ones
        name = answer.id[:MOST_CHARS] if answer.id else None
        if self.response_id is None:
            self.response_id = name
            self.renamed = False
        else:
            self.renamed = name != self.response_id
        if answer.model:
            self.model = answer.model[:MOST_CHARS]
        if answer.usage is not None:
            self.usage = usage_of(answer) or self.usage
        content = False
        if self.odd:
            self.odd = {}
        for position, choice in enumerate(answer.choices or ()):
            assembler = self.choices.get(choice.index)
            if assembler is None:
                assembler = self.choices[choice.index] = Assembler()
            content |= assembler.take(choice, choice.delta or choice.message)
            if assembler.odd is not None:
                self.odd[position] = assembler.odd
        if content:
            self.deltas += 1
            if self.first_token_ms is None:
                self.first_token_ms = self.elapsed_ms()
        return content

    def usual_text(self, answer: Answer) -> str | None:
        """The text of an object just taken that carried it and nothing else of note; else None.

        One like it may be taken by `take_alike`.
        """
        if answer.usage is not None or self.odd or self.renamed:
            return None
        if answer.choices is None or len(answer.choices) != 1:
            return None
        text = only_text(answer.choices[0])
        if text is not None:
            self._latest = self.choices[answer.choices[0].index]
        return text

    def take_alike(self, text: str) -> None:
        """What `take` does for an object that differs from the latest usual one in its text."""
        assert self._latest is not None, "one was taken before"
        self._latest.take_plain(text)
        self.renamed = False
        if self.odd:
            self.odd = {}
        self.deltas += 1

    def check_end(self) -> None:
        """Raises: AttemptFailed where what came is no answer, whole as it may look."""
        for choice in self.choices.values():
            if choice.finish_reason in _BROKEN_OFF:
                detail = f"the engine broke its answer off: {choice.finish_reason}"
                raise self.failed("cut", detail)
        for choice in self.choices.values():
            if not choice.empty:
                return
        raise self.failed("empty", "the answer holds no content")

    def _check_list(self, answer: Answer) -> None:
        """Raises: AttemptFailed where an answer without text holds nothing either."""
        found = answer.data if self.call.request.operation == "embedding" else answer.results
        if not found:
            raise self.failed("empty", "the answer holds nothing")

    def completion(self, body: bytes) -> Completion:
        return Completion(
            body=body,
            replies=tuple([self.choices[index].reply() for index in sorted(self.choices)]),
            usage=self.usage or self._estimate(),
            model=self.model,
            response_id=self.response_id,
            first_token_ms=self.first_token_ms
            if self.first_token_ms is not None
            else self.elapsed_ms(),
        )

    def _estimate(self) -> Usage | None:
        """Tokens for an engine that never said: none where nothing was sent."""
        if self.response is None or self.response.status != 200:
            return None
        asked = sum(map(_text_bytes, self.call.request.messages))
        asked += len(bytes(self.call.request.fields.get("tools", b"")))
        tokens = self.call.request.token_ids
        said = sum(choice.text_bytes for choice in self.choices.values())
        return Usage(
            prompt_tokens=max(1, tokens + round(asked / _BYTES_PER_TOKEN)),
            # a delta is a token or more: some engines send several at once
            completion_tokens=max(self.deltas, round(said / _BYTES_PER_TOKEN)),
            source="estimated",
        )

    def now(self) -> float:
        return self._clock()

    def elapsed_ms(self) -> int:
        return round((self._clock() - self.started) * 1000)

    def remaining_s(self) -> float:
        left = self.deadline - self._clock()
        if left <= 0:
            raise self.failed("total_timeout", "the attempt ran out of its total time")
        return left

    def broken(self, error: WireError) -> AttemptFailed:
        """What the wire says of a timeout is what was being waited for; ours is the whole."""
        kind: FailureKind = error.kind
        if kind in _WAITS and self.deadline - self._clock() <= 0.002:
            kind = "total_timeout"
        return self.failed(kind, error.detail)

    def failed(self, kind: FailureKind, detail: str) -> AttemptFailed:
        paid = self.response is not None and self.response.status == 200
        return AttemptFailed(
            Failure(kind=kind, detail=self._without_key(detail)[:DETAIL_CHARS]),
            self.completion(b"") if paid else None,
        )

    async def _refusal(self, response: UpstreamResponse) -> AttemptFailed:
        try:
            patience_s = min(5.0, self.remaining_s())
            body = await response.read(limit=_ERROR_BODY_BYTES, timeout_s=patience_s)
        except WireError:  # the status says enough
            body = b""
        said = self._without_key(body.decode("utf-8", "surrogateescape"))
        body = said.encode("utf-8", "surrogateescape")
        return AttemptFailed(refused(response.status, response.headers, body))

    def _told(self, said: str) -> AttemptFailed:
        """An error in a good answer: the engine's, or at its beginning the prompt's."""
        late = None if self.deltas else refused_late(self._without_key(said))
        return self.failed("server_error", said) if late is None else AttemptFailed(late)

    def _without_key(self, said: str) -> str:
        """An engine's words; some repeat the credential that they refuse."""
        key = self.call.deployment.api_key
        return said.replace(key, "[api key]") if key else said

    def close(self) -> None:
        """A response not read to its end is aborted."""
        if self.response is not None:
            self.response.release() if self.finished else self.response.abort()


def _text_bytes(message: Message) -> int:
    if isinstance(message.content, str):
        return len(message.content.encode())
    texts = [part.get("text") for part in message.content or ()]
    return sum(len(text.encode()) for text in texts if isinstance(text, str))
