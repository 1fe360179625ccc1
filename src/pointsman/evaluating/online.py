"""Judges on sampled traffic, after the answers were given: off the hot path, within a budget.

A request is in the sample by a number made of its name: the sample is even, whoever answers. What
waits is bounded and lies in memory; what a restart lost of the last hour is found again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from pointsman.analytics.material import Material, material_from
from pointsman.domain.errors import InvalidRequest, PointsmanError
from pointsman.domain.evaluations import Answered
from pointsman.domain.ids import outcome_id
from pointsman.domain.judges import JudgeSpec
from pointsman.domain.money import PICOS_PER_USD
from pointsman.domain.ports import Reports
from pointsman.domain.records import Admission, End, OutcomeRecord
from pointsman.domain.task import Configuration, OnlineSettings
from pointsman.evals.judging.asking import conversation
from pointsman.evals.judging.consulting import Consulted, consult
from pointsman.evals.sampling import own_number

log = logging.getLogger("pointsman.judges")
_MOST_WAITING = 1000
_PLACES = 4  # answers judged at once
_PATIENCE_S = 60.0  # that one waits for clients to leave room
_LOOK_S = 0.2
_AGAIN_S = (5.0, 30.0)  # pauses before a judge that did not answer is asked again
_BACK_US = 3_600_000_000  # how far a restart looks back
_DAY_US = 86_400_000_000
_MOST_WHY = 200  # characters


class AskJudge(Protocol):
    """One request of a judge, on behalf of a tenant; nothing of its text is kept."""

    def __call__(
        self, request: Mapping[str, Any], *, session: str, tenant: str, timeout_s: float
    ) -> Awaitable[Answered]: ...


class Waiting(NamedTuple):
    """A delivered answer that is to be judged."""

    admission: Admission
    end: End


class Counts(msgspec.Struct, kw_only=True):
    """What became of the sample, of this process, since it began."""

    waiting: int = 0
    judged: int = 0
    unjudged: int = 0
    dropped: int = 0  # too many waited
    over_budget: int = 0
    gone: int = 0  # the words were not kept


class OnlineJudges:
    """For one event loop.

    Args: reports reads bodies; record writes an outcome down; free says whether clients leave
        room; workers is among how many processes a budget is shared.
    """

    def __init__(
        self,
        config: Callable[[], Configuration],
        ask: AskJudge,
        *,
        reports: Callable[[], Awaitable[Reports]],
        record: Callable[[OutcomeRecord], None],
        free: Callable[[], bool],
        now_us: Callable[[], int],
        entropy: Callable[[int], bytes],
        own: str,
        workers: int = 1,
        looks_back: bool = True,
    ) -> None:
        """`own` is the principal of judges' requests, which are never judged themselves."""
        self._config, self._ask, self._opened, self._record = config, ask, reports, record
        self._free, self._now_us, self._entropy = free, now_us, entropy
        self._own, self._workers, self._looks_back = own, workers, looks_back
        self._queue: deque[Waiting] = deque()
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._spent: dict[tuple[str, int], int] = {}  # picos by task and day
        self._reports: Reports | None = None
        self._opening = asyncio.Lock()
        self._warned: set[tuple[str, int]] = set()
        self.counts = Counts()

    def ended(self, admission: Admission, end: End) -> None:
        """A request ended: it waits to be judged where it is in the sample. On the hot path."""
        online = self._online(admission.task)
        if online is None or end.status != "delivered" or admission.principal == self._own:
            return
        if not in_sample(admission.trace, online):
            return
        if len(self._queue) >= _MOST_WAITING:
            self.counts.dropped += 1
            return
        self._queue.append(Waiting(admission, end))
        self.counts.waiting = len(self._queue)
        self._more.set()
        if not self._tasks:
            self._begin()

    def _online(self, task: str | None) -> OnlineSettings | None:
        found = self._config().tasks.get(task) if task is not None else None
        return found.online if found is not None else None

    def start(self) -> None:
        """Find again what a restart lost, where a task is judged."""
        if self._looks_back and any(t.online is not None for t in self._config().tasks.values()):
            self._begin()

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run(place)) for place in range(_PLACES)]

    async def stop(self) -> None:
        """Stop at once; what waits is found again by the next start."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, place: int) -> None:
        try:
            reports = await self._ready(place == 0)
        except (PointsmanError, OSError) as error:
            log.warning("answers are not judged: %s", getattr(error, "sentence", error))
            return
        while True:
            while not self._queue:
                self._more.clear()
                await self._more.wait()
            one = self._queue.popleft()
            self.counts.waiting = len(self._queue)
            try:
                await self._one(one, reports)
            except (PointsmanError, OSError) as error:
                log.warning("%s is not judged: %s", one.admission.trace,
                            getattr(error, "sentence", error))  # fmt: skip
            except Exception:
                log.exception("%s is not judged", one.admission.trace)

    async def _ready(self, first: bool) -> Reports:
        async with self._opening:
            if self._reports is None:
                reports = await self._opened()
                if first and self._looks_back:
                    self._enqueue(await asyncio.to_thread(self._look_back, reports))
                self._reports = reports
            return self._reports

    def _look_back(self, reports: Reports) -> list[Waiting]:
        """What of the last hour is in the sample and was not judged; what today cost."""
        now_us = self._now_us()
        day_us = now_us - now_us % _DAY_US
        found: list[Waiting] = []
        for name, task in self._config().tasks.items():
            if task.online is None:
                continue
            source, since_us = f"judge:{task.online.judge}", min(day_us, now_us - _BACK_US)
            seen = set()
            for row in reports.query("opinions", {"task": name, "since_us": since_us}):
                if row["source"] != source:
                    continue
                seen.add(row["trace"])
                said = msgspec.json.decode(row["payload"], type=OutcomeRecord)
                if said.at_us >= day_us:
                    self._pay(name, said.cost_usd_picos, said.at_us)
            rows = reports.query(
                "decisions",
                {"task": name, "since_us": now_us - _BACK_US, "limit": _MOST_WAITING * 20},
            )
            for row in reversed(rows):
                if (
                    row["trace"] in seen
                    or not row["end"]
                    or not in_sample(row["trace"], task.online)
                ):
                    continue
                admission = msgspec.json.decode(row["admission"], type=Admission)
                end = msgspec.json.decode(row["end"], type=End)
                if end.status == "delivered" and admission.principal != self._own:
                    found.append(Waiting(admission, end))
        return found[-_MOST_WAITING:]

    def _enqueue(self, found: list[Waiting]) -> None:
        known = {one.admission.trace for one in self._queue}
        fresh = [one for one in found if one.admission.trace not in known]
        room = max(0, _MOST_WAITING - len(self._queue))
        self._queue.extend(fresh[:room])
        self.counts.dropped += len(fresh[room:])
        self.counts.waiting = len(self._queue)
        if fresh:
            self._more.set()

    async def _one(self, one: Waiting, reports: Reports) -> None:
        admission = one.admission
        online = self._online(admission.task)
        spec = self._config().judges.get(online.judge) if online is not None else None
        if online is None or spec is None or admission.task is None:  # changed meanwhile
            return
        await self._room()
        if self._is_spent(admission.task, online):
            return
        try:
            material = await asyncio.to_thread(material_from, reports, admission, one.end)
        except InvalidRequest:
            self.counts.gone += 1
            return
        found = await self._consulted(spec, material)
        self._pay(admission.task, found.cost_usd_picos, self._now_us())
        self._record(self._outcome(spec, material, found))
        if found.verdict.unjudged:
            self.counts.unjudged += 1
        else:
            self.counts.judged += 1

    async def _room(self) -> None:
        waited = 0.0
        while not self._free() and waited < _PATIENCE_S:
            await asyncio.sleep(_LOOK_S)
            waited += _LOOK_S

    async def _consulted(self, spec: JudgeSpec, material: Material) -> Consulted:
        """A judge that did not answer at all is asked again, a little later."""
        found = await self._consult(spec, material)
        for pause_s in _AGAIN_S:
            if found.verdict.judged or not found.verdict.why.startswith("the judge did not answer"):
                break
            await asyncio.sleep(pause_s)
            again = await self._consult(spec, material)
            found = msgspec.structs.replace(
                again, cost_usd_picos=again.cost_usd_picos + found.cost_usd_picos,
                traces=(*found.traces, *again.traces),
            )  # fmt: skip
        return found

    async def _consult(self, spec: JudgeSpec, material: Material) -> Consulted:
        admission = material.admission

        async def ask(request: Mapping[str, Any]) -> Answered:
            return await self._ask(
                request,
                session=f"judge:{spec.name}:{admission.trace}",
                tenant=admission.tenant,
                timeout_s=spec.timeout_s,
            )

        return await consult(
            spec, ask, asked=conversation(material.messages), answer=material.answer
        )

    def _outcome(self, spec: JudgeSpec, material: Material, found: Consulted) -> OutcomeRecord:
        return judged_outcome(
            spec, material.admission, found, now_us=self._now_us(), entropy=self._entropy(10)
        )

    def _pay(self, task: str, picos: int, at_us: int) -> None:
        day = at_us // _DAY_US
        if len(self._spent) > 10_000:
            self._spent.clear()
        self._spent[task, day] = self._spent.get((task, day), 0) + picos

    def _is_spent(self, task: str, online: OnlineSettings) -> bool:
        if online.usd_per_day is None:
            return False
        day = self._now_us() // _DAY_US
        most = online.usd_per_day * PICOS_PER_USD / self._workers
        if self._spent.get((task, day), 0) < most:
            return False
        self.counts.over_budget += 1
        if (task, day) not in self._warned:
            self._warned = {(task, day), *(each for each in self._warned if each[1] == day)}
            log.warning(
                "task %s: judging has cost its %g USD of today; a smaller sample would reach "
                "the evening",
                task, online.usd_per_day,
            )  # fmt: skip
        return True


def in_sample(trace: str, online: OnlineSettings) -> bool:
    """Whether a request is looked at: always the same for the same name and judge."""
    return own_number(trace, f"online:{online.judge}") < online.sample


def judged_outcome(
    spec: JudgeSpec, admission: Admission, found: Consulted, *, now_us: int, entropy: bytes
) -> OutcomeRecord:
    """The fact that a judge looked: its value in [0, 1], or why it did not judge.

    A judge as it is judges a request once: the key says so.
    """
    verdict = found.verdict
    return OutcomeRecord(
        id=outcome_id(now_us // 1000, entropy),
        at_us=now_us,
        trace=admission.trace,
        outcome="unjudged" if verdict.unjudged else "judged",
        value=verdict.why[:_MOST_WHY] if verdict.unjudged else verdict.value,
        source=f"judge:{spec.name}",
        tenant=admission.tenant,
        key=f"judge:{spec.name}:{spec.digest}:{admission.trace}",
        cost_usd_picos=found.cost_usd_picos,
        took_ms=round(found.latency_ms),
        asked=found.traces[:50],
        maker=spec.digest,
    )
