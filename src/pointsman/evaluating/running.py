"""A run: every case of a suite asked as often as it says, scored, and kept as it comes.

What is decided (how many at once, whether one more may be paid for, what is asked next) lies in
`evals`; here it is done. A run that stops half-way, however it stops, goes on where it was.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from pointsman.domain.errors import UpstreamError
from pointsman.domain.ports import Answerer, Means
from pointsman.evals.case import Case, ScorerSpec
from pointsman.evals.keys import content_key
from pointsman.evals.pacing import Pace, Purse
from pointsman.evals.sample import Run, Sample
from pointsman.evals.scoring.scorer import Scorer
from pointsman.evals.scoring.table import compile_scorers
from pointsman.evaluating.earlier import Earlier
from pointsman.evaluating.scoring import with_scores
from pointsman.evaluating.talking import Asking, ask_sample
from pointsman.evaluating.writing import RunWriter

_FLUSH_S = 0.5  # samples are on the disk this long after they came, in the kernel at once
_FIRST = 16  # samples: where none of them has an answer, nobody is there to be measured
_NOBODY = frozenset(("refused", "engine_down", "connect_timeout", "circuit_open", "server_error"))


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is."""

    done: int
    planned: int
    missing: int
    cached: int
    spent_usd_picos: int  # in this process
    at_once: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a run is done; nothing of it changes what an answer is."""

    ceiling: int = 32  # requests at once, at most
    retries: int = 4
    spend_limit_usd_picos: int | None = None


AS_USUAL = Settings()


class Stopped(Exception):
    """The run is not complete; what it has is kept. `why` says what stopped it."""

    def __init__(self, why: Literal["spend limit"]) -> None:
        super().__init__(why)
        self.why = why


class Runner:
    """Asks what is left of one run."""

    def __init__(
        self,
        writer: RunWriter,
        cases: Sequence[Case],
        *,
        answerer: Answerer,
        means: Means,
        monotonic: Callable[[], float],
        now_us: Callable[[], int],
        settings: Settings,
        earlier: Earlier | None = None,
        had: Iterable[Sample] = (),
        progress: Callable[[Standing], None] = lambda standing: None,
    ) -> None:
        """Args: earlier gives answers that need not be asked again; had are the run's samples so
        far, which stand as they are."""
        self.run = writer.run
        self._writer = writer
        self._means = means
        self._earlier = earlier if self.run.epochs == 1 else None  # a repeat is asked
        self._progress = progress
        self._now_us = now_us
        self._scorers: list[tuple[ScorerSpec, Scorer]] = list(
            zip(self.run.scorers, compile_scorers(self.run.scorers), strict=True)
        )
        done = {(sample.case, sample.epoch): sample for sample in had}
        self._done = len(done)
        self._missing = sum(sample.status == "missing" for sample in done.values())
        self._answered = self._done - self._missing
        self._cached = 0
        self._pending: deque[tuple[int, Case, int]] = deque(
            (number, case, epoch)
            for epoch in range(self.run.epochs)
            for number, case in enumerate(cases)
            if (case.id, epoch) not in done
        )
        self._pace = Pace(ceiling=settings.ceiling)
        self._purse = Purse(settings.spend_limit_usd_picos)
        self._first = min(_FIRST, len(self._pending))
        self._asking = Asking(
            answerer=answerer,
            subject=self.run.subject,
            fields=dict(self.run.fields),
            timeout_s=self.run.timeout_s,
            retries=settings.retries,
            pace=self._pace,
            monotonic=monotonic,
            now_us=now_us,
        )
        self._held_back: list[Sample] = []  # until it is known that somebody answers at all
        self._workers: set[asyncio.Task[None]] = set()
        self._over: asyncio.Future[None] | None = None

    async def finish(self) -> Run:
        """Ask all that is left and seal the run.

        Raises: Stopped where a limit ends it; UpstreamError where nobody answers; what the
            answerer raises where the subject can never be asked. Whatever it raises, the samples
            so far are kept and the run can be resumed.
        """
        flushing = asyncio.create_task(self._flush())
        self._over = asyncio.get_running_loop().create_future()
        self._progress(self.standing)
        try:
            self._spawn()
            await self._over
        finally:
            flushing.cancel()
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(flushing, *self._workers, return_exceptions=True)
            self._writer.flush()
        if self._pending:
            raise Stopped("spend limit")
        self._writer.seal(status="complete", ended_us=self._now_us())
        return self.run

    @property
    def standing(self) -> Standing:
        """How far it is."""
        return Standing(
            done=self._done,
            planned=self.run.planned,
            missing=self._missing,
            cached=self._cached,
            spent_usd_picos=self._purse.spent,
            at_once=self._pace.limit,
        )

    def _spawn(self) -> None:
        """As many workers as may run; the end where none runs and none can."""
        assert self._over is not None, "the run has begun"
        while (
            not self._over.done()
            and self._pending
            and len(self._workers) < self._pace.limit
            and self._purse.begin()
        ):
            worker = asyncio.create_task(self._work(*self._pending.popleft()))
            self._workers.add(worker)
            worker.add_done_callback(self._left)
        if not self._workers and not self._over.done():
            self._over.set_result(None)

    def _left(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        assert self._over is not None, "the run has begun"
        # asked for in any case: several may meet the trouble that ends the run
        trouble = None if worker.cancelled() else worker.exception()
        if self._over.done() or worker.cancelled():
            return
        if trouble is not None:
            self._over.set_exception(trouble)
        else:
            self._spawn()

    async def _work(self, number: int, case: Case, epoch: int) -> None:
        """One sample after another, as long as no fewer should run."""
        while True:
            sample = await self._sample(number, case, epoch)
            self._purse.end(sample.total_cost_usd_picos, paid=not sample.cached)
            self._keep(sample)
            if (
                not self._pending
                or len(self._workers) > self._pace.limit
                or not self._purse.begin()
            ):
                return
            number, case, epoch = self._pending.popleft()
            self._spawn()

    async def _sample(self, number: int, case: Case, epoch: int) -> Sample:
        run = self.run
        seed = None if run.seed is None else run.seed + epoch
        key = content_key(case, run.subject, fields=run.fields, seed=seed, epoch=epoch)
        sample = self._from_earlier(case, key)
        if sample is None:
            sample, _ = await ask_sample(
                case,
                self._asking,
                epoch=epoch,
                seed=seed,
                session=f"{run.id}.{number}.{epoch}",
                key=key,
            )
        return await with_scores(case, sample, self._scorers, self._means)

    def _from_earlier(self, case: Case, key: str) -> Sample | None:
        found = self._earlier.find(key) if self._earlier is not None else None
        if found is None:
            return None
        return msgspec.structs.replace(
            found, case=case.id, cluster=case.group, tags=case.tags, cached=True, scores=()
        )

    def _keep(self, sample: Sample) -> None:
        """In the kernel, or held back while nobody has answered yet. Raises: UpstreamError."""
        self._done += 1
        self._missing += sample.status == "missing"
        self._cached += sample.cached
        self._answered += sample.status == "answered"
        self._held_back.append(sample)
        if self._answered or not _nobody(self._held_back):
            self._writer.append(self._held_back)
            self._held_back = []
        elif len(self._held_back) >= self._first:
            raise UpstreamError(
                f"nobody answers: none of the first {len(self._held_back)} samples has an answer",
                why=sample.reason,
                next="`pointsman check` asks the deployments; then resume the run",
            )
        self._progress(self.standing)

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            await asyncio.to_thread(self._writer.flush)


def _nobody(samples: Sequence[Sample]) -> bool:
    """Whether all of them are missing because nobody was there."""
    return all(
        sample.status == "missing" and sample.failure is not None and sample.failure.kind in _NOBODY
        for sample in samples
    )
