"""Suites run for commands and programs: wires the application, the store and the runner."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from pointsman import __version__
from pointsman.app import Application, SystemClock
from pointsman.backends.http_pool import HttpPool
from pointsman.domain.errors import UsageError
from pointsman.domain.evaluations import Subject
from pointsman.domain.ids import run_id
from pointsman.domain.ports import Answerer
from pointsman.domain.records import Capture
from pointsman.domain.task import Configuration
from pointsman.evals.case import Suite, digest_of
from pointsman.evals.sample import Run, Sample
from pointsman.evaluating.earlier import Earlier
from pointsman.evaluating.from_journal import CasesOfJournal
from pointsman.evaluating.means import OwnMeans
from pointsman.evaluating.over_http import GatewayAnswerer
from pointsman.evaluating.running import AS_USUAL, Runner, Settings, Standing
from pointsman.evaluating.store import RunStore
from pointsman.evaluating.subjects import subject_of, with_prompt
from pointsman.evaluating.suite_files import load_suite
from pointsman.evaluating.writing import RunWriter
from pointsman.governing.guards import registry_of
from pointsman.journal import JournalReader

FOLDER = "evals"  # beside the journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A running gateway that is asked instead of this process."""

    url: str
    api_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A run as it is asked for."""

    subject: str | None = None  # None: the suite's own
    prompt: str | None = None
    epochs: int | None = None
    note: str = ""
    fresh: bool = False  # nothing from earlier runs
    settings: Settings = AS_USUAL


class Evaluator:
    """Runs suites on what a configuration holds, or on a running gateway; reads what came of it."""

    def __init__(
        self,
        config: Configuration | None,
        *,
        root: Path | None = None,
        gateway: Gateway | None = None,
        tenant: str = "default",
    ) -> None:
        """Args: root is the folder of runs; None: `evals` beside the journal.

        Raises: UsageError where neither says where that is.
        """
        if root is None and config is None:
            raise UsageError("there is no folder of runs", next="name one with --runs, or a -c")
        self.config = config
        self.root = root or Path(config.journal_path if config else ".") / FOLDER
        self.store = RunStore(self.root)
        self._gateway = gateway
        self._tenant = tenant
        self._clock = SystemClock()

    def load(self, path: Path) -> Suite:
        """The suite of a file, with cases of the journal where it asks for some.

        Raises: ConfigurationError with file and line.
        """
        if self.config is None:
            return load_suite(path)
        reports = JournalReader(self.config.journal_path)
        with contextlib.closing(reports):
            journal = CasesOfJournal(reports, self.config, now_us=self._clock.now_us)
            return load_suite(path, journal=journal, judges=self.config.judges)

    def subject(self, name: str) -> Subject:
        """What a name stands for. Raises: NotFound, UsageError."""
        if self._gateway is not None:
            url = self._gateway.url.rstrip("/")
            return Subject(kind="task" if name.startswith("task:") else "deployment", name=name,
                           asks=name, digest=digest_of([url, name]), gateway=url)  # fmt: skip
        if self.config is None:
            raise UsageError("there is nothing to ask", next="name a configuration or a --gateway")
        return subject_of(self.config, name)

    def begin(self, suite: Suite, wanted: Wanted) -> Run:
        """A new run on the disk, nothing asked yet. Raises: NotFound, UsageError."""
        name = wanted.subject or suite.subject
        if not name:
            raise UsageError(
                f"the suite {suite.name} says nothing of what to ask",
                next="name it with --subject task:NAME, or write `subject:` into the file",
            )
        subject = self.subject(name)
        if wanted.prompt is not None:
            subject = self._prompted(subject, wanted.prompt)
        now_us = self._clock.now_us()
        epochs = wanted.epochs or suite.epochs
        run = Run(
            id=run_id(now_us // 1000, self._clock.entropy(10)),
            suite=suite.name,
            suite_digest=suite.digest,
            subject=subject,
            version=__version__,
            scorers=suite.scorers,
            scorer_digests={scorer.name: scorer.digest for scorer in suite.scorers},
            required=suite.required,
            primary=suite.primary,
            gate=suite.gate,
            epochs=epochs,
            cases=len(suite.cases),
            planned=len(suite.cases) * epochs,
            started_us=now_us,
            fields=suite.fields,
            seed=suite.seed,
            timeout_s=suite.timeout_s,
            note=wanted.note,
        )
        self.store.begin(run, suite.cases).close()
        return run

    async def finish(
        self,
        reference: str,
        *,
        settings: Settings = AS_USUAL,
        fresh: bool = False,
        progress: Callable[[Standing], None] = lambda standing: None,
    ) -> Run:
        """Ask what is left of a run and seal it; `fresh`: nothing comes from earlier runs.

        Raises: Stopped at a limit; UsageError where the subject changed since it began;
            UpstreamError where nobody answers. What was answered is kept in every case.
        """
        writer, had = self.store.resume(reference)
        try:
            config = self._config_of(writer.run)
            async with self._answerer(config) as answerer:
                await self._runner(writer, had, answerer, settings, fresh, progress).finish()
        finally:
            writer.close()
        return self.store.read(writer.run.id)

    async def run(
        self,
        suite: Suite,
        wanted: Wanted,
        *,
        progress: Callable[[Standing], None] = lambda standing: None,
    ) -> Run:
        """Begin and finish. Raises: as both."""
        run = self.begin(suite, wanted)
        return await self.finish(
            run.id, settings=wanted.settings, fresh=wanted.fresh, progress=progress
        )

    def _runner(
        self,
        writer: RunWriter,
        had: list[Sample],
        answerer: Answerer,
        settings: Settings,
        fresh: bool,
        progress: Callable[[Standing], None],
    ) -> Runner:
        run, config = writer.run, self.config
        day = datetime.fromtimestamp(self._clock.now_us() / 1e6, UTC).date().isoformat()
        means = OwnMeans(
            answerer,
            policies=config.policies if config is not None else (),
            registry=registry_of(config.guards) if config is not None and config.policies else None,
            day=day,
        )
        earlier = None if fresh or run.epochs > 1 else Earlier(
            self.store, run.subject, but=run.id)  # fmt: skip
        return Runner(
            writer,
            list(self.store.cases(run.id)),
            answerer=answerer,
            means=means,
            monotonic=time.monotonic,
            now_us=self._clock.now_us,
            settings=settings,
            earlier=earlier,
            had=had,
            progress=progress,
        )

    def _prompted(self, subject: Subject, prompt: str) -> Subject:
        if self.config is None or self._gateway is not None:
            raise UsageError(
                "a prompt version is chosen in this process alone",
                next="leave --gateway out, or give the gateway's task that prompt",
            )
        changed = with_prompt(self.config, subject, prompt)
        found = subject_of(changed, subject.asks)
        return msgspec.structs.replace(
            found, kind="prompt", name=f"{subject.name} with {prompt}", config=changed.digest
        )

    def _config_of(self, run: Run) -> Configuration | None:
        """What the run is asked of. Raises: UsageError where that is not what it was."""
        if self._gateway is not None or self.config is None:
            if run.subject.gateway is None or self._gateway is None:
                raise UsageError(f"{run.id} was asked of another", next="name what it was asked of")
            return None
        if run.subject.gateway is not None:
            raise UsageError(
                f"{run.id} was asked of {run.subject.gateway}", next="name it with --gateway"
            )
        config = self.config
        if run.subject.kind == "prompt":
            prompt = run.subject.name.rpartition(" with ")[2]
            config = with_prompt(config, subject_of(config, run.subject.asks), prompt)
        if subject_of(config, run.subject.asks).digest != run.subject.digest:
            raise UsageError(
                f"{run.subject.name} is not what it was when {run.id} began",
                why="half of the answers would be another's",
                next="start a new run; what did not change comes from earlier ones",
            )
        return config

    @asynccontextmanager
    async def asking(self, *, capture: Capture | None = None) -> AsyncIterator[Answerer]:
        """What asks a deployment, a route or a task by its name, while this is open.

        Args: capture is the most that is kept of what is asked; None: as its task says.
        """
        async with self._answerer(self.config, capture) as answerer:
            yield answerer

    @asynccontextmanager
    async def _answerer(
        self, config: Configuration | None, capture: Capture | None = None
    ) -> AsyncIterator[Answerer]:
        if config is None:
            assert self._gateway is not None, "there is something to ask"
            pool = HttpPool()
            try:
                yield GatewayAnswerer(self._gateway.url, api_key=self._gateway.api_key, pool=pool)
            finally:
                await pool.close()
            return
        application = await asyncio.to_thread(self._application, config)
        await application.start()
        try:
            yield application.answerer(tenant=self._tenant, capture=capture)
        finally:
            await application.stop()

    def _application(self, config: Configuration) -> Application:
        """The gateway without its door. Its records lie beside the runs: what is only measured is
        no part of what a product did. What learned routes know they know from the product's."""
        apart: dict[str, Any] = {
            "journal": msgspec.structs.replace(config.journal, path=str(self.root.absolute())),
            "batches": msgspec.structs.replace(config.batches, enabled=False),
        }
        own = msgspec.structs.replace(config, **apart)
        return Application(own, learned_from=config.journal_path)
