"""One embedded deployment: a GGUF file served by a child process of ours, started and stopped.

Keeping several of them alive is the supervisor's work, finding the file is `model_files`'.
"""

import asyncio
import importlib.util
import logging
import os
import secrets
import time
from pathlib import Path

from pointsman.backends.address import Address
from pointsman.backends.embedded_child import Order, Report
from pointsman.backends.embedded_facts import EngineFacts, NotReady, read_facts, until_ready
from pointsman.backends.embedded_hub import Hub
from pointsman.backends.embedded_process import ChildProcess, Exit
from pointsman.backends.gguf import BadGguf, Stamp, found_in, stamp_of
from pointsman.backends.model_files import OnProgress, locate
from pointsman.domain.errors import ExtraMissing, UpstreamError
from pointsman.domain.identity import Found
from pointsman.domain.portfolio import Deployment, EmbeddedModel

_log = logging.getLogger("pointsman.embedded")
_SPARE_HTTP_THREADS = 4  # probes and metrics beside the requests
_MOST_HTTP_THREADS = 256
_KEY_BYTES = 32
_READING_S = 2.0  # that a start waits for the digest of its file; a gigabyte is read in about one


class EmbeddedEngine:
    """The engine of one deployment; belongs to the event loop, and thread, that starts it.

    Args: hub says where `hub:` files come from and go to; on_progress hears a download's bytes.
    """

    def __init__(
        self,
        deployment: Deployment,
        *,
        hub: Hub | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        assert deployment.embedded is not None, "only an embedded deployment has an engine of ours"
        self.deployment = deployment
        self._model: EmbeddedModel = deployment.embedded
        self._hub = hub
        self._on_progress = on_progress
        self._child: ChildProcess | None = None
        self._address: Address | None = None
        self._facts: EngineFacts | None = None
        self._read: Found | None = None
        self._told: Found | None = None
        self._reading: asyncio.Task[Found | None] | None = None
        self._starts = 0

    @property
    def name(self) -> str:
        return self.deployment.name

    @property
    def running(self) -> bool:
        return self.address is not None

    @property
    def address(self) -> Address | None:
        """None as soon as the child is known to be gone."""
        return self._address if self._child is not None and self._child.alive else None

    @property
    def facts(self) -> EngineFacts | None:
        """What the engine said of itself at its last start."""
        return self._facts

    @property
    def read(self) -> Found | None:
        """What the file says that it loaded at its last start; None: it could not be told."""
        return self._read

    @property
    def told(self) -> Found | None:
        """What the engine says of the same."""
        return self._told

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self._child.alive else None

    @property
    def restarts(self) -> int:
        """Successful starts after the first."""
        return max(0, self._starts - 1)

    async def start(self, timeout_s: float = 60.0) -> Address:
        """Start the child and return once it answers; a download before that is not timed.

        Raises: ExtraMissing without the `local` extra; ConfigurationError when there is no such
        file; UpstreamError (`engine_down`) when the engine refuses it, dies or takes too long.
        """
        assert not self.running, f"{self.name} runs already"
        require_extra()
        path = await locate(self._model.gguf, hub=self._hub, on_progress=self._on_progress)
        order = self._order(path)
        started_s = time.monotonic()
        reading = self._begin_reading(path)
        try:
            child = await ChildProcess.spawn(self.name, order)
        except OSError as error:
            raise self._failed(f"the system started no process: {error}") from error
        try:
            async with asyncio.timeout(timeout_s):
                report = await self._reported(child)
                await until_ready(report.origin, order.api_key)
                facts = await read_facts(
                    report.origin, order.api_key, engine=report.engine, started_s=started_s
                )
            # A file that is long to read is known later: nobody is kept waiting for it.
            await asyncio.wait({reading}, timeout=_READING_S)
        except BaseException as error:
            child.kill()
            end = await child.ended()
            if isinstance(error, TimeoutError):
                why = f"not ready within {timeout_s:g} s; {end}"
                raise self._failed(why) from error
            if isinstance(error, NotReady):
                raise self._failed(f"{error}; {end}") from error
            raise
        self._child, self._facts, self._told = child, facts, _said_by(facts)
        self._starts += 1
        self._address = Address(base_url=f"{report.origin}/v1", api_key=order.api_key)
        self._tell(facts)
        return self._address

    async def stop(self) -> None:
        """End the child, within about a second in the worst case; no harm when none runs."""
        child, self._child, self._address = self._child, None, None
        if child is not None:
            await child.stop()

    async def ended(self) -> Exit:
        """Wait until the running child ends, for whatever reason."""
        assert self._child is not None, f"{self.name} was not started"
        return await self._child.ended()

    def _begin_reading(self, path: Path) -> "asyncio.Task[Found | None]":
        """Find out what the file is, beside the engine that loads it."""
        self._read, before = None, _stamp(path)

        async def read() -> Found | None:
            found = await asyncio.to_thread(_found, path)
            if self._reading is task and before is not None and _stamp(path) == before:
                self._read = found
            return self._read

        task = self._reading = asyncio.create_task(read())
        return task

    def _order(self, path: Path) -> Order:
        # A kept-alive connection occupies a thread of llama.cpp's server: with six threads and
        # twenty idle connections a request waited 5 to 15 s. So: as many as we may connect.
        concurrency = max(self.deployment.limits.concurrency, self._model.parallel)
        return Order(
            parent_pid=os.getpid(),
            gguf=str(path),
            alias=self.deployment.served_name,
            api_key=secrets.token_urlsafe(_KEY_BYTES),
            threads=self._model.threads,
            http_threads=min(concurrency + _SPARE_HTTP_THREADS, _MOST_HTTP_THREADS),
            parallel=self._model.parallel,
            context=self._model.context,
            verbosity=3 if _log.isEnabledFor(logging.DEBUG) else 1,
        )

    async def _reported(self, child: ChildProcess) -> Report:
        report = await child.report()
        if report is not None and report.origin:
            return report
        end = await child.ended()
        if report is None:
            raise self._failed(f"it crashed while loading: {end}")
        raise self._failed("; ".join(end.errors[:3]) or report.error)

    def _failed(self, why: str) -> UpstreamError:
        return UpstreamError(
            f"the engine of deployment '{self.name}' did not start",
            why=why,
            next=f"check the file {self._model.gguf!r}, or lower embedded.context and "
            f"embedded.parallel of '{self.name}'",
            code="engine_down",
        )

    def _tell(self, facts: EngineFacts) -> None:
        _log.info("%s: ready after %d ms, %s", self.name, facts.start_ms, facts.engine)
        if facts.context is not None and facts.context < self._model.context:
            _log.warning(
                "%s: context is %d, not %d: the model was trained with no more",
                self.name,
                facts.context,
                self._model.context,
            )


def _said_by(facts: EngineFacts) -> Found:
    return Found(
        engine_version=" ".join(filter(None, (facts.engine, facts.build))),
        quantisation=facts.weights_type or None,
        chat_template_sha256=facts.chat_template_sha256 or None,
    )


def _stamp(path: Path) -> Stamp | None:
    try:
        return stamp_of(path)
    except OSError:
        return None


def _found(path: Path) -> Found | None:
    try:
        return found_in(path)
    except (OSError, BadGguf) as error:
        _log.warning("%s: what it is cannot be told: %s", path.name, error)
        return None


def require_extra() -> None:
    """Return when the engine is installed; looks without loading it.

    Raises: ExtraMissing.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise ExtraMissing(
            "an embedded deployment needs the local engine",
            why="the package xllamacpp is not installed",
            next='pip install "pointsman[local]", or give the deployment a base_url',
        )
