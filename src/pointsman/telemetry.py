"""Counters and histograms of a running gateway, in Prometheus text.

Requests only add to plain numbers here; the metric families are built when somebody asks.
Labels come from the configuration and from closed sets, so their number is bounded.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from pointsman.domain.money import PICOS_PER_USD
from pointsman.domain.records import Admission, Attempt, End

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_OVERHEAD = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1)


class _Histogram:
    """Counts by bucket, and the sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper bound, as Prometheus has them."""
        names = [*(str(float(bound)) for bound in self.bounds), "+Inf"]
        return list(zip(names, accumulate(self.counts), strict=True))


class Metrics(Collector):
    """What /metrics shows. `ended` is on the path of every request."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        self._requests: dict[tuple[str, str], int] = defaultdict(int)
        self._seconds: dict[str, _Histogram] = {}
        self._first_byte: dict[str, _Histogram] = {}
        self._overhead = _Histogram(_OVERHEAD)
        self._attempts: dict[tuple[str, str], int] = defaultdict(int)
        self._tokens: dict[tuple[str, str], int] = defaultdict(int)
        self._cost: dict[str, int] = defaultdict(int)

    def ended(self, admission: Admission, end: End) -> None:
        """Count one ended request and its attempts."""
        task = admission.task or "-"
        self._requests[task, end.status] += 1
        seconds = self._seconds.get(task)
        if seconds is None:
            seconds = self._seconds[task] = _Histogram(_SECONDS)
            self._first_byte[task] = _Histogram(_SECONDS)
        seconds.add(end.total_ms / 1000)
        if end.first_byte_ms is not None:
            self._first_byte[task].add(end.first_byte_ms / 1000)
        self._overhead.add(end.overhead_us / 1e6)
        for attempt in end.attempts:
            self._attempted(attempt)

    def _attempted(self, attempt: Attempt) -> None:
        name = attempt.deployment
        self._attempts[name, attempt.failure.kind if attempt.failure else "answered"] += 1
        if attempt.usage is not None:
            self._tokens[name, "prompt"] += attempt.usage.prompt_tokens
            self._tokens[name, "completion"] += attempt.usage.completion_tokens
        self._cost[name] += attempt.cost_usd_picos

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return bytes(generate_latest(self._registry))

    def collect(self) -> Iterator[Metric]:
        """The metric families as they stand; called by the registry, from any thread."""
        yield _counter("pointsman_requests", "Requests that ended", ("task", "status"),
                       list(self._requests.items()))  # fmt: skip
        yield _histogram("pointsman_request_seconds", "Arrival to the last byte", self._seconds)
        yield _histogram("pointsman_first_byte_seconds",
                         "Arrival to the first byte of the answer", self._first_byte)  # fmt: skip
        overhead = HistogramMetricFamily(
            "pointsman_overhead_seconds", "Total less the time upstreams took"
        )
        overhead.add_metric([], self._overhead.buckets(), self._overhead.total)
        yield overhead
        yield _counter("pointsman_attempts", "Attempts by result", ("deployment", "result"),
                       list(self._attempts.items()))  # fmt: skip
        yield _counter("pointsman_tokens", "Tokens by direction", ("deployment", "direction"),
                       list(self._tokens.items()))  # fmt: skip
        costs = [((name,), picos / PICOS_PER_USD) for name, picos in list(self._cost.items())]
        yield _counter("pointsman_cost_usd", "Cost of every attempt", ("deployment",), costs)


def _counter(
    name: str, text: str, labels: Sequence[str], values: Sequence[tuple[tuple[str, ...], float]]
) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values:
        family.add_metric(list(key), value)
    return family


def _histogram(name: str, text: str, by_task: dict[str, _Histogram]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=("task",))
    for task, histogram in list(by_task.items()):
        family.add_metric([task], histogram.buckets(), histogram.total)
    return family
