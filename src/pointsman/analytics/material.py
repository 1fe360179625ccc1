"""What was asked and answered in one request, as far as it is still kept; or why it is not."""

from collections.abc import Mapping
from typing import Any

import msgspec

from pointsman.backends.kept_answers import kept_reply
from pointsman.domain.errors import InvalidRequest, NotFound
from pointsman.domain.messages import ModelRequest, Reply
from pointsman.domain.ports import Reports
from pointsman.domain.records import Admission, BodyRef, End, OutcomeRecord, ReviewRecord
from pointsman.surfaces.table import SURFACES

# What of a request is its own and no part of what was asked: who asks again says these anew.
_NOT_KEPT = frozenset(
    (
        "model", "stream", "stream_options", "n", "user", "metadata", "seed", "store",
        "service_tier", "prompt_cache_key", "safety_identifier",
    )
)  # fmt: skip


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """One request with its answer, in words."""

    admission: Admission
    end: End
    request: ModelRequest
    messages: tuple[dict[str, Any], ...]
    reply: Reply
    outcomes: tuple[OutcomeRecord, ...] = ()
    reviews: tuple[ReviewRecord, ...] = ()

    @property
    def answer(self) -> str:
        """What the answer says; calls of tools as they were made."""
        calls = [f"[calls {call.name} {call.arguments}]" for call in self.reply.tool_calls]
        return "\n".join(
            [each for each in (self.reply.content, self.reply.refusal) if each] + calls
        )

    def body(self) -> dict[str, Any]:
        """The request as one of chat completions, without what is only its own."""
        if self.admission.surface != "chat":
            return {"messages": list(self.messages)}
        return {
            name: msgspec.json.decode(value)
            for name, value in self.request.fields.items()
            if name not in _NOT_KEPT
        }


def material_of(reports: Reports, trace: str) -> Material:
    """Everything of one request.

    Raises: NotFound for a trace that is not there; InvalidRequest with `text_gone` as its code
        where its words were never kept or are erased, with `no_conversation` where there are none.
    """
    admission: Admission | None = None
    end: End | None = None
    outcomes: list[OutcomeRecord] = []
    reviews: list[ReviewRecord] = []
    for row in reports.query("trace", {"trace": trace}):
        if row["kind"] == "admission":
            admission = msgspec.json.decode(row["payload"], type=Admission)
        elif row["kind"] == "end":
            end = end or msgspec.json.decode(row["payload"], type=End)
        elif row["kind"] == "outcome":
            outcomes.append(msgspec.json.decode(row["payload"], type=OutcomeRecord))
        elif row["kind"] == "review":
            reviews.append(msgspec.json.decode(row["payload"], type=ReviewRecord))
    if admission is None:
        raise NotFound(f"no trace {trace!r}", next="pointsman trace list")
    made = material_from(reports, admission, end)
    return msgspec.structs.replace(made, outcomes=tuple(outcomes), reviews=tuple(reviews))


def material_from(reports: Reports, admission: Admission, end: End | None) -> Material:
    """The same for records that are at hand; outcomes and reviews are left out.

    Raises: InvalidRequest as `material_of`.
    """
    trace = admission.trace
    if end is None or end.status != "delivered":
        how = "it has not ended" if end is None else f"it ended as {end.status}"
        raise InvalidRequest(
            f"{trace} has no delivered answer", why=how, next="choose a request that was answered",
            code="no_answer",
        )  # fmt: skip
    request = _parsed(admission, kept(reports, admission, admission.request, "request"))
    body = kept(reports, admission, end.response, "answer")
    reply = kept_reply(body)
    if reply is None:
        raise InvalidRequest(
            f"the answer of {trace} cannot be read", why="it is no answer of a conversation",
            code="no_conversation",
        )  # fmt: skip
    return Material(
        admission=admission,
        end=end,
        request=request,
        messages=tuple(_message(each) for each in _messages_of(request)),
        reply=reply,
    )


def kept(reports: Reports, admission: Admission, ref: BodyRef | None, what: str) -> bytes:
    """A body of a request. Raises: InvalidRequest that says why it is not there."""
    trace = admission.trace
    if admission.capture != "bodies":
        how = "masked" if admission.capture == "redacted" else "kept as digests only"
        raise InvalidRequest(
            f"the {what} of {trace} is {how}",
            why=f"its task is captured as `{admission.capture}`",
            next="set `capture: bodies` for the task; it counts for requests from then on",
            code="text_gone",
        )
    if ref is None or ref.pack is None:
        raise InvalidRequest(
            f"the {what} of {trace} was not kept",
            why="a policy or the capture of its task kept its digest only",
            next="choose another request",
            code="text_gone",
        )
    body = reports.body(ref)
    if body is None:
        raise InvalidRequest(
            f"the {what} of {trace} was erased",
            why="its retention is over, or its person asked for that",
            next="choose a younger request; tasks.NAME.retention_days says how long bodies stay",
            code="text_gone",
        )
    return body


def _parsed(admission: Admission, body: bytes) -> ModelRequest:
    surface = next((each for each in SURFACES.values() if each.name == admission.surface), None)
    try:
        request = surface.parse(body) if surface is not None else None
    except InvalidRequest:
        request = None
    if request is None or request.operation not in ("chat", "completion"):
        raise InvalidRequest(
            f"{admission.trace} is no conversation",
            why=f"it was asked as {admission.surface}",
            next="choose a request for a text",
            code="no_conversation",
        )
    return request


def _messages_of(request: ModelRequest) -> list[Mapping[str, Any]]:
    raw = request.fields.get("messages")
    if raw is not None:
        said = msgspec.json.decode(raw)
        if isinstance(said, list) and all(isinstance(each, dict) for each in said):
            return said
    return [{"role": each.role, "content": each.content} for each in request.messages]


def _message(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}
