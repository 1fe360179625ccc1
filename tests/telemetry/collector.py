"""A real OTLP/HTTP receiver: what it was sent, decoded with OpenTelemetry's own definitions."""

import gzip
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class Collector:
    """Receives on a free port. `answer` decides what a POST is told; without it, 200."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None] | None = None) -> None:
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self._came = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                with collector._came:
                    head = {name.lower(): value for name, value in self.headers.items()}
                    collector.received.append((self.path, head, body))
                    collector._came.notify_all()
                if answer is not None:
                    return answer(self)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def wait(self, holds: Callable[[], Any], timeout_s: float = 20) -> Any:
        """What holds in the end, looked at whenever something came."""
        until = time.monotonic() + timeout_s
        with self._came:
            while not (found := holds()):
                left = until - time.monotonic()
                assert left > 0, "it never came"
                self._came.wait(left)
        return found

    @property
    def spans(self) -> list[Any]:
        """Every span, in the order they came."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest as Request,
        )

        return [
            span
            for path, _, body in self.received
            if path == "/v1/traces"
            for resource in Request.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def resources(self) -> list[Any]:
        """Who sent spans, with the schema they said."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest as Request,
        )

        return [
            resource
            for path, _, body in self.received
            if path == "/v1/traces"
            for resource in Request.FromString(body).resource_spans
        ]

    @property
    def metrics(self) -> dict[str, Any]:
        """The latest export of metrics, by name."""
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
            ExportMetricsServiceRequest as Request,
        )

        bodies = [body for path, _, body in self.received if path == "/v1/metrics"]
        return {
            metric.name: metric
            for resource in (Request.FromString(bodies[-1]).resource_metrics if bodies else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    """Attributes of anything that has them, as plain values."""
    return {each.key: _plain(each.value) for each in span.attributes}


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(each) for each in value.array_value.values]
    return getattr(value, kind)
