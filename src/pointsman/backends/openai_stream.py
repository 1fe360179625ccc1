"""The events of one streamed answer, read as they arrive and made ready for the client."""

from collections.abc import AsyncIterator, Awaitable

import msgspec

from pointsman.backends.alike import Alike
from pointsman.backends.http_wire import UpstreamResponse, WireError
from pointsman.backends.incoming import Answer, parse, strip
from pointsman.backends.mending import mended, usage_alone, with_reasoning_in
from pointsman.backends.openai_attempt import Attempt
from pointsman.backends.sse import SseSplitter
from pointsman.domain.ports import AttemptFailed, Chunk, Completion, Show

_DONE = b"[DONE]"


class OpenAIStream:
    """The events of one streamed answer, ready for the client, in batches as they arrived."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._usage: bytes | None = None  # a chunk that tells usage beside a choice
        self._alike = Alike()
        self._show: Show | None = None
        self._slow: Awaitable[None] | None = None  # the client is: to be waited for
        self._ended = False  # [DONE] came
        self._failed: AttemptFailed | None = None  # what went wrong after the chunks shown
        limits = attempt.call.deployment.limits
        self._splitter = SseSplitter(max_event_bytes=limits.max_answer_bytes)
        self._room = limits.max_answer_bytes  # bytes that may still come

    def completion(self) -> Completion:
        """What the stream has said so far."""
        return self._attempt.completion(b"")

    def pass_on(self, show: Show) -> None:
        """Show what comes in the turn that it comes in."""
        self._show = show

    def abort(self) -> None:
        """Stop: the connection closes, so the engine stops generating."""
        self._attempt.close()

    async def __aiter__(self) -> AsyncIterator[list[Chunk]]:
        attempt = self._attempt
        try:
            response = await attempt.open()
            while self._show is None:
                data = await response.next_chunk(self._patience_s())
                if data is None:
                    break
                self._ended, chunks, self._failed = self._read(self._events(data))
                if chunks:
                    yield chunks
                if self._failed is not None:
                    raise self._failed
                if self._ended:
                    break
            else:
                await self._flow(response)
            attempt.finished = True
            self._check_end(ended=self._ended)
            if self._usage is not None:  # it was asked for, and no object has told it alone
                yield [Chunk(data=self._usage_alone(self._usage), content=False)]
        except WireError as error:
            raise self._broken(error) from error
        finally:
            attempt.close()

    async def _flow(self, response: UpstreamResponse) -> None:
        """Have the rest shown as it comes: no task is woken for it while the client keeps up."""
        between_s = self._attempt.call.deployment.limits.between_tokens_timeout_s
        while not self._ended and await response.flow(
            self._pass, timeout_s=between_s, left_s=self._attempt.remaining_s()
        ):
            if self._slow is not None:
                slow, self._slow = self._slow, None
                await slow
            if self._failed is not None:
                raise self._failed

    def _pass(self, data: bytes) -> bool:
        """Show what came; True where more must not follow at once."""
        assert self._show is not None, "what flows is shown"
        events = self._events(data)
        if len(events) == 1 and (alike := self._alike.take(events[0])) is not None:
            self._attempt.take_alike(alike[0])  # the usual case
            self._slow = self._show([Chunk(data=alike[1], content=True)])
            return self._slow is not None
        self._ended, chunks, self._failed = self._read(events)
        if chunks:
            self._slow = self._show(chunks)
        return self._ended or self._slow is not None or self._failed is not None

    def _events(self, data: bytes) -> list[bytes]:
        self._room -= len(data)
        if self._room < 0:
            bound = self._attempt.call.deployment.limits.max_answer_bytes
            raise self._attempt.failed("too_large", f"the stream is over {bound} bytes")
        return self._splitter.feed(data)

    def _patience_s(self) -> float:
        attempt = self._attempt
        limits = attempt.call.deployment.limits
        if attempt.first_token_ms is not None:
            left, between = attempt.remaining_s(), limits.between_tokens_timeout_s
            return between if between < left else left
        waited = self._attempt.elapsed_ms() / 1000
        left = max(0.001, limits.first_token_timeout_s - waited)
        return min(left, self._attempt.remaining_s())

    def _broken(self, error: WireError) -> AttemptFailed:
        """A wait for the next bytes times out as what was being waited for."""
        attempt = self._attempt
        if error.kind == "between_tokens_timeout" and attempt.first_token_ms is None:
            error = WireError("first_token_timeout", error.detail)
        return attempt.broken(error)

    def _read(self, payloads: list[bytes]) -> tuple[bool, list[Chunk], AttemptFailed | None]:
        """Whether [DONE] came, the chunks before it, and what went wrong after those."""
        attempt = self._attempt
        chunks: list[Chunk] = []
        for data in payloads:
            if data.startswith(_DONE):  # whatever comes after it belongs to no answer
                return True, chunks, None
            if not data:  # a sign of life
                continue
            alike = self._alike.take(data)
            if alike is not None:
                attempt.take_alike(alike[0])
                chunks.append(Chunk(data=alike[1], content=True))
                continue
            try:
                answer = parse(data)
                content = attempt.take(answer)
                stripped = self._stripped(data, answer)
                if content and stripped is not None:
                    said = attempt.usual_text(answer)
                    if said is not None:
                        self._alike.learn(data, said, stripped)
            except msgspec.MsgspecError as error:
                why = f"not a chunk of a stream: {error}"
                return False, chunks, attempt.failed("malformed", why)
            except AttemptFailed as error:
                return False, chunks, error
            if stripped is not None:
                chunks.append(Chunk(data=stripped, content=content))
        return False, chunks, None

    def _stripped(self, data: bytes, answer: Answer) -> bytes | None:
        if b"\n" in data:  # one event in several lines; in JSON a raw line break is only space
            data = data.replace(b"\n", b" ")
        attempt = self._attempt
        if attempt.renamed or attempt.odd:
            name = attempt.response_id if attempt.renamed else None
            data = mended(data, name=name, odd=attempt.odd)
        field = attempt.call.deployment.reasoning_field
        if field is not None:
            data = with_reasoning_in(data, field)
        if answer.usage is not None and attempt.call.request.include_usage:
            self._usage = data if answer.choices else None
        usage = attempt.outgoing.strip_usage and b'"usage"' in data
        logprobs = attempt.outgoing.strip_logprobs and b'"logprobs"' in data
        if usage and not answer.choices and answer.usage is not None:
            return None  # the frame that only our own include_usage asked for
        if usage or logprobs:
            return strip(data, usage=usage, logprobs=logprobs)
        return data

    def _usage_alone(self, data: bytes) -> bytes:
        try:
            return usage_alone(data)
        except msgspec.MsgspecError as error:
            raise self._attempt.failed("malformed", f"not a chunk of a stream: {error}") from error

    def _check_end(self, *, ended: bool) -> None:
        """Without [DONE] an answer is whole only if every choice said why it finished."""
        attempt = self._attempt
        finished = [item for item in attempt.choices.values() if item.finish_reason is not None]
        awaited = max(len(attempt.choices), attempt.call.request.choices)
        if not ended and len(finished) < awaited:
            raise attempt.failed("cut", "the stream ended before its answer did")
        attempt.check_end()
