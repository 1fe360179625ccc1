"""Sends spans and metrics from a thread of its own; a request leaves one entry in a bounded queue.

Nothing here waits for the endpoint, or fails, on behalf of a request: what the queue has no room
for is dropped and counted. OpenTelemetry's code is loaded by the thread alone.
"""

import importlib.util
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pointsman.domain.errors import ExtraMissing
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import Admission, End
from pointsman.domain.tracing import Parent, recorded, trace_bits
from pointsman.telemetry import table
from pointsman.telemetry.destination import Destination
from pointsman.telemetry.metrics import Metrics
from pointsman.telemetry.registry import Registry
from pointsman.telemetry.spans import Ended, Span, spans_of

log = logging.getLogger("pointsman.telemetry")
MOST_WAITING = 4096  # ended requests; a few KB each while they wait
_BATCH = 64  # requests: OpenTelemetry encodes two spans each in 15 ms
# While the thread computes, what answers waits so long for the interpreter, instead of 5 ms.
_SWITCH_S = 0.0005
_LINGER_S = 1.0  # what waits is sent after so long, or once there are _BATCH of it
_STOP_S = 3.0  # for what still waits when the gateway stops
_COMPLAIN_S = 60.0  # between two lines in the log about an endpoint that takes nothing


class Sender(Protocol):
    """Speaks to the endpoint; each call may block for seconds. True where it took the batch."""

    def send_spans(self, spans: Sequence[Span]) -> bool: ...

    def send_metrics(self, registry: Registry) -> bool: ...

    def close(self) -> None:
        """Give up what is being tried; called from another thread."""
        ...


class Exporter:
    """Takes ended requests from one thread, and sends them from its own."""

    def __init__(
        self,
        destination: Destination,
        metrics: Metrics,
        *,
        share: float = 1.0,
        metrics_every_s: float = 15.0,
        sender: Callable[[Destination], Sender] | None = None,
    ) -> None:
        """Args: share of requests without a trace of the client's that have spans; sender makes
            what speaks to the endpoint, in the thread (OpenTelemetry's own, unless given).

        Raises: ExtraMissing where OpenTelemetry is not installed.
        """
        if sender is None:
            check_installed()
        self._destination = destination
        self._metrics = metrics
        self._share = share if destination.spans else None
        self._every_s = metrics_every_s
        self._make = sender or _opentelemetry
        self._deployments: Mapping[str, Deployment] = {}
        self._waiting: deque[Ended] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._sender: Sender | None = None
        self._complained_s = float("-inf")
        counter = metrics.registry.counter
        self._dropped = counter(table.EXPORTS, "spans", "dropped")
        self._fates = {
            (signal, took): counter(table.EXPORTS, signal, "exported" if took else "failed")
            for signal in ("spans", "metrics")
            for took in (True, False)
        }
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    @property
    def share(self) -> float | None:
        """Share of requests that have spans; None: none has any."""
        return self._share

    def know(self, deployments: Mapping[str, Deployment]) -> None:
        """What is configured from now on."""
        self._deployments = deployments

    def start(self) -> None:
        """Send until `stop`."""
        self._thread.start()

    def ended(
        self, admission: Admission, end: End, verified: str | None, parent: Parent | None
    ) -> None:
        """A request ended: on its path, so nothing but a look and an append."""
        share = self._share
        if share is None or (parent is not None and not parent.sampled):
            return
        if (
            parent is None
            and share < 1
            and not recorded(trace_bits(admission.trace), None, share=share)
        ):
            return
        waiting = self._waiting
        if len(waiting) >= MOST_WAITING:
            self._dropped.value += 1
            return
        waiting.append(Ended(admission, end, verified, parent))
        if len(waiting) == _BATCH:
            self._wake.set()

    def stop(self, timeout_s: float = _STOP_S) -> None:
        """Send what waits, as far as that can be done in time, and end. Blocks; not for a loop."""
        self._stopping = True
        self._wake.set()
        if not self._thread.is_alive():
            return
        self._thread.join(timeout_s)
        if self._thread.is_alive() and self._sender is not None:
            self._sender.close()
            self._thread.join(0.5)
        if self._waiting:
            log.warning("telemetry: %d requests were not exported", len(self._waiting))

    # In the thread.

    def _run(self) -> None:
        sys.setswitchinterval(min(_SWITCH_S, sys.getswitchinterval()))
        try:
            self._sender = sender = self._make(self._destination)
            self._export(sender)
        except Exception:
            log.exception("telemetry ends here: nothing more is exported")
            self._share = None
            self._waiting.clear()
        finally:
            if self._sender is not None:
                self._sender.close()

    def _export(self, sender: Sender) -> None:
        due_s = time.monotonic() + self._every_s
        while not self._stopping:
            self._wake.wait(min(_LINGER_S, max(0.0, due_s - time.monotonic())))
            self._wake.clear()
            self._send_waiting(sender)
            if self._destination.metrics and time.monotonic() >= due_s:
                due_s = time.monotonic() + self._every_s
                self._send_metrics(sender)
        self._send_waiting(sender)
        if self._destination.metrics:
            self._send_metrics(sender)

    def _send_waiting(self, sender: Sender) -> None:
        """One batch after another; while stopping, none after one that was not taken."""
        for _ in range(MOST_WAITING // _BATCH + 1):
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            if not batch:
                return
            spans: list[Span] = []
            for each in batch:
                spans += spans_of(each, self._deployments)
            took = sender.send_spans(spans)
            self._fates["spans", took].value += len(batch)
            if not took:
                self._complain()
                return

    def _send_metrics(self, sender: Sender) -> None:
        took = sender.send_metrics(self._metrics.registry)
        self._fates["metrics", took].value += 1
        if not took:
            self._complain()

    def _complain(self) -> None:
        now_s = time.monotonic()
        if now_s - self._complained_s >= _COMPLAIN_S:
            self._complained_s = now_s
            log.warning(
                "telemetry: the OTLP endpoint does not take what is sent; requests go on, "
                "pointsman_telemetry_total counts what is lost"
            )


def check_installed() -> None:
    """Raises: ExtraMissing without the extra `otel`."""
    for module in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise ExtraMissing(
                "telemetry is to be sent by OTLP, and OpenTelemetry is not installed",
                next="pip install 'pointsman[otel]', or set OTEL_SDK_DISABLED=true",
            )


def _opentelemetry(destination: Destination) -> Sender:
    from pointsman.telemetry.otlp import OtlpSender  # loads OpenTelemetry

    return OtlpSender(destination)
