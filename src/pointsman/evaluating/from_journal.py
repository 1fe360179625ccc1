"""Requests that were answered as cases: what was asked, and the accepted answer as expected."""

from collections.abc import Callable, Sequence

import msgspec

from pointsman.analytics.acceptance import AcceptanceJudge, OutcomeRow
from pointsman.backends.kept_answers import kept_reply
from pointsman.domain.errors import InvalidRequest
from pointsman.domain.messages import Reply
from pointsman.domain.ports import Reports
from pointsman.domain.records import Admission, End
from pointsman.domain.task import AcceptanceRule, Configuration
from pointsman.evals.case import Case
from pointsman.evaluating.suite_schema import RawJournal
from pointsman.surfaces.table import SURFACES

_HOUR_US = 3_600_000_000
# What of a request is its own and no part of a case: the run says these.
_NOT_KEPT = frozenset(("model", "stream", "stream_options", "n", "user", "metadata", "seed"))


class CasesOfJournal:
    """Turns requests of one journal into cases; the latest first."""

    def __init__(
        self, reports: Reports, config: Configuration, *, now_us: Callable[[], int]
    ) -> None:
        self._reports = reports
        self._judges = {n: AcceptanceJudge(each.acceptance) for n, each in config.tasks.items()}
        self._other = AcceptanceJudge(AcceptanceRule())
        self._now_us = now_us

    def __call__(self, query: RawJournal, *, limit: int) -> Sequence[Case]:
        """At most `limit` cases; requests whose bodies are gone or were never kept have none."""
        now_us = self._now_us()
        since_us = 0 if query.hours is None else max(0, now_us - int(query.hours * _HOUR_US))
        told: dict[str, list[OutcomeRow]] = {}
        for row in self._reports.query("outcomes", {"since_us": since_us, "tenant": query.tenant}):
            told.setdefault(row["trace"], []).append(OutcomeRow.of(row))
        rows = self._reports.query(
            "decisions", {"since_us": since_us, "tenant": query.tenant, "task": query.task}
        )
        cases: list[Case] = []
        for row in rows:
            if len(cases) >= limit:
                break
            if not row["end"]:
                continue
            admission = msgspec.json.decode(row["admission"], type=Admission)
            end = msgspec.json.decode(row["end"], type=End)
            if end.status != "delivered":
                continue
            judge = self._judges.get(admission.task or "", self._other)
            told_of = told.get(admission.trace, ())
            found = judge.judge(told_of, at_us=admission.at_us, now_us=now_us)
            if query.outcome not in ("any", found):
                continue
            case = self._case(admission, end, expected=found == "accepted")
            if case is not None:
                cases.append(case)
        return cases

    def _case(self, admission: Admission, end: End, *, expected: bool) -> Case | None:
        request = self._reports.body(admission.request)
        answer = self._reports.body(end.response) if end.response is not None else None
        if request is None:
            return None
        reply = kept_reply(answer) if answer is not None and expected else None
        return case_of(admission, request, reply)


def case_of(admission: Admission, request: bytes, reply: Reply | None) -> Case | None:
    """One request as a case, `reply` being what is expected; None where it is no conversation.

    Its own fields (temperature, tools) stay; those that a run says are left out.
    """
    surface = next((each for each in SURFACES.values() if each.name == admission.surface), None)
    if surface is None or surface.operation != "chat":
        return None
    try:
        asked = surface.parse(request)
    except InvalidRequest:
        return None
    body = {
        name: msgspec.json.decode(value)
        for name, value in asked.fields.items()
        if name not in _NOT_KEPT
    }
    return Case(
        id=admission.trace,
        request=body,
        expected=None if reply is None else _expected(reply),
        tags={"task": admission.task} if admission.task else {},
        cluster=admission.session,
        origin=admission.trace,
    )


def _expected(reply: Reply) -> object:
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
