"""A running gateway without its door: the one file that knows every room and wires it."""

import asyncio
import importlib.util
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from pointsman.admitting.admitting import Admitting
from pointsman.admitting.keyring import Keyring
from pointsman.admitting.opening import open_admitting
from pointsman.analytics.explaining import known_kinds
from pointsman.answering.access import Accesses
from pointsman.answering.asking import PRINCIPAL, OwnAnswerer
from pointsman.answering.feedback import Feedback, Recent
from pointsman.answering.identities import Identities
from pointsman.answering.learning import Learner
from pointsman.answering.probing import Prober
from pointsman.answering.remembering import Remembering
from pointsman.answering.routers import FittedRouter, keep_revoked, load_routers
from pointsman.answering.shell import Answering
from pointsman.answering.subjects import Subjects
from pointsman.answering.targets import Targets
from pointsman.app.building import (
    checked_contexts,
    governor_of,
    mend_journal,
    record_configuration,
    ways,
)
from pointsman.app.clock import SystemClock
from pointsman.app.sharing import RunningEngines, RunningKeeper, Shared
from pointsman.backends.address import Address
from pointsman.backends.alive import is_alive
from pointsman.backends.embedded_engine import EmbeddedEngine
from pointsman.backends.embedded_engines import Engines
from pointsman.backends.embedded_making import embedded_engine
from pointsman.backends.fetching import Fetcher
from pointsman.backends.http_pool import HttpPool
from pointsman.backends.http_tls import TlsContexts
from pointsman.backends.identifying import identify
from pointsman.backends.openai_http import OpenAIBackend
from pointsman.batches.service import BatchService
from pointsman.domain.errors import (
    ExtraMissing,
    JournalUnavailable,
    PointsmanError,
    StateUnavailable,
    UsageError,
)
from pointsman.domain.evaluations import Answered, Subject
from pointsman.domain.identity import Found
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import Admission, Capture, End, OutcomeRecord
from pointsman.domain.task import Configuration
from pointsman.domain.tracing import Parent
from pointsman.evaluating.online import OnlineJudges
from pointsman.governing.governor import Governor
from pointsman.governing.recording import obliged
from pointsman.journal import (
    JournalReader,
    open_cipher,
    open_journal,
    open_master_key,
)
from pointsman.keeping.child import KeeperProcess
from pointsman.reviewing.desk import Desk
from pointsman.reviewing.service import ReviewService
from pointsman.routing.arms import Arms
from pointsman.routing.certificate import Certificate
from pointsman.telemetry import Metrics
from pointsman.telemetry.destination import destination_of
from pointsman.telemetry.exporting import Exporter, check_installed
from pointsman.telemetry.logs import log_request
from pointsman.telemetry.outcomes import named_outcomes

if TYPE_CHECKING:
    from pointsman.state import State

