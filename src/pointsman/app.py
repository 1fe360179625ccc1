"""The composition root: the only file that knows every room and names the concrete classes."""

import asyncio
import logging
import os
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pointsman import __version__
from pointsman.answering.feedback import Feedback, Recent
from pointsman.answering.shell import Answering
from pointsman.answering.subjects import Subjects
from pointsman.answering.targets import Targets
from pointsman.backends.address import Address
from pointsman.backends.embedded_engine import EmbeddedEngine
from pointsman.backends.embedded_engines import Engines
from pointsman.backends.embedded_hub import Hub
from pointsman.backends.http_pool import HttpPool
from pointsman.backends.http_tls import TlsContexts
from pointsman.backends.http_ways import Ways
from pointsman.backends.model_files import default_cache_dir
from pointsman.backends.openai_http import OpenAIBackend
from pointsman.config import as_json
from pointsman.domain.errors import ExtraMissing, StateUnavailable
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import Admission, ConfigRecord, End
from pointsman.domain.task import Configuration
from pointsman.journal import JournalReader, JournalWriter, open_journal, open_master_key
from pointsman.keeping.child import KeeperProcess
from pointsman.routing.arms import Arms
from pointsman.state import State, open_state
from pointsman.telemetry import Metrics

log = logging.getLogger("pointsman")
_RETIRE_S = 30.0  # what runs on an engine that a change dropped has so long to end


class SystemClock:
    """The real clocks and dice; the only place that reads them. For one thread at a time."""

    def __init__(self) -> None:
        self._pool, self._used = b"", 0

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds; the event loop's own clock, so that arrivals compare."""
        return time.monotonic()

    def entropy(self, size: int) -> bytes:
        """From the kernel, fetched 4 KiB at a time: ids are minted on the path of each request."""
        start = self._used
        self._used += size
        if self._used > len(self._pool):
            self._pool, start, self._used = os.urandom(max(4096, size)), 0, size
        return self._pool[start : self._used]

    def draw(self) -> float:
        """Uniform in [0, 1)."""
        return random.random()  # noqa: S311  # a routing draw, recorded; not a secret


