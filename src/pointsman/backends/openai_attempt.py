"""One attempt at one deployment: its place, its deadline, and the reading of what comes back."""

from typing import Protocol

import msgspec

from pointsman.backends.http_wire import UpstreamResponse, WireError
from pointsman.backends.incoming import (
    Answer,
    Assembler,
    error_message,
    name_of,
    parse,
    strip,
    usage_of,
)
from pointsman.backends.outgoing import Outgoing, encode
from pointsman.backends.places import Places
from pointsman.backends.refusals import DETAIL_CHARS, refused
from pointsman.domain.messages import Message
from pointsman.domain.money import Usage
from pointsman.domain.portfolio import Deployment
from pointsman.domain.ports import AttemptFailed, Completion, UpstreamCall
from pointsman.domain.records import Failure, FailureKind

_ERROR_BODY_BYTES = 64 * 1024
_BYTES_PER_TOKEN = 3.6  # for usage an engine never reported; marked `estimated`
_BROKEN_OFF = ("abort", "error")  # finish reasons of vLLM, SGLang and routers: no whole answer


class Wire(Protocol):
    """What an attempt needs of its backend."""

    def clock(self) -> float:
        """Monotonic seconds."""
        ...

    async def place(self, deployment: Deployment) -> Places:
        """Places of the deployment, one of them taken. Raises: AttemptFailed (busy)."""
        ...

    async def open(self, call: UpstreamCall, outgoing: Outgoing) -> UpstreamResponse:
        """Send the call; the response's head has arrived when this returns."""
        ...


class Attempt:
    """What a whole and a streamed call share: the slot, the deadline, the reading of answers."""

    def __init__(self, backend: "Wire", call: UpstreamCall) -> None:
        self._wire = backend
        self.call = call
        self.outgoing = encode(call)
        self.started = backend.clock()
        self.deadline = self.started + min(call.deadline_s, call.deployment.limits.timeout_s)
        self.choices: dict[int, Assembler] = {}
        self.usage: Usage | None = None
        self.model: str | None = None
        self.response_id: str | None = None
        self.first_token_ms: int | None = None
        self.deltas = 0
        self.finished = False  # the answer was read to its end: the connection can be used again
        self.response: UpstreamResponse | None = None
        self._places: Places | None = None

    async def open(self) -> UpstreamResponse:
        """The response, once its status says that an answer follows."""
        self._places = await self._wire.place(self.call.deployment)
        self.response = await self._wire.open(self.call, self.outgoing)
        if self.response.status != 200:
            raise await self._refusal(self.response)
        return self.response

    async def whole(self) -> Completion:
        response = await self.open()
        limit = self.call.deployment.limits.max_answer_bytes
        body = await response.read(limit=limit, timeout_s=self.remaining_s())
        self.finished = True
        try:
            answer = parse(body)
            indexes = [choice.index for choice in answer.choices or ()]
            if len(set(indexes)) < len(indexes):  # put together they would be nobody's answer
                raise self.failed("malformed", "two choices have the same index")
            self.take(answer)
            self.check_end()
            if self.outgoing.strip_logprobs:
                body = strip(body, usage=False, logprobs=True)
        except msgspec.MsgspecError as error:
            raise self.failed("malformed", f"not a chat completion: {error}") from error
        return self.completion(body)

    def take(self, answer: Answer) -> bool:
        """Read one JSON object of the answer; True if it carried something for the client."""
        said = error_message(answer)
        if said is not None:
            raise self.failed("server_error", said)
        # keep-alive and filter frames carry empty ones
        self.response_id = name_of(answer.id) or self.response_id
        self.model = name_of(answer.model) or self.model
        if answer.usage is not None:
            self.usage = usage_of(answer) or self.usage
        content = False
        for choice in answer.choices or ():
            assembler = self.choices.get(choice.index)
            if assembler is None:
                assembler = self.choices[choice.index] = Assembler()
            content |= assembler.take(choice, choice.delta or choice.message)
        if content:
            self.deltas += 1
            if self.first_token_ms is None:
                self.first_token_ms = self.elapsed_ms()
        return content

    def check_end(self) -> None:
        """Raises: AttemptFailed where what came is no answer, whole as it may look."""
        for choice in self.choices.values():
            if choice.finish_reason in _BROKEN_OFF:
                detail = f"the engine broke its answer off: {choice.finish_reason}"
                raise self.failed("cut", detail)
        if all(choice.empty for choice in self.choices.values()):
            raise self.failed("empty", "the answer holds no content")

    def completion(self, body: bytes) -> Completion:
        return Completion(
            body=body,
            replies=tuple(item.reply() for _, item in sorted(self.choices.items())),
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
        said = sum(choice.text_bytes for choice in self.choices.values())
        return Usage(
            prompt_tokens=max(1, round(asked / _BYTES_PER_TOKEN)),
            # a delta is a token or more: some engines send several at once
            completion_tokens=max(self.deltas, round(said / _BYTES_PER_TOKEN)),
            source="estimated",
        )

    def now(self) -> float:
        return self._wire.clock()

    def elapsed_ms(self) -> int:
        return round((self._wire.clock() - self.started) * 1000)

    def remaining_s(self) -> float:
        left = self.deadline - self._wire.clock()
        if left <= 0:
            raise self.failed("total_timeout", "the attempt ran out of its total time")
        return left

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

    def _without_key(self, said: str) -> str:
        """An engine's words; some repeat the credential that they refuse."""
        key = self.call.deployment.api_key
        return said.replace(key, "[api key]") if key else said

    def close(self) -> None:
        """Give the place back; a response not read to its end is aborted."""
        if self.response is not None:
            self.response.release() if self.finished else self.response.abort()
        if self._places is not None:
            self._places.give()
            self._places = None


def _text_bytes(message: Message) -> int:
    if isinstance(message.content, str):
        return len(message.content.encode())
    texts = [part.get("text") for part in message.content or ()]
    return sum(len(text.encode()) for text in texts if isinstance(text, str))
