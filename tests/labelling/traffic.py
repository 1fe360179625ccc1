"""A journal of requests with bodies, judged as a test wishes, and the desk beside it."""

import json
import os
from pathlib import Path
from typing import Any

from pointsman.domain.plan import Decision, Plan, Step
from pointsman.domain.records import Admission, BodyRef, End, OutcomeRecord
from pointsman.domain.task import Task
from pointsman.journal import JournalReader, JournalWriter
from pointsman.labelling.desk import LabelDesk

PLAN = Plan(steps=(Step(deployment="small"),))


class NoKeys:
    """Nothing lies under a key."""

    def key(self, tenant, subject):
        raise AssertionError("nobody's key is made")

    def find(self, ids):
        return {}

    def destroy(self, tenant, subject):
        return ()


def put(writer: JournalWriter, number: int, *, judged: float | None = None, **given: Any) -> str:
    """One delivered request `question N`, answered `answer N`."""
    trace = f"tr_{number:026d}"
    keeps = given.get("capture", "bodies") == "bodies"
    request = json.dumps(
        given.pop("body", {"messages": [{"role": "user", "content": f"question {number}"}]})
        | {"model": "task:support"}
    ).encode()
    answer = json.dumps(
        {"choices": [{"index": 0, "finish_reason": "stop", "message":
                      {"role": "assistant", "content": given.pop("answer", f"answer {number}")}}]}
    ).encode()  # fmt: skip
    until_us = given.pop("until_us", None)

    def body(data: bytes) -> BodyRef:
        return writer.put_body(data, until_us=until_us) if keeps else writer.digest_body(data)

    at_us = given.pop("at_us", 1000 + number)
    status, tenant = given.pop("status", "delivered"), given.pop("tenant", "default")
    writer.append(
        Admission(
            trace=trace, at_us=at_us, tenant=tenant,
            principal="key:web", surface="chat", asked="task:support",
            task=given.pop("task", "support"), request=body(request),
            decision=Decision(plan=PLAN, route="main", reason="only"), **given,
        )
    )  # fmt: skip
    writer.append(
        End(trace=trace, at_us=at_us + 1000, status=status, http_status=200,
            response=body(answer))
    )  # fmt: skip
    if judged is not None:
        writer.append(an_opinion(trace, judged, tenant=tenant))
    return trace


def an_opinion(trace: str, value: float, *, judge: str = "j", **given: Any) -> OutcomeRecord:
    return OutcomeRecord(id=f"oc_{trace[3:]}", at_us=3000, trace=trace, outcome="judged",
                         value=value, source=f"judge:{judge}", **given)  # fmt: skip


def desk(root: Path, journal: JournalWriter | None = None, **given: Any) -> LabelDesk:
    tasks = given.pop("tasks", {"support": Task(name="support", route="main")})
    return LabelDesk(
        JournalReader(root), journal, NoKeys(), tasks, now_us=lambda: 10_000, entropy=os.urandom
    )