class Application:
    """A running gateway without its door: engines, pool, journal, answering, feedback."""

    def __init__(self, config: Configuration, *, env: Mapping[str, str] | None = None) -> None:
        """Wire the parts. `env` is the process's own where it is not given.

        Raises: ConfigurationError for a certificate or proxy that cannot be used;
            JournalUnavailable when the journal cannot be written.
        """
        self.env = os.environ if env is None else env
        self._ways = ways(config, self.env)
        self._pool = HttpPool(contexts=checked_contexts(config, self._ways))
        self.clock = SystemClock()
        self.started_s = self.clock.now_us() // 1_000_000
        self.metrics = Metrics()
        self.reload_error: str | None = None  # why the latest change did not come into force
        self.reports = JournalReader(config.journal_path)
        self._recent = Recent()
        self._engines = Engines(self._engine)
        self._retiring: set[asyncio.Task[None]] = set()
        self.journal = open_journal(config.journal, path=config.journal_path)
        self.state: State | None = None  # opened by `start`
        self._stateless = "it is not opened yet"
        self._subjects: Subjects | None = None
        self.keeper = KeeperProcess()
        self.arms = Arms()
        self._backend = OpenAIBackend(self._pool, self._address, self.clock.monotonic)
        self.feedback = Feedback(self.journal, self.reports, self._recent, self.clock)
        self._install(config, Targets(config))

    def _install(self, config: Configuration, targets: Targets) -> None:
        """From now on new requests go by this configuration; those that run keep theirs."""
        self.config = config
        self.targets = targets
        self.answering = Answering(
            config=config.digest,
            deployments=config.deployments,
            backend=self._backend,
            journal=self.journal,
            arms=self.arms,
            clock=self.clock,
            ended=self._ended,
            request_timeout_s=config.server.request_timeout_s,
            keepalive_comment_s=config.server.keepalive_comment_s,
            wait_for_disk=config.journal.durability == "power",
            subjects=self._subjects,
        )

    async def change(self, config: Configuration) -> None:
        """Bring another configuration into force: build, swap, and let go of what it drops.

        Raises: PointsmanError where it cannot serve; then the old one goes on as if nothing was.
        """
        targets = await asyncio.to_thread(Targets, config)
        await self.reload_certificates(config)
        await self._engines.prepare(config.deployments.values())
        record_configuration(self.journal, config, self.clock.now_us())
        self._install(config, targets)
        await self.keeper.change(config)
        task = asyncio.create_task(self._retire(config))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

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
            await self._open_state()
            await self._engines.prepare(self.config.deployments.values())
        except BaseException:
            await self.stop()
            raise
        record_configuration(self.journal, self.config, self.clock.now_us())

    def start_keeper(self) -> None:
        """Have the journal kept by a child process while we serve."""
        if self.state is not None:
            self.keeper.start(self.config)

    async def _open_state(self) -> None:
        config = self.config
        try:
            self.state = await asyncio.to_thread(
                open_state, config.state_url, wrapper=open_master_key(config)
            )
        except (StateUnavailable, ExtraMissing) as error:
            if config.journal.encryption is not None:
                raise
            self._stateless = error.sentence
            log.warning("serving without state: %s", error.sentence)
            return
        self._subjects = Subjects(self.state.subject_keys, self.clock.monotonic)
        self._install(config, self.targets)

    async def stop(self) -> None:
        """Stop keeper, engines, pool and journal, in that order."""
        await self.keeper.stop()
        for task in self._retiring:
            task.cancel()
        await self._engines.stop()
        await self._pool.close()
        await asyncio.to_thread(self.journal.close)
        if self.state is not None:
            await asyncio.to_thread(self.state.close)

    def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Ready when some deployment can be called; embedded engines by name, with the reason."""
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
        if self.state is None:
            told["state"] = {"status": "unavailable", "reason": self._stateless}
        told["keeper"] = self.keeper.status
        return bool(callable_), told

    def _address(self, deployment: Deployment) -> Address | None:
        if deployment.base_url is not None:
            return Address(deployment.base_url, deployment.api_key, self._ways.to(deployment))
        return self._engines.address(deployment)

    def _engine(self, deployment: Deployment) -> EmbeddedEngine:
        return EmbeddedEngine(placed(self.config, deployment), hub=hub(self.env))

    def _ended(self, admission: Admission, end: End) -> None:
        self._recent.ended(admission, end)
        self.metrics.ended(admission, end)


def placed(config: Configuration, deployment: Deployment) -> Deployment:
    """The deployment with its model's path as it is from anywhere."""
    model = deployment.embedded
    if model is None or model.gguf.startswith(("embedded:", "hub:")):
        return deployment
    model = msgspec.structs.replace(model, gguf=config.placed(model.gguf))
    return msgspec.structs.replace(deployment, embedded=model)


def ways(config: Configuration, env: Mapping[str, str]) -> Ways:
    """By which way deployments are reached. Raises: ConfigurationError for an unusable proxy."""
    return Ways(env, config.placed)


def checked_contexts(config: Configuration, ways: Ways) -> TlsContexts:
    """The TLS of every deployment that has its own. Raises: ConfigurationError."""
    contexts = TlsContexts()
    for deployment in config.deployments.values():
        ways.check(deployment, contexts)
    return contexts


def hub(env: Mapping[str, str]) -> Hub:
    """The model hub as the environment names it: HF_ENDPOINT, HF_TOKEN, XDG_CACHE_HOME."""
    cache = default_cache_dir(home=Path.home(), xdg_cache_home=env.get("XDG_CACHE_HOME"))
    endpoint = env.get("HF_ENDPOINT") or "https://huggingface.co"
    return Hub(cache_dir=cache, endpoint=endpoint, token=env.get("HF_TOKEN") or None)


def record_configuration(journal: JournalWriter, config: Configuration, at_us: int) -> None:
    """Write the configuration in force, without secrets, so that traces can name its digest."""
    text = msgspec.json.encode(as_json(config)).decode()
    journal.append(ConfigRecord(at_us=at_us, digest=config.digest, version=__version__, text=text))
