"""Counters and histograms of a running gateway, in Prometheus text; labels come from the
configuration only, so their number is bounded."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pointsman.domain.money import PICOS_PER_USD
from pointsman.domain.records import Admission, End

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_OVERHEAD = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1)


class Metrics:
    """What /metrics shows. `ended` is on the path of every request."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        registry = self._registry
        self._requests = Counter(
            "pointsman_requests", "Requests that ended", ["task", "status"], registry=registry
        )
        self._seconds = Histogram(
            "pointsman_request_seconds", "Arrival to the last byte", ["task"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._first_byte = Histogram(
            "pointsman_first_byte_seconds", "Arrival to the first byte of the answer", ["task"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._overhead = Histogram(
            "pointsman_overhead_seconds", "Total less the time upstreams took",
            buckets=_OVERHEAD, registry=registry,
        )  # fmt: skip
        self._attempts = Counter(
            "pointsman_attempts", "Attempts by result", ["deployment", "result"], registry=registry
        )
        self._tokens = Counter(
            "pointsman_tokens",
            "Tokens by direction",
            ["deployment", "direction"],
            registry=registry,
        )
        self._cost = Counter(
            "pointsman_cost_usd", "Cost of every attempt", ["deployment"], registry=registry
        )
        self._running = Gauge(
            "pointsman_requests_running", "Requests being answered", registry=registry
        )
        self._children: dict[tuple[str, ...], Counter] = {}

    def running(self, count: int) -> None:
        """How many requests are being answered now."""
        self._running.set(count)

    def ended(self, admission: Admission, end: End) -> None:
        """Count one ended request and its attempts."""
        task = admission.task or "-"
        self._count(self._requests, task, end.status).inc()
        self._seconds.labels(task).observe(end.total_ms / 1000)
        if end.first_byte_ms is not None:
            self._first_byte.labels(task).observe(end.first_byte_ms / 1000)
        self._overhead.observe(end.overhead_us / 1e6)
        for attempt in end.attempts:
            name = attempt.deployment
            result = attempt.failure.kind if attempt.failure else "answered"
            self._count(self._attempts, name, result).inc()
            if attempt.usage is not None:
                self._count(self._tokens, name, "prompt").inc(attempt.usage.prompt_tokens)
                self._count(self._tokens, name, "completion").inc(attempt.usage.completion_tokens)
            if attempt.cost_usd_picos:
                self._count(self._cost, name).inc(attempt.cost_usd_picos / PICOS_PER_USD)

    def _count(self, counter: Counter, *labels: str) -> Counter:
        """The child of a counter; looked up in a plain dict, which is quicker than labels()."""
        key = (counter._name, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = counter.labels(*labels)
        return child

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return bytes(generate_latest(self._registry))