log = logging.getLogger("pointsman")
requests_log = logging.getLogger("pointsman.requests")  # one line a request, from `info` on
_REMEMBER_S = 20.0  # between two looks at what other workers learned
_MOST_ASKERS = 1000  # tenants on whose behalf judges ask
_RETIRE_S = 30.0  # what runs on an engine that a change dropped has so long to end


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A configuration with everything built that it needs, before it is in force."""

    config: Configuration
    targets: Targets
    contexts: TlsContexts
    routers: dict[str, FittedRouter]
    governor: Governor | None


class Application:
    """A running gateway without its door: engines, pool, journal, answering, feedback."""

    def __init__(
        self,
        config: Configuration,
        *,
        env: Mapping[str, str] | None = None,
        shared: Shared | None = None,
        learned_from: str | None = None,
    ) -> None:
        """Wire the parts. `env` is the process's own where it is not given; `shared` is what this
        process has together with other workers, and without it everything is its own;
        `learned_from` is a journal that learned routes know, where it is not the own one.

        Raises: ConfigurationError for a certificate or proxy that cannot be used;
            JournalUnavailable when the journal cannot be written.
        """
        self.env = os.environ if env is None else env
        self._ways = ways(config, self.env)
        self._pool = HttpPool(contexts=checked_contexts(config, self._ways))
        self._media = Fetcher()
        self.clock = SystemClock()
        self.started_s = self.clock.now_us() // 1_000_000
        self.metrics = Metrics()
        self._exporter: Exporter | None = None  # from `start`, where telemetry is sent
        self.reload_error: str | None = None  # why the latest change did not come into force
        self.reports = JournalReader(learned_from or config.journal_path)
        self._recent = Recent()
        self._recalling = asyncio.Semaphore(1)
        self.shared = shared
        self.workers = shared.workers if shared is not None else 1
        self._engines: RunningEngines = shared.engines if shared else Engines(self._engine)
        self._retiring: set[asyncio.Task[None]] = set()
        self.journal = open_journal(config.journal, path=config.journal_path)
        self.state: State | None = None  # opened by `start`
        self._stateless = "it is not opened yet"
        self._admitting: Admitting | None = None  # from when something is bounded
        self.keyring: Keyring | None = None  # from when virtual keys open the door
        self._subjects: Subjects | None = None
        self._opening_state = asyncio.Lock()
        self.reviews = ReviewService(self._review_desk)
        self._held_reports: JournalReader | None = None  # reads bodies, where an answer was held
        self.in_flight: Callable[[], int] = lambda: 0  # requests of clients; told by the server
        self.keeper: RunningKeeper = shared.keeper if shared else KeeperProcess()
        self.changed: list[Callable[[Configuration], None]] = []  # told of each one in force
        self.arms = Arms()
        self.accesses = Accesses(
            (), workers=self.workers, changed=self._breaker_changed, waits=self.metrics.waits
        )
        self._backend = OpenAIBackend(self._pool, self._address, self.clock.monotonic)
        self._prober = Prober(lambda: self.accesses, self._is_alive, self.clock.monotonic)
        self.identities = Identities(
            self.journal, ask=self._identify, own=self._own_engine,
            now_us=self.clock.now_us, monotonic=self.clock.monotonic,
        )  # fmt: skip
        self.learner = Learner(revoked=self._revoked)
        self._memory = Remembering(self.learner, self.reports)
        self._remembering: asyncio.Task[None] | None = None
        self.feedback = Feedback(
            self.journal, self.reports, self._recent, self.clock, recorded=self._outcome
        )
        self._routers = load_routers(config)
        targets = Targets(config, served=self.identities.of)
        self._install(config, targets, governor_of(config))
        self.batches = BatchService(self, runs=shared is None or shared.index == 0)
        self.judges = OnlineJudges(
            lambda: self.config,
            self._ask_judge,
            reports=self._judge_reports,
            record=self._judged,
            free=lambda: self.in_flight() < self.config.batches.while_in_flight,
            now_us=self.clock.now_us,
            entropy=self.clock.entropy,
            own=PRINCIPAL,
            workers=self.workers,
            looks_back=shared is None or shared.index == 0,
        )
        self._judge_askers: dict[str, OwnAnswerer] = {}  # by tenant
        self._judge_reader: JournalReader | None = None

    def _install(self, config: Configuration, targets: Targets, governor: Governor | None) -> None:
        """From now on new requests go by this configuration; those that run keep theirs."""
        self.config = config
        self.governor = governor
        self.targets = targets
        self.learner.change(config, self._routers)
        self.identities.change(config.deployments.values())
        self._pool.dns_refresh_s = config.server.dns_refresh_s
        self.feedback.kinds = known_kinds(config.acceptance_rules)
        self.metrics.know(config.deployments, named_outcomes(config.tasks.values()))
        self.accesses = self.accesses.after(config.deployments.values(), self.clock.monotonic())
        self.answering = Answering(
            config=config.digest,
            deployments=config.deployments,
            backend=self._backend,
            journal=self.journal,
            arms=self.arms,
            accesses=self.accesses,
            clock=self.clock,
            ended=self._ended,
            request_timeout_s=config.server.request_timeout_s,
            keepalive_comment_s=config.server.keepalive_comment_s,
            wait_for_disk=config.journal.durability == "power",
            subjects=self._subjects,
            admittance=self._admitting,
            learner=self.learner if self.learner.learns else None,
            spans=self._exporter.share if self._exporter is not None else None,
            media=self._media,
            media_settings=config.media,
            governor=governor,
            holds=self.reviews if config.review.enabled else None,
            held_stream_s=config.review.stream_wait_s,
        )

    async def change(self, config: Configuration) -> None:
        """Bring another configuration into force: build, swap, and let go of what it drops.

        Raises: PointsmanError where it cannot serve; then the old one goes on as if nothing was.
        """
        prepared = await self.prepare(config)
        record_configuration(self.journal, config, self.clock.now_us())
        begins = not self.learner.learns
        self.commit(prepared)
        if begins:
            await self._remember()
        await self.keeper.change(config)
        task = asyncio.create_task(self._retire(config))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def prepare(self, config: Configuration) -> Prepared:
        """Build what a configuration needs; nothing that serves changes.

        Raises: PointsmanError where it cannot serve.
        """
        if destination_of(config.telemetry, self.env) is not None:
            check_installed()
        await self._open_limits(config)
        targets = await asyncio.to_thread(Targets, config, served=self.identities.of)
        governor = await asyncio.to_thread(governor_of, config)
        contexts = await asyncio.to_thread(checked_contexts, config, self._ways)
        routers = await asyncio.to_thread(load_routers, config)
        await self._engines.prepare(config.deployments.values())
        return Prepared(
            config=config,
            targets=targets,
            contexts=contexts,
            routers=routers,
            governor=governor,
        )

    def commit(self, prepared: Prepared) -> None:
        """From now on new requests go by what was prepared."""
        self._export(prepared.config)
        self._pool.contexts = prepared.contexts
        self._routers = prepared.routers
        if self._admitting is not None:
            self._admitting.change(prepared.config.budgets)
        if self.keyring is not None:
            self.keyring.fresh_s = prepared.config.virtual_keys.fresh_s
        self._install(prepared.config, prepared.targets, prepared.governor)
        for tell in self.changed:
            tell(prepared.config)

    def find(self, reference: str, tenant: str | None) -> tuple[str, str] | None:
        """Trace and tenant of a trace this process remembers. Raises: InvalidRequest."""
        return self._recent.find(reference, tenant)

    async def recall(self, reference: str, tenant: str) -> None:
        """Remember a trace that another worker answered or the journal holds, if one does.

        Raises: WorkerFailed, Overloaded where it could not be looked up.
        """
        if self.shared is not None:
            for known in await self.shared.recall(reference, tenant):
                self._recent.remember(known.trace, known.tenant, response_id=known.reference)
                self.feedback.learn(known.facts)
            return
        async with self._recalling:  # one query at a time, off the loop
            await asyncio.to_thread(self.feedback.recall, [reference])

    async def scrape(self) -> bytes:
        """Everything counted, in Prometheus' text format; over all workers where there are more."""
        if self.shared is not None:
            return await self.shared.scrape()
        return await asyncio.to_thread(self.metrics.text)

    async def reload_certificates(self, config: Configuration | None = None) -> None:
        """Read anew what upstreams are trusted by and shown, for connections to come.

        Raises: ConfigurationError, and everything stays as it was.
        """
        config = config or self.config
        self._pool.contexts = await asyncio.to_thread(checked_contexts, config, self._ways)

    async def _retire(self, config: Configuration) -> None:
        """Stop the engines that nobody asks any more, once what runs on them has had its time."""
        await asyncio.sleep(_RETIRE_S)
        if config is self.config:
            await self._engines.keep_only(config.deployments.values())

    async def start(self) -> None:
        """Start the embedded engines and write down which configuration is in force.

        Without its state a gateway serves as well, and says so: bodies then lie under no key.
        Raises: ExtraMissing, ConfigurationError where an engine can never start; an engine that
            merely fails is reported by `readiness` and its deployment falls over;
            StateUnavailable where bodies are to be encrypted and there are no keys for it.
        """
        try:
            if self.shared is None or self.shared.index == 0:
                await asyncio.to_thread(mend_journal, self.config.journal_path)
            await self._open_state()
            await self._open_limits(self.config)
            self._export(self.config)
            self._install(self.config, self.targets, self.governor)
            await self._engines.prepare(self.config.deployments.values())
        except BaseException:
            await self.stop()
            raise
        record_configuration(self.journal, self.config, self.clock.now_us())
        await self._remember()
        self._remembering = asyncio.create_task(self._remember_others())
        self.batches.start()
        self._prober.start()
        self.identities.start()

    async def _remember(self) -> None:
        """What learned routes knew before, as far as the journal tells."""
        if not self.learner.learns:
            return
        try:
            told = await asyncio.to_thread(self._memory.read)
        except (PointsmanError, OSError) as error:
            log.warning("learned routes begin anew, the journal could not be read: %s", error)
            return
        self._memory.tell(told)

    async def _remember_others(self) -> None:
        """What other workers answered, and outcomes that came to them."""
        while self.workers > 1:
            await asyncio.sleep(_REMEMBER_S)
            await self._remember()

    def start_keeper(self) -> None:
        """Have the journal kept by a child process while we serve."""
        if self.state is not None:
            self.keeper.start(self.config)

    async def _open_state(self) -> None:
        if self.shared is not None and self._supervisor_has_keys():
            self._subjects = Subjects(self.shared.subject_keys, self.clock.monotonic)
            self._install(self.config, self.targets, self.governor)
            return
        config = self.config
        try:
            self.state = await asyncio.to_thread(self._opened_state)
        except (StateUnavailable, ExtraMissing) as error:
            if config.journal.encryption is not None or self._counting_needs_state(error):
                raise
            self._stateless = error.sentence
            log.warning("serving without state: %s", error.sentence)
            return
        self._subjects = Subjects(self.state.subject_keys, self.clock.monotonic)
        self._install(config, self.targets, self.governor)

    def _counting_needs_state(self, error: StateUnavailable | ExtraMissing) -> bool:
        """Whether counting without the state would be wrong: others count there, or we did.

        Where its library is not there, nobody ever did: one process may count on its own.
        """
        config = self.config
        if config.virtual_keys.enabled:
            return True
        others = self.workers > 1 or config.state.url is not None
        together = others or isinstance(error, StateUnavailable)
        return config.counts and config.state.counters is None and together

    async def _open_limits(self, config: Configuration) -> None:
        """Open what a configuration needs to count and to know virtual keys.

        Raises: PointsmanError where it needs the state and there is none.
        """
        if not config.counts or (self._admitting is not None and self.keyring is not None):
            return
        virtual = config.virtual_keys.enabled
        together = self.shared is not None and config.state.counters is None
        if self.state is None and (virtual or together):
            self.state = await asyncio.to_thread(self._opened_state)
        if virtual and self.keyring is None and self.state is not None:
            self.keyring = Keyring(
                self.state.virtual_keys,
                fresh_s=config.virtual_keys.fresh_s,
                monotonic=self.clock.monotonic,
                now_us=self.clock.now_us,
            )
        if self._admitting is None:
            self._admitting = await asyncio.to_thread(
                open_admitting,
                config,
                state=self.state,
                journal=self.journal,
                reports=self.reports,
                now_us=self.clock.now_us,
                monotonic=self.clock.monotonic,
                workers=self.workers,
            )
            self._admitting.start()

    def _supervisor_has_keys(self) -> bool:
        """Whether a worker needs no state of its own: subjects' keys it asks its supervisor for.

        The database's library is 16 MB in each process that loads it. Whatever else is kept in
        the state and decides what is answered must make this False.
        """
        there = importlib.util.find_spec("sqlalchemy") is not None
        plain = self.config.state.url is None and self.config.journal.encryption is None
        return there and plain and not self.config.counts

    async def state_for_batches(self) -> "State":
        """The state, opened now where nothing else needed it.

        Raises: ExtraMissing, StateUnavailable, ConfigurationError.
        """
        async with self._opening_state:
            if self.state is None:
                self.state = await asyncio.to_thread(self._opened_state)
            return self.state

    async def _review_desk(self) -> Desk:
        """Where held answers lie. Raises: ExtraMissing, StateUnavailable, ConfigurationError."""
        state = await self.state_for_batches()
        config = self.config
        self._held_reports = JournalReader(
            config.journal_path, keys=state.subject_keys, cipher=open_cipher(config.journal)
        )
        return Desk(
            state.held, self.journal, self._held_reports, state.subject_keys,
            now_us=self.clock.now_us,
        )  # fmt: skip

    def _opened_state(self) -> "State":
        from pointsman.state import open_state  # loads SQLAlchemy

        return open_state(self.config.state_url, wrapper=open_master_key(self.config))

    async def stop(self) -> None:
        """Stop batches, keeper, engines, pool and journal, in that order."""
        if self._remembering is not None:
            self._remembering.cancel()
        await self.judges.stop()
        await self.batches.stop()
        await self._prober.stop()
        await self.identities.stop()
        await self.keeper.stop()
        for task in self._retiring:
            task.cancel()
        await self._engines.stop()
        await self._pool.close()
        await self._media.close()
        if self._exporter is not None:
            await asyncio.to_thread(self._exporter.stop)
        if self._admitting is not None:
            await self._admitting.stop()
        await asyncio.to_thread(self.journal.close)
        for reader in (self._held_reports, self._judge_reader):
            if reader is not None:
                await asyncio.to_thread(reader.close)
        if self.state is not None:
            await asyncio.to_thread(self.state.close)

    def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Ready when some deployment can be called and the journal can be written.

        Embedded engines by name, with the reason.
        """
        engines = self._engines.states(self.config.deployments.values())
        parts = {
            name: {"status": state.status, "reason": state.reason}
            for name, state in engines.items()
        }
        callable_ = [
            name
            for name in self.config.deployments
            if name not in engines or engines[name].status == "running"
        ]
        told: dict[str, Any] = {"deployments": callable_, "engines": parts}
        told["configuration"] = {"digest": self.config.digest, "reload_error": self.reload_error}
        if self._subjects is None:
            told["state"] = {"status": "unavailable", "reason": self._stateless}
        told["journal"] = {"status": "ready", "reason": None}
        try:
            self.journal.check_fitness()
        except JournalUnavailable as trouble:
            told["journal"] = {"status": "unavailable", "reason": trouble.sentence}
        fit = told["journal"]["status"] == "ready"
        told["standing"] = self.accesses.standing(self.clock.monotonic())
        told["keeper"] = self.keeper.status
        if any(task.online is not None for task in self.config.tasks.values()):
            told["judges"] = msgspec.structs.asdict(self.judges.counts)
        if self.shared is not None:
            told["worker"] = {"index": self.shared.index, "of": self.workers, "pid": os.getpid()}
        return bool(callable_) and fit, told

    def _breaker_changed(self, deployment: str, before: str, now: str) -> None:
        """Once for each change of a breaker, however many run into it."""
        self.metrics.breaker(deployment, before, now)
        if now == "closed":
            self.identities.look_soon(deployment)
        level = logging.WARNING if now == "open" else logging.INFO
        log.log(level, "deployment %s: %s, was %s", deployment, _PHASES[now], _PHASES[before])

    async def _is_alive(self, deployment: Deployment) -> bool:
        address = self._address(deployment)
        return address is not None and await is_alive(self._pool, deployment, address)

    async def _identify(self, deployment: Deployment) -> Found | None:
        address = self._address(deployment)
        return await identify(self._pool, deployment, address) if address is not None else None

    def _own_engine(self, deployment: Deployment) -> tuple[Found | None, Found | None]:
        state = self._engines.states((deployment,)).get(deployment.name)
        return (state.read, state.told) if state is not None else (None, None)

    def _address(self, deployment: Deployment) -> Address | None:
        if deployment.base_url is not None:
            return Address(deployment.base_url, deployment.api_key, self._ways.to(deployment))
        return self._engines.address(deployment)

    def answerer(self, *, tenant: str = "default", capture: Capture | None = None) -> OwnAnswerer:
        """What asks this process itself, without a door: for suites of cases, and judges."""
        return OwnAnswerer(
            lambda: self.answering, lambda: self.targets, self.clock, tenant=tenant,
            capture=capture,
        )  # fmt: skip

    def _engine(self, deployment: Deployment) -> EmbeddedEngine:
        return embedded_engine(self.config, deployment, self.env)

    def _revoked(self, route: str, certificate: Certificate) -> None:
        """A floor fell: from now on the strong arm answers; the file tells every other process."""
        assert certificate.revoked is not None, "told of those that fell"
        log.warning("route %s: %s: revoked, %s", route, certificate.statement,
                    certificate.revoked.reason)  # fmt: skip

        def keep() -> None:
            try:
                keep_revoked(self.config, route, certificate)
            except (UsageError, OSError) as error:
                log.warning("route %s: its certificates could not be written: %s", route, error)

        threading.Thread(target=keep, daemon=True).start()

    def start_judges(self) -> None:
        """Have sampled traffic judged while we serve, as the tasks say."""
        self.judges.start()

    async def _ask_judge(
        self, request: Mapping[str, Any], *, session: str, tenant: str, timeout_s: float
    ) -> Answered:
        """One question to a judge: metered and governed as any, of its words digests are kept."""
        asker = self._judge_askers.get(tenant)
        if asker is None:
            if len(self._judge_askers) >= _MOST_ASKERS:
                self._judge_askers.clear()
            asker = self._judge_askers[tenant] = self.answerer(tenant=tenant, capture="digests")
        model = str(request["model"])
        subject = Subject(kind="deployment", name=model, asks=model)
        return await asker.ask(request, subject, session=session, timeout_s=timeout_s)

    async def _judge_reports(self) -> JournalReader:
        """What reads the bodies that judges look at. Raises: ConfigurationError."""
        keys = None
        try:
            keys = (await self.state_for_batches()).subject_keys
        except (ExtraMissing, StateUnavailable) as error:
            log.warning("answers of known persons are not judged: %s", error.sentence)
        config = self.config
        self._judge_reader = JournalReader(
            config.journal_path, keys=keys, cipher=open_cipher(config.journal)
        )
        return self._judge_reader

    def _judged(self, fact: OutcomeRecord) -> None:
        self.journal.append(fact)
        self._outcome(fact)

    def _outcome(self, fact: OutcomeRecord) -> None:
        self.metrics.outcome(fact)
        self.learner.told(fact)

    def _ended(
        self, admission: Admission, end: End, verified: str | None, parent: Parent | None
    ) -> None:
        self._recent.ended(admission, end)
        self.judges.ended(admission, end)
        if self.learner.learns:
            self.learner.ended(admission, end, verified)
        self.metrics.ended(admission, end, verified)
        if self._exporter is not None:
            self._exporter.ended(admission, end, verified, parent)
        if self.governor is not None:
            for word in obliged(admission, end):
                log.warning("policy: notify %s of %s", word, admission.trace)
        if requests_log.isEnabledFor(logging.INFO):
            log_request(requests_log, admission, end)

    def _export(self, config: Configuration) -> None:
        """From now on send spans and metrics as this configuration says; let go of what did.

        Raises: ExtraMissing, ConfigurationError.
        """
        before = self._exporter
        if before is None or config.telemetry != self.config.telemetry:
            destination = destination_of(config.telemetry, self.env)
            self._exporter = None
            if destination is not None:
                self._exporter = Exporter(
                    destination,
                    self.metrics,
                    share=config.telemetry.sample,
                    metrics_every_s=config.telemetry.metrics_every_s,
                )
                self._exporter.start()
            if before is not None:
                threading.Thread(target=before.stop, daemon=True).start()
        if self._exporter is not None:
            self._exporter.know(config.deployments)


_PHASES = {
    "closed": "called as usual",
    "open": "left alone, it fails",
    "half_open": "tried with a few requests",
}
