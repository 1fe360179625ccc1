"""A chat answer, whole or in chunks, as OpenAI's Responses API has it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from pointsman.domain.errors import PointsmanError
from pointsman.domain.messages import ModelRequest
from pointsman.surfaces.pieces import Began, Block, Ended, Event, Grew, Pieces
from pointsman.surfaces.responses_echo import asked

Json = dict[str, Any]
_encode = msgspec.json.encode
_UNNAMED = "resp_unnamed"
_CUT = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponsesWriter:
    """One answer in the words of the Responses API, its events numbered from 0."""

    def __init__(self, request: ModelRequest) -> None:
        self._request = request
        self._pieces = Pieces()
        self._number = 0
        self._started = False
        self._index = -1
        self._place: Json = {}  # of the open block, as every event of it says it
        self._echo: Json | None = None

    def whole(self, body: bytes) -> bytes:
        self._pieces.whole(body)
        return _encode(self._response(self._status()))

    def events(self, payloads: Sequence[bytes]) -> bytes:
        written: list[bytes] = []
        for payload in payloads:
            events = list(self._pieces.chunk(payload))
            if not self._started and (events or self._pieces.id):
                written.append(self._start())
            written += [self._event(event) for event in events]
        return b"".join(written)

    def comment(self) -> bytes:
        return b": keep-alive\n\n"

    def close(self) -> bytes:
        written = [b"" if self._started else self._start()]
        # All at once: which block is the last is known at the end.
        written += [self._event(event) for event in list(self._pieces.end())]
        status = self._status()
        written.append(self._sse(f"response.{status}", response=self._response(status)))
        return b"".join(written)

    def broken(self, error: PointsmanError) -> bytes:
        """`error`, which OpenAI's clients raise, then `response.failed`, which agents read.

        What is open stays open: a client that acts on the end of an item must not act on half of
        one.
        """
        start = b"" if self._started else self._start()
        told = {"code": error.reported_code, "message": error.sentence}
        raised = {**told, "param": error.param, "error": {**told, "type": error.error_type}}
        failed = {**self._response("failed"), "error": told}
        return start + self._sse("error", **raised) + self._sse("response.failed", response=failed)

    def _start(self) -> bytes:
        self._started = True
        self._pieces.id = self._pieces.id or _UNNAMED  # what is named by it keeps its name
        response = self._response("in_progress")
        return self._sse("response.created", response=response) + self._sse(
            "response.in_progress", response=response
        )

    def _event(self, event: Event) -> bytes:
        match event:
            case Began(block):
                self._index += 1
                self._place = {"item_id": self._id(self._index), "output_index": self._index}
                if block.kind != "tool":
                    self._place["content_index"] = 0
                return self._began(block)
            case Grew(block, text):
                return self._grew(block, text)
            case Ended(block):
                return self._ended(block)

    def _began(self, block: Block) -> bytes:
        item = self._item(block, self._index, empty=True)
        added = self._sse("response.output_item.added", output_index=self._index, item=item)
        if block.kind == "tool":
            return added
        part = _part(block.kind, "")
        return added + self._sse("response.content_part.added", **self._place, part=part)

    def _grew(self, block: Block, text: str) -> bytes:
        match block.kind:
            case "text":
                return self._sse(
                    "response.output_text.delta", **self._place, delta=text, logprobs=[]
                )
            case "reasoning":
                return self._sse("response.reasoning_text.delta", **self._place, delta=text)
            case "refusal":
                return self._sse("response.refusal.delta", **self._place, delta=text)
            case "tool":
                return self._sse(
                    "response.function_call_arguments.delta", **self._place, delta=text
                )

    def _ended(self, block: Block) -> bytes:
        place, text = self._place, block.text
        item = self._item(block, self._index)
        done = ("response.output_item.done", {"output_index": self._index, "item": item})
        if block.kind == "tool":
            name = self._called(block.name)["name"]
            said = self._sse(
                "response.function_call_arguments.done", **place, name=name, arguments=text
            )
            return said + self._sse(done[0], **done[1])
        match block.kind:
            case "text":
                said = self._sse("response.output_text.done", **place, text=text, logprobs=[])
            case "reasoning":
                said = self._sse("response.reasoning_text.done", **place, text=text)
            case _:
                said = self._sse("response.refusal.done", **place, refusal=text)
        said += self._sse("response.content_part.done", **place, part=_part(block.kind, text))
        return said + self._sse(done[0], **done[1])

    def _id(self, index: int) -> str:
        kind = {"tool": "fc", "reasoning": "rs"}.get(self._pieces.blocks[index].kind, "msg")
        return f"{kind}_{self._pieces.id}_{index}"

    def _item(self, block: Block, index: int, *, empty: bool = False) -> Json:
        status = "in_progress" if empty else self._ending(block)
        named: Json = {"id": self._id(index)}
        text = "" if empty else block.text
        if block.kind == "tool":
            return {**named, "type": "function_call", "status": status, "call_id": block.id,
                    **self._called(block.name), "arguments": text}  # fmt: skip
        parts = [] if empty else [_part(block.kind, text)]
        if block.kind == "reasoning":
            return {**named, "type": "reasoning", "summary": [], "content": parts,
                    "status": status}  # fmt: skip
        return {**named, "type": "message", "status": status, "role": "assistant",
                "content": parts}  # fmt: skip

    def _called(self, name: str) -> Json:
        known = (self._request.namespaces or {}).get(name)
        return {"name": name} if known is None else {"namespace": known[0], "name": known[1]}

    def _ending(self, block: Block) -> str:
        """How a block ended: where the answer was cut, its last one was, and any half call."""
        cut = self._pieces.finish_reason in _CUT
        last = block is self._pieces.blocks[-1] or not block.whole
        return "incomplete" if not block.ended or (cut and last) else "completed"

    def _status(self) -> str:
        return "incomplete" if self._pieces.finish_reason in _CUT else "completed"

    def _response(self, status: str) -> Json:
        pieces = self._pieces
        done = status != "in_progress"
        told = {"pointsman": pieces.told} if done and pieces.told is not None else {}
        blocks = pieces.blocks if done else []
        cut = _CUT.get(pieces.finish_reason or "") if status == "incomplete" else None
        return {
            "id": pieces.id or _UNNAMED,
            "object": "response",
            "created_at": pieces.created,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": cut} if cut else None,
            "model": pieces.model or self._request.model,
            "output": [self._item(block, at) for at, block in enumerate(blocks)],
            "previous_response_id": None,
            "store": False,
            "truncation": "disabled",
            **self._asked(),
            **told,
            "usage": self._usage() if done else None,
        }

    def _asked(self) -> Json:
        """What was asked, in the words of this API; put together once."""
        if self._echo is None:
            self._echo = asked(self._request)
        return self._echo

    def _usage(self) -> Json | None:
        counts = self._pieces.counts
        if counts is None:
            return None
        return {
            "input_tokens": counts.read,
            "input_tokens_details": {"cached_tokens": counts.cached},
            "output_tokens": counts.written,
            "output_tokens_details": {"reasoning_tokens": counts.reasoned},
            "total_tokens": counts.read + counts.written,
        }

    def _sse(self, kind: str, **said: Any) -> bytes:
        event = {"type": kind, "sequence_number": self._number, **said}
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode(event))


def _part(kind: str, text: str) -> Json:
    match kind:
        case "reasoning":
            return {"type": "reasoning_text", "text": text}
        case "refusal":
            return {"type": "refusal", "refusal": text}
        case _:
            return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
