"""One request as a case of a suite: de-identified, with what is expected from who accepted it."""

from hashlib import sha256
from typing import Any

import msgspec

from pointsman.analytics.acceptance import AcceptanceJudge, OutcomeRow
from pointsman.analytics.material import Material, material_of
from pointsman.domain.errors import InvalidRequest
from pointsman.domain.messages import Reply
from pointsman.domain.ports import Reports
from pointsman.domain.records import BodyRef, OutcomeRecord
from pointsman.domain.task import AcceptanceRule, Task
from pointsman.evals.deidentifying import Unseeable, deidentified
from pointsman.governing.held import text_of
from pointsman.policy.detectors.table import detector

_DETECTORS = ("pii", "secrets")


class CaseFromTrace(msgspec.Struct, frozen=True, kw_only=True):
    """A case as a suite file says it, and where it is from."""

    case: dict[str, Any]
    expected_from: str  # `accepted`, `edited by a reviewer`, `edited by a rater`, `nobody`
    taken: dict[str, int]  # what was taken out, by kind


def case_from_trace(
    reports: Reports,
    trace: str,
    *,
    task: Task | None,
    now_us: int,
    needs_expected: bool = True,
) -> CaseFromTrace:
    """The case of one request.

    Args: task gives the rule by which its answer was accepted; None: the default one.
    Raises: NotFound; InvalidRequest where its words are gone, nobody accepted or edited the
        answer, or part of it cannot be looked at.
    """
    material = material_of(reports, trace)
    expected, source = _expected(reports, material, task, now_us)
    if source == "nobody" and needs_expected:
        raise InvalidRequest(
            f"nobody accepted or edited the answer of {trace}",
            why="what is expected of a case is an answer that people stand by",
            next=f"pointsman feedback add {trace} accepted, or `--without-expected`",
            code="nothing_expected",
        )
    body = material.body()
    try:
        found = deidentified([body, expected], [detector(name) for name in _DETECTORS])
    except Unseeable as error:
        raise InvalidRequest(
            f"{trace} cannot be de-identified", why=str(error),
            next="write the case by hand, with material that may be kept",
            code="not_deidentified",
        ) from None  # fmt: skip
    request, wanted = found.values
    case: dict[str, Any] = {"id": trace}
    if set(request) == {"messages"}:
        case["messages"] = request["messages"]
    else:
        case["request"] = request
    if wanted is not None:
        case["expected"] = wanted
    admission = material.admission
    if admission.task:
        case["tags"] = {"task": admission.task}
    if admission.session:
        case["cluster"] = sha256(admission.session.encode()).hexdigest()[:12]
    return CaseFromTrace(case=case, expected_from=source, taken=found.taken)


def _expected(
    reports: Reports, material: Material, task: Task | None, now_us: int
) -> tuple[Any, str]:
    """What people stand by: the latest edit, else the accepted answer itself."""
    edits: list[tuple[int, BodyRef, str]] = [
        (each.at_us, each.answer, "edited by a reviewer")
        for each in material.reviews
        if each.action == "edit" and each.answer is not None
    ]
    labels = _latest_labels(material.outcomes)
    edits += [
        (each.at_us, each.body, "edited by a rater") for each in labels if each.body is not None
    ]
    for _, ref, source in sorted(edits, key=lambda each: each[0], reverse=True):
        body = reports.body(ref)
        if body is None:
            continue
        by_rater = source == "edited by a rater"
        return (body.decode() if by_rater else text_of(body)), source
    rejected = [each for each in labels if each.value in ("reject", "edit")]
    if _is_accepted(material, task, now_us) or (labels and not rejected):
        return said_of(material.reply), "accepted"
    return None, "nobody"


def _latest_labels(outcomes: tuple[OutcomeRecord, ...]) -> list[OutcomeRecord]:
    latest: dict[str, OutcomeRecord] = {}
    for each in outcomes:
        if each.outcome == "label" and each.source.startswith("rater:"):
            latest[each.source] = each
    return [each for each in latest.values() if each.value in ("accept", "reject", "edit")]


def _is_accepted(material: Material, task: Task | None, now_us: int) -> bool:
    judge = AcceptanceJudge(task.acceptance if task is not None else AcceptanceRule())
    rows = [
        OutcomeRow(at_us=each.at_us, outcome=each.outcome, value=each.value, source=each.source)
        for each in material.outcomes
    ]
    found = judge.judge(rows, at_us=material.admission.at_us, now_us=now_us)
    return found == "accepted"


def said_of(reply: Reply) -> Any:
    """A reply as what is expected: its text, or its calls of tools."""
    if not reply.tool_calls:
        return reply.content
    calls = []
    for call in reply.tool_calls:
        try:
            arguments = msgspec.json.decode(call.arguments or "{}")
        except msgspec.DecodeError:
            arguments = None
        calls.append({"name": call.name, "arguments": arguments})
    return {"answer": reply.content, "tool_calls": calls}
