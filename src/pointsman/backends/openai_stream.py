"""The events of one streamed answer, read as they arrive and made ready for the client."""

from collections.abc import AsyncIterator
from typing import cast

import msgspec

from pointsman.backends.http_wire import WireError
from pointsman.backends.incoming import Answer, parse, strip
from pointsman.backends.openai_attempt import Attempt
from pointsman.backends.sse import SseSplitter
from pointsman.domain.ports import AttemptFailed, Chunk, Completion
from pointsman.domain.records import FailureKind

_DONE = b"[DONE]"


class OpenAIStream:
    """The events of one streamed answer, ready for the client, in batches as they arrived."""

    def __init__(self, attempt: Attempt) -> None:
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
            received, bound = 0, attempt.call.deployment.limits.max_answer_bytes
            while (data := await response.next_chunk(self._patience_s())) is not None:
                received += len(data)
                if received > bound:
                    raise attempt.failed("too_large", f"the stream is over {bound} bytes")
                ended, chunks, failed = self._read(splitter.feed(data))
                if chunks:
                    yield chunks
                if failed is not None:
                    raise failed
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
        if self._attempt.deadline - self._attempt.now() <= 0.002:
            return "total_timeout"
        waiting_for_first = self._attempt.first_token_ms is None
        return "first_token_timeout" if waiting_for_first else "between_tokens_timeout"

    def _read(self, payloads: list[bytes]) -> tuple[bool, list[Chunk], AttemptFailed | None]:
        """Whether [DONE] came, the chunks before it, and what went wrong after those."""
        attempt = self._attempt
        chunks: list[Chunk] = []
        for data in payloads:
            if data.startswith(_DONE):
                return True, chunks, None  # whatever comes after it belongs to no answer
            if not data:  # a sign of life
                continue
            try:
                answer = parse(data)
                content = attempt.take(answer)
                stripped = self._stripped(data, answer)
            except msgspec.MsgspecError as error:
                said = f"not a chunk of a stream: {error}"
                return False, chunks, attempt.failed("malformed", said)
            except AttemptFailed as error:
                return False, chunks, error
            if stripped is not None:
                chunks.append(Chunk(data=stripped, content=content))
        return False, chunks, None

    def _stripped(self, data: bytes, answer: Answer) -> bytes | None:
        if b"\n" in data:  # one event in several lines; in JSON a raw line break is only space
            data = data.replace(b"\n", b" ")
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
