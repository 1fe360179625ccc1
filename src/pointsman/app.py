"""The composition root: the only file that knows every room and names the concrete classes."""

import asyncio
import os
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pointsman import __version__
from pointsman.answering.feedback import Feedback, Recent
from pointsman.answering.shell import Answering
from pointsman.answering.targets import Targets
from pointsman.backends.address import Address
from pointsman.backends.embedded_engine import EmbeddedEngine
from pointsman.backends.embedded_supervisor import Supervisor
from pointsman.backends.http_pool import HttpPool
from pointsman.backends.openai_http import OpenAIBackend
from pointsman.config import as_json
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import Admission, ConfigRecord, End
from pointsman.domain.task import Configuration
from pointsman.journal import JournalReader, JournalWriter
from pointsman.routing.arms import Arms
from pointsman.telemetry import Metrics


class SystemClock:
    """The real clocks and dice; the only place that reads them."""

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds; the event loop's own clock, so that arrivals compare."""
        return time.monotonic()

    def entropy(self, size: int) -> bytes:
        """From the kernel."""
        return os.urandom(size)

    def draw(self) -> float:
        """Uniform in [0, 1)."""
        return random.random()  # noqa: S311  # a routing draw, recorded; not a secret


class Application:
    """A running gateway without its door: engines, pool, journal, answering, feedback."""

    def __init__(self, config: Configuration) -> None:
        """Wire the parts. Raises: JournalUnavailable when the journal cannot be written."""
        self.config = config
        self.clock = SystemClock()
        self.started_s = self.clock.now_us() // 1_000_000
        self.targets = Targets(config)
        self.metrics = Metrics()
        self.reports = JournalReader(config.journal.path)
        self._recent = Recent()
        self._engines = Supervisor(
            EmbeddedEngine(item) for item in config.deployments.values() if item.embedded
        )
        self._pool = HttpPool()
        self.journal = JournalWriter(
            config.journal.path,
            durability=config.journal.durability,
            fsync_window_s=config.journal.fsync_window_s,
            segment_bytes=config.journal.segment_bytes,
        )
        self.arms = Arms()
        self.answering = Answering(
            config=config.digest,
            deployments=config.deployments,
            backend=OpenAIBackend(self._pool, self._address, self.clock.monotonic),
            journal=self.journal,
            arms=self.arms,
            clock=self.clock,
            ended=self._ended,
            request_timeout_s=config.server.request_timeout_s,
            keepalive_comment_s=config.server.keepalive_comment_s,
            wait_for_disk=config.journal.durability == "power",
        )
        self.feedback = Feedback(self.journal, self.reports, self._recent, self.clock)

    async def start(self) -> None:
        """Start the embedded engines and write down which configuration is in force.

        Raises: ExtraMissing, ConfigurationError where an engine can never start; an engine that
            merely fails is reported by `readiness` and its deployment falls over.
        """
        try:
            await self._engines.start()
        except BaseException:
            await self.stop()
            raise
        record_configuration(self.journal, self.config, self.clock.now_us())

    async def stop(self) -> None:
        """Stop engines, pool and journal, in that order."""
        await self._engines.stop()
        await self._pool.close()
        await asyncio.to_thread(self.journal.close)

    def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Ready when some deployment can be called; embedded engines by name, with the reason."""
        engines = {state.name: state for state in self._engines.states}
        parts = {
            name: {"status": state.status, "reason": state.reason}
            for name, state in engines.items()
        }
        callable_ = [
            name
            for name in self.config.deployments
            if name not in engines or engines[name].status == "running"
        ]
        return bool(callable_), {"deployments": callable_, "engines": parts}

    def _address(self, deployment: Deployment) -> Address | None:
        if deployment.base_url is not None:
            return Address(deployment.base_url, deployment.api_key)
        return self._engines.address(deployment.name)

    def _ended(self, admission: Admission, end: End) -> None:
        self._recent.ended(admission, end)
        self.metrics.ended(admission, end)


def record_configuration(journal: JournalWriter, config: Configuration, at_us: int) -> None:
    """Write the configuration in force, without secrets, so that traces can name its digest."""
    import msgspec

    text = msgspec.json.encode(as_json(config)).decode()
    journal.append(ConfigRecord(at_us=at_us, digest=config.digest, version=__version__, text=text))


class Workspace:
    """The journal of a configuration for commands and programs: reading, and adding outcomes."""

    def __init__(self, config: Configuration) -> None:
        self.config = config
        self.root = Path(config.journal.path)
        self.reports = JournalReader(config.journal.path)
        self.clock = SystemClock()

    def with_feedback(self, use: Callable[[Feedback], Any]) -> Any:
        """Run `use` with a Feedback that writes to a segment of its own, then close it."""
        journal = JournalWriter(self.root)
        try:
            return use(Feedback(journal, self.reports, Recent(), self.clock))
        finally:
            journal.close()
