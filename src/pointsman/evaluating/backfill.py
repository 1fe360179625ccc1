"""Judging traffic that was: what a judge did not look at yet, now, for a command."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from pointsman.analytics.material import Material, material_from
from pointsman.domain.errors import InvalidRequest
from pointsman.domain.evaluations import Answered, Subject
from pointsman.domain.judges import JudgeSpec
from pointsman.domain.money import PICOS_PER_USD
from pointsman.domain.ports import Answerer, Reports
from pointsman.domain.records import Admission, End, OutcomeRecord
from pointsman.domain.task import OnlineSettings
from pointsman.evals.judging.asking import conversation
from pointsman.evals.judging.consulting import Consulted, consult
from pointsman.evaluating.online import Waiting, in_sample, judged_outcome

_PLACES = 4


class Judged(msgspec.Struct, kw_only=True):
    """What came of it."""

    wanted: int
    judged: int = 0
    unjudged: int = 0
    gone: int = 0  # the words are not kept
    left: int = 0  # the money was spent
    cost_usd_picos: int = 0


def unjudged_traffic(
    reports: Reports, task: str, spec: JudgeSpec, *, sample: float, since_us: int, until_us: int
) -> list[Waiting]:
    """Delivered answers of the sample that this form of the judge did not look at, oldest first."""
    span: dict[str, Any] = {"task": task, "since_us": since_us, "until_us": until_us}
    seen = set()
    for row in reports.query("opinions", span):
        said = msgspec.json.decode(row["payload"], type=OutcomeRecord)
        if row["source"] == f"judge:{spec.name}" and said.maker == spec.digest:
            seen.add(row["trace"])
    settings = OnlineSettings(judge=spec.name, sample=sample)
    found = []
    for row in reversed(reports.query("decisions", span)):
        if row["trace"] in seen or not row["end"] or not in_sample(row["trace"], settings):
            continue
        end = msgspec.json.decode(row["end"], type=End)
        if end.status == "delivered":
            found.append(Waiting(msgspec.json.decode(row["admission"], type=Admission), end))
    return found


async def judge_traffic(
    spec: JudgeSpec,
    waiting: Sequence[Waiting],
    answerer: Answerer,
    *,
    reports: Reports,
    record: Callable[[OutcomeRecord], None],
    now_us: Callable[[], int],
    entropy: Callable[[int], bytes],
    most_usd: float | None = None,
    progress: Callable[[int, int], None] = lambda done, picos: None,
) -> Judged:
    """Judge them, four at a time, each written down as it comes.

    Args: most_usd ends it once that is spent; what runs then is finished.
    """
    counts = Judged(wanted=len(waiting))
    line = iter(waiting)
    done = 0

    async def place() -> None:
        nonlocal done
        for one in line:
            if most_usd is not None and counts.cost_usd_picos >= most_usd * PICOS_PER_USD:
                counts.left += 1
                continue
            try:
                material = await asyncio.to_thread(material_from, reports, one.admission, one.end)
            except InvalidRequest:
                counts.gone += 1
            else:
                found = await consult_material(spec, material, answerer)
                counts.cost_usd_picos += found.cost_usd_picos
                counts.judged += not found.verdict.unjudged
                counts.unjudged += found.verdict.unjudged
                record(judged_outcome(spec, one.admission, found, now_us=now_us(),
                                      entropy=entropy(10)))  # fmt: skip
            done += 1
            progress(done, counts.cost_usd_picos)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(_PLACES, len(waiting))):
            group.create_task(place())
    return counts


async def consult_material(spec: JudgeSpec, material: Material, answerer: Answerer) -> Consulted:
    """The judge's verdict on one request."""
    subject = Subject(kind="deployment", name=spec.model, asks=spec.model)
    session = f"judge:{spec.name}:{material.admission.trace}"

    async def ask(request: Mapping[str, Any]) -> Answered:
        return await answerer.ask(request, subject, session=session, timeout_s=spec.timeout_s)

    return await consult(spec, ask, asked=conversation(material.messages), answer=material.answer)
