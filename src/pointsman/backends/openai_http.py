"""The backend for every OpenAI-compatible engine: one call over the pool, whole or streamed."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import cast

import msgspec

from pointsman.backends.address import Address
from pointsman.backends.http_pool import HttpPool, Origin
from pointsman.backends.http_wire import UpstreamResponse, WireError
from pointsman.backends.incoming import (
    Answer,
    Assembler,
    error_message,
    parse,
    strip,
    usage_of,
)
from pointsman.backends.outgoing import Outgoing, encode
from pointsman.backends.sse import SseSplitter
from pointsman.domain.messages import Message
from pointsman.domain.money import Usage
from pointsman.domain.portfolio import Deployment
from pointsman.domain.ports import AttemptFailed, Chunk, Completion, UpstreamCall
from pointsman.domain.records import Failure, FailureKind

_DETAIL_CHARS = 500  # of an engine's own error text, in a record or to a client
_ERROR_BODY_BYTES = 64 * 1024
_DONE = b"[DONE]"
_BYTES_PER_TOKEN = 3.6  # for usage an engine never reported; marked `estimated`
_BROKEN_OFF = ("abort", "error")  # finish reasons of vLLM, SGLang and routers: no whole answer
# Statuses below 500 that concern our own address, key or account, or the engine's own trouble
# (408, and 424, TGI's "generation failed"): not the client's fault.
_OURS = frozenset({401, 402, 403, 404, 405, 407, 408, 410, 424})
_LONGEST_RETRY_S = 86_400.0


class OpenAIBackend:
    """Speaks to deployments over one pool; at most `limits.concurrency` attempts each."""

    def __init__(
        self,
        pool: HttpPool,
        address_of: Callable[[Deployment], Address | None],
        clock: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._address_of = address_of
        self._clock = clock
        self._origins: dict[str, Origin] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}

    async def complete(self, call: UpstreamCall) -> Completion:
        """A whole answer. Raises: AttemptFailed with what went wrong."""
        attempt = _Attempt(self, call)
        try:
            return await attempt.whole()
        except WireError as error:
            raise attempt.failed(error.kind, error.detail) from error
        finally:
            attempt.close()

    def stream(self, call: UpstreamCall) -> "OpenAIStream":
        """A streamed answer; the connection is made when it is first iterated."""
        return OpenAIStream(_Attempt(self, call))

    async def open(self, call: UpstreamCall, outgoing: Outgoing) -> UpstreamResponse:
        """Send the call; the response's head has arrived when this returns."""
        deployment = call.deployment
        address = self._address_of(deployment)
        if address is None:
            raise AttemptFailed(Failure(kind="engine_down", detail=f"{deployment.name} is down"))
        origin = self._origins.get(address.base_url)
        if origin is None:
            origin = self._origins[address.base_url] = Origin.parse(address.base_url)
        limits = deployment.limits
        headers = [(b"content-type", b"application/json"), (b"accept", _accept(call))]
        if address.api_key:
            headers.append((b"authorization", b"Bearer " + address.api_key.encode()))
        return await self._pool.request(
            origin,
            b"POST",
            "/chat/completions",
            headers,
            outgoing.body,
            connect_timeout_s=min(limits.connect_timeout_s, call.deadline_s),
            first_byte_timeout_s=min(limits.first_token_timeout_s, call.deadline_s),
        )

    async def slot(self, deployment: Deployment) -> asyncio.Semaphore:
        """Wait, no longer than a connection may take, for a free place on the deployment."""
        slots = self._slots.get(deployment.name)
        if slots is None:
            slots = asyncio.Semaphore(deployment.limits.concurrency)
            self._slots[deployment.name] = slots
        if slots.locked():
            try:
                async with asyncio.timeout(deployment.limits.connect_timeout_s):
                    await slots.acquire()
            except TimeoutError:
                detail = f"{deployment.limits.concurrency} attempts are running"
                raise AttemptFailed(Failure(kind="busy", detail=detail)) from None
        else:
            await slots.acquire()
        return slots

    @property
    def clock(self) -> Callable[[], float]:
        """Monotonic seconds."""
        return self._clock


class _Attempt:
    """What a whole and a streamed call share: the slot, the deadline, the reading of answers."""

    def __init__(self, backend: OpenAIBackend, call: UpstreamCall) -> None:
        self._backend = backend
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
        self._slot: asyncio.Semaphore | None = None

    async def open(self) -> UpstreamResponse:
        """The response, once its status says that an answer follows."""
        self._slot = await self._backend.slot(self.call.deployment)
        self.response = await self._backend.open(self.call, self.outgoing)
        if self.response.status != 200:
            raise await self._refusal(self.response)
        return self.response

    async def whole(self) -> Completion:
        response = await self.open()
        limit = self.call.deployment.limits.max_answer_bytes
        body = await response.read(limit=limit, timeout_s=self.remaining_s())
        self.finished = True
        try:
            self.take(parse(body))
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
        if answer.id:  # keep-alive and filter frames carry an empty one
            self.response_id = answer.id
        if answer.model:
            self.model = answer.model
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

    def elapsed_ms(self) -> int:
        return round((self._backend.clock() - self.started) * 1000)

    def remaining_s(self) -> float:
        left = self.deadline - self._backend.clock()
        if left <= 0:
            raise self.failed("total_timeout", "the attempt ran out of its total time")
        return left

    def failed(self, kind: FailureKind, detail: str, **more: object) -> AttemptFailed:
        paid = self.response is not None and self.response.status == 200
        return AttemptFailed(
            Failure(kind=kind, detail=detail[:_DETAIL_CHARS], **more),  # type: ignore[arg-type]
            self.completion(b"") if paid else None,
        )

    async def _refusal(self, response: UpstreamResponse) -> AttemptFailed:
        status = response.status
        try:
            patience_s = min(5.0, self.remaining_s())
            body = await response.read(limit=_ERROR_BODY_BYTES, timeout_s=patience_s)
        except WireError:  # the status says enough
            body = b""
        detail = _own_words(body)
        if status == 429:
            retry_s = _retry_after_s(response.headers)
            return self.failed("rate_limited", detail, status=status, retry_after_s=retry_s)
        ours = status >= 500 or status in _OURS or status < 400
        kind: FailureKind = "server_error" if ours else "client_error"
        return self.failed(kind, detail, status=status)

    def close(self) -> None:
        """Give the place back; a response not read to its end is aborted."""
        if self.response is not None:
            self.response.release() if self.finished else self.response.abort()
        if self._slot is not None:
            self._slot.release()
            self._slot = None


