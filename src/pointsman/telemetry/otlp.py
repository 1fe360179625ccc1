"""The only file that knows OpenTelemetry's code: spans and counts to its SDK's, and its exporters.

The endpoint is not trusted: its answers are never read to their end, and its words reach no log.
"""

import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import export as points
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from pointsman import __version__
from pointsman.telemetry.destination import Destination
from pointsman.telemetry.registry import Buckets, Cell, Labels, Registry
from pointsman.telemetry.spans import Span
from pointsman.telemetry.table import SCHEMA_URL, Family

_TIMEOUT_S = 5.0  # unless OTEL_EXPORTER_OTLP_TIMEOUT says another
_SHORT_BYTES = 4096
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}


class OtlpSender:
    """Implements `Sender` with OpenTelemetry's own exporters, over HTTP with protobuf.

    Headers, certificates, compression, timeout and resource are those of the OTEL_ variables.
    """

    def __init__(self, destination: Destination) -> None:
        # They log what the endpoint says; we count, and say so ourselves.
        for name in ("opentelemetry", "urllib3", "requests"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._scope = InstrumentationScope("pointsman", __version__, SCHEMA_URL)
        self._resource = _resource()
        self._started_ns = time.time_ns()
        how: dict[str, Any] = {}
        if not os.environ.get("OTEL_EXPORTER_OTLP_TIMEOUT"):
            how["timeout"] = _TIMEOUT_S
        self._spans = self._metrics = None
        if destination.spans:
            self._spans = OTLPSpanExporter(endpoint=destination.spans, session=_session(), **how)
        if destination.metrics:
            self._metrics = OTLPMetricExporter(
                endpoint=destination.metrics, session=_session(), **how
            )

    def send_spans(self, spans: Sequence[Span]) -> bool:
        """As the protocol says."""
        if self._spans is None:
            return True
        made = [self._span(each) for each in spans]
        return bool(self._spans.export(made) is SpanExportResult.SUCCESS)

    def send_metrics(self, registry: Registry) -> bool:
        """As the protocol says; everything counted since the start."""
        if self._metrics is None:
            return True
        now_ns = time.time_ns()
        made = [
            self._metric(family, cells, now_ns) for family, cells in registry.everything() if cells
        ]
        scoped = points.ScopeMetrics(scope=self._scope, metrics=made, schema_url=SCHEMA_URL)
        whole = points.ResourceMetrics(
            resource=self._resource, scope_metrics=[scoped], schema_url=SCHEMA_URL
        )
        data = points.MetricsData(resource_metrics=[whole])
        return bool(self._metrics.export(data) is points.MetricExportResult.SUCCESS)

    def close(self) -> None:
        """As the protocol says."""
        for exporter in (self._spans, self._metrics):
            if exporter is not None:
                exporter.shutdown()

    def _span(self, span: Span) -> Any:
        state = TraceState.from_header([span.state]) if span.state else None
        parent = None
        if span.parent is not None:
            parent = _context(span.trace, span.parent, state, remote=span.remote)
        return ReadableSpan(
            name=span.name,
            context=_context(span.trace, span.span, state, remote=False),
            parent=parent,
            resource=self._resource,
            attributes=span.attributes,
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=self._scope,
        )

    def _metric(
        self, family: Family, cells: Sequence[tuple[Labels, Cell | Buckets]], now_ns: int
    ) -> Any:
        cumulative = points.AggregationTemporality.CUMULATIVE
        made = [self._point(family, labels, cell, now_ns) for labels, cell in cells]
        data: Any
        if family.kind == "histogram":
            data = points.Histogram(data_points=made, aggregation_temporality=cumulative)
        else:
            data = points.Sum(
                data_points=made,
                aggregation_temporality=cumulative,
                is_monotonic=family.kind == "counter",
            )
        return points.Metric(
            name=family.otel, description=family.meaning, unit=family.unit, data=data
        )

    def _point(self, family: Family, labels: Labels, cell: Cell | Buckets, now_ns: int) -> Any:
        attributes = dict(zip(family.labels, labels, strict=True))
        times = {"start_time_unix_nano": self._started_ns, "time_unix_nano": now_ns}
        if isinstance(cell, Cell):
            return points.NumberDataPoint(
                attributes=attributes, value=_value(cell.value, family), **times
            )
        counts = cell.counts.copy()  # of one moment
        return points.HistogramDataPoint(
            attributes=attributes,
            count=sum(counts),
            sum=cell.total / family.per_unit,
            bucket_counts=counts,
            explicit_bounds=[bound / family.per_unit for bound in family.bounds],
            min=None,
            max=None,
            **times,
        )


def _value(parts: int, family: Family) -> int | float:
    """A whole number where it is one, and where the wire can carry it."""
    whole = family.per_unit == 1 and abs(parts) < 2**63
    return parts if whole else parts / family.per_unit


def _context(trace: int, span: int, state: Any, *, remote: bool) -> Any:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(trace, span, is_remote=remote, trace_flags=flags, trace_state=state)


def _resource() -> Any:
    own = {
        "service.name": "pointsman",
        "service.version": __version__,
        "service.instance.id": str(uuid.uuid4()),
        "host.name": socket.gethostname(),
        "process.pid": os.getpid(),
    }
    merged = Resource(own).merge(OTELResourceDetector().detect())
    return Resource(merged.attributes, SCHEMA_URL)


def _session() -> Any:
    """A session that reads short answers alone, for the sake of the connection; the status says
    enough."""
    session = requests.Session()
    send: Callable[..., Any] = session.send

    def send_unread(request: Any, **how: Any) -> Any:
        response = send(request, **{**how, "stream": True})
        size = response.headers.get("content-length", "")
        if size.isdecimal() and len(size) < 5 and int(size) <= _SHORT_BYTES:
            response.raw.read(_SHORT_BYTES + 1, decode_content=False)
        else:
            response.close()
        response._content = b""
        return response

    session.send = send_unread
    return session