class OpenAIStream:
    """The events of one streamed answer, ready for the client, in batches as they arrived."""

    def __init__(self, attempt: _Attempt) -> None:
        self._attempt = attempt

    def completion(self) -> Completion:
        """What the stream has said so far."""
        return self._attempt.completion(b"")

    def abort(self) -> None:
        """Stop: the connection closes, so the engine stops generating."""
        self._attempt.close()

    async def __aiter__(self) -> AsyncIterator[list[Chunk]]:
        attempt = self._attempt
        try:
            response = await attempt.open()
            splitter = SseSplitter(max_event_bytes=attempt.call.deployment.limits.max_answer_bytes)
            while (data := await response.next_chunk(self._patience_s())) is not None:
                ended, chunks = self._read(splitter.feed(data))
                if chunks:
                    yield chunks
                if ended:
                    break
            attempt.finished = True
            self._check_end(ended=data is not None)
        except WireError as error:
            raise attempt.failed(self._kind(error), error.detail) from error
        finally:
            attempt.close()

    def _patience_s(self) -> float:
        limits = self._attempt.call.deployment.limits
        if self._attempt.first_token_ms is not None:
            return min(limits.between_tokens_timeout_s, self._attempt.remaining_s())
        waited = self._attempt.elapsed_ms() / 1000
        left = max(0.001, limits.first_token_timeout_s - waited)
        return min(left, self._attempt.remaining_s())

    def _kind(self, error: WireError) -> FailureKind:
        """A wait for the next bytes times out as what was being waited for."""
        if error.kind not in ("first_token_timeout", "between_tokens_timeout"):
            return cast(FailureKind, error.kind)
        if self._attempt.deadline - self._attempt._backend.clock() <= 0.002:
            return "total_timeout"
        waiting_for_first = self._attempt.first_token_ms is None
        return "first_token_timeout" if waiting_for_first else "between_tokens_timeout"

    def _read(self, payloads: list[bytes]) -> tuple[bool, list[Chunk]]:
        attempt = self._attempt
        chunks: list[Chunk] = []
        for data in payloads:
            if data.startswith(_DONE):
                return True, chunks  # whatever comes after it belongs to no answer
            if not data:  # a sign of life
                continue
            try:
                answer = parse(data)
                content = attempt.take(answer)
                stripped = self._stripped(data, answer)
            except msgspec.MsgspecError as error:
                raise attempt.failed("malformed", f"not a chunk of a stream: {error}") from error
            if stripped is not None:
                chunks.append(Chunk(data=stripped, content=content))
        return False, chunks

    def _stripped(self, data: bytes, answer: Answer) -> bytes | None:
        usage = self._attempt.outgoing.strip_usage and b'"usage"' in data
        logprobs = self._attempt.outgoing.strip_logprobs and b'"logprobs"' in data
        if usage and not answer.choices and answer.usage is not None:
            return None  # the frame that only our own include_usage asked for
        if usage or logprobs:
            return strip(data, usage=usage, logprobs=logprobs)
        return data

    def _check_end(self, *, ended: bool) -> None:
        """Without [DONE] an answer is whole only if every choice said why it finished."""
        attempt = self._attempt
        finished = [item for item in attempt.choices.values() if item.finish_reason is not None]
        awaited = max(len(attempt.choices), attempt.call.request.choices)
        if not ended and len(finished) < awaited:
            raise attempt.failed("cut", "the stream ended before its answer did")
        attempt.check_end()


def _text_bytes(message: Message) -> int:
    if isinstance(message.content, str):
        return len(message.content.encode())
    texts = [part.get("text") for part in message.content or ()]
    return sum(len(text.encode()) for text in texts if isinstance(text, str))


def _own_words(body: bytes) -> str:
    """What an engine said of its error: its message, or the body where that is not found."""
    try:
        said = error_message(parse(body))
    except msgspec.MsgspecError:
        said = None
    return said or body[:_DETAIL_CHARS].decode("utf-8", "replace")


def _accept(call: UpstreamCall) -> bytes:
    return b"text/event-stream" if call.request.stream else b"application/json"


def _retry_after_s(headers: Mapping[bytes, bytes]) -> float | None:
    """When to come back: OpenAI's milliseconds, seconds, or a date by the upstream's own clock."""
    for name, per_second in ((b"retry-after-ms", 1000.0), (b"retry-after", 1.0)):
        try:
            wait_s = float(headers.get(name, b"")) / per_second
        except ValueError:
            continue
        if math.isfinite(wait_s):
            return min(max(0.0, wait_s), _LONGEST_RETRY_S)
    try:
        then, now = (
            parsedate_to_datetime(headers.get(name, b"").decode("latin-1"))
            for name in (b"retry-after", b"date")
        )
        wait_s = (then - now).total_seconds()
    except (ValueError, TypeError):  # no date, or one with and one without its zone
        return None
    return min(max(0.0, wait_s), _LONGEST_RETRY_S)
