"""The queue between requests and the exporter: bounded, never waited on, and counted."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.errors import ConfigurationError, ExtraMissing
from pointsman.domain.records import Admission, End
from pointsman.domain.task import TelemetrySettings
from pointsman.domain.tracing import Parent, trace_bits
from pointsman.telemetry import Metrics
from pointsman.telemetry import exporting as exporting_module
from pointsman.telemetry.destination import Destination, destination_of
from pointsman.telemetry.exporting import MOST_WAITING, Exporter
from pointsman.telemetry.spans import Ended, spans_of
from pointsman.telemetry.table import ATTRIBUTES
from tests.telemetry.records import (
    AT_US,
    DEPLOYMENTS,
    TRACE,
    a_failure,
    an_admission,
    an_attempt,
    an_end,
    escalated,
)

BOTH = Destination(spans="http://127.0.0.1:1/v1/traces", metrics="http://127.0.0.1:1/v1/metrics")
URL = "http://collector:4318"


class Hearing:
    """A sender that keeps what it is given, once it is let through."""

    def __init__(self, took: bool = True) -> None:
        self.took, self.spans, self.metrics = took, [], 0
        self.gate = threading.Event()
        self.entered = threading.Event()

    def send_spans(self, spans):
        self.entered.set()
        self.gate.wait(20)
        self.spans += spans
        return self.took

    def send_metrics(self, registry):
        self.metrics += 1
        return self.took

    def close(self):
        self.gate.set()


def an_exporter(sender: Hearing, metrics: Metrics, **how) -> Exporter:
    exporter = Exporter(BOTH, metrics, sender=lambda destination: sender, **how)
    exporter.know(DEPLOYMENTS)
    return exporter


def lost(metrics: Metrics, fate: str) -> int:
    return metrics.registry.counter(exporting_module.table.EXPORTS, "spans", fate).value


def test_an_endpoint_that_hangs_costs_dropped_spans_and_no_waiting():
    sender, metrics = Hearing(), Metrics()
    exporter = an_exporter(sender, metrics)
    exporter.start()
    admission, end = an_admission(), an_end()
    for _ in range(200):
        exporter.ended(admission, end, None, None)
    assert sender.entered.wait(10)
    for _ in range(MOST_WAITING * 3):
        exporter.ended(admission, end, None, None)
    assert len(exporter._waiting) == MOST_WAITING
    assert lost(metrics, "dropped") >= MOST_WAITING
    exporter.stop(0.2)  # gives up on it, and comes back
    assert not exporter._thread.is_alive() or sender.gate.is_set()


def test_a_batch_that_is_not_taken_is_counted_and_the_next_one_tried():
    sender, metrics = Hearing(took=False), Metrics()
    sender.gate.set()
    exporter = an_exporter(sender, metrics)
    exporter.start()
    exporter.ended(an_admission(), an_end(), None, None)
    exporter.stop()
    assert lost(metrics, "failed") == 1
    assert lost(metrics, "exported") == 0


def test_what_waits_is_sent_before_the_end():
    sender, metrics = Hearing(), Metrics()
    sender.gate.set()
    exporter = an_exporter(sender, metrics)
    exporter.start()
    for _ in range(300):
        exporter.ended(an_admission(), an_end(), None, None)
    exporter.stop()
    assert len(sender.spans) == 600
    assert sender.metrics >= 1
    assert lost(metrics, "exported") == 300


def test_a_sender_that_breaks_ends_telemetry_and_nothing_else(caplog):
    class Broken(Hearing):
        def send_spans(self, spans):
            raise RuntimeError("PROMPT TEXT")

    metrics = Metrics()
    exporter = an_exporter(Broken(), metrics)
    exporter.start()
    exporter.ended(an_admission(), an_end(), None, None)
    exporter._wake.set()
    exporter._thread.join(10)
    assert not exporter._thread.is_alive()
    for _ in range(MOST_WAITING * 2):
        exporter.ended(an_admission(), an_end(), None, None)
    assert not exporter._waiting
    exporter.stop()


def test_only_what_its_client_records_or_the_share_holds_is_queued():
    exporter = an_exporter(Hearing(), Metrics(), share=0.0)
    parent = Parent(1, 2, 0)
    exporter.ended(an_admission(), an_end(), None, None)
    exporter.ended(an_admission(), an_end(), None, parent)
    assert not exporter._waiting
    exporter.ended(an_admission(), an_end(), None, parent._replace(flags=1))
    assert len(exporter._waiting) == 1


def test_where_opentelemetry_is_not_installed_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match="not installed") as caught:
        Exporter(BOTH, Metrics())
    assert "pointsman[otel]" in caught.value.next


def test_nothing_of_opentelemetry_is_loaded_where_it_is_off():
    import subprocess
    import sys

    probe = (
        "import sys, pointsman.app, pointsman.gateway.door, pointsman.telemetry.exporting; "
        "bad = [m for m in sys.modules if m.split('.')[0] in ('opentelemetry', 'requests', "
        "'google')and 'crc32c' not in m and m != 'google']; sys.exit(','.join(bad) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# Where it goes.


@pytest.mark.parametrize(
    ("settings", "env", "expected"),
    [
        ({}, {}, None),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, None),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": URL + "/"}, (f"{URL}/v1/traces", f"{URL}/v1/metrics")),
        ({"otlp_endpoint": URL}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://no"},
         (f"{URL}/v1/traces", f"{URL}/v1/metrics")),
        ({"otlp_endpoint": URL}, {"OTEL_SDK_DISABLED": "true"}, None),
        ({"otlp_endpoint": URL}, {"OTEL_TRACES_EXPORTER": "none"}, (None, f"{URL}/v1/metrics")),
        ({"otlp_endpoint": URL}, {"OTEL_METRICS_EXPORTER": "none"}, (f"{URL}/v1/traces", None)),
        ({}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{URL}/here"}, (f"{URL}/here", None)),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
         (f"{URL}/v1/traces", f"{URL}/v1/metrics")),
    ],
)  # fmt: skip
def test_telemetry_goes_where_the_file_or_the_environment_says(settings, env, expected):
    found = destination_of(TelemetrySettings(**settings), env)
    assert found == (None if expected is None else Destination(*expected))


@pytest.mark.parametrize(
    "env",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:hunter2@collector:4318"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/?key=hunter2"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_an_address_that_cannot_be_spoken_to_is_refused_without_repeating_it(env):
    with pytest.raises(ConfigurationError, match="OTEL_") as caught:
        destination_of(TelemetrySettings(), env)
    assert "hunter2" not in str(caught.value)


# What spans say.


def test_a_cascade_is_one_span_and_a_child_for_each_attempt():
    parent = Parent(0xABC, 0xDEF, 1, b"v=1")
    end = an_end(a_failure("cut", started_ms=2), escalated(started_ms=5),
                 an_attempt(deployment="large", started_ms=9, step=2))  # fmt: skip
    request, *attempts = spans_of(
        Ended(an_admission(stream=True), end, "true", parent), DEPLOYMENTS
    )
    assert (request.kind, request.trace, request.parent, request.remote) == (
        "server", 0xABC, 0xDEF, True)  # fmt: skip
    assert request.end_ns - request.start_ns == 250_000_000
    assert request.end_ns == (AT_US + 250_000) * 1000
    assert [each.parent for each in attempts] == [request.span] * 3
    assert len({each.span for each in (request, *attempts)}) == 4
    assert [each.error for each in attempts] == ["cut", None, None]
    assert attempts[0].attributes["error.type"] == "cut"
    assert attempts[1].attributes["pointsman.gate.verdict"] == "escalate"
    assert attempts[0].attributes["server.address"] == "10.0.0.7"
    assert attempts[0].attributes["server.port"] == 8001
    assert attempts[2].attributes["server.port"] == 443
    assert request.attributes["pointsman.deployment"] == "large"
    assert request.attributes["gen_ai.provider.name"] == "openai"
    assert request.attributes["pointsman.trace"] == TRACE


def test_without_a_clients_trace_ours_is_the_trace():
    [request, _] = spans_of(Ended(an_admission(), an_end(), None, None), DEPLOYMENTS)
    assert request.trace == trace_bits(TRACE)
    assert request.parent is None


words = st.text(max_size=300)


@given(words, words, words, words, st.integers(0, 10**9), st.integers(0, 10**9), words)
def test_any_record_makes_spans_within_their_parent_and_within_the_table(
    asked, model, reason, surface, started_ms, total_ms, deployment
):
    attempt = an_attempt(model=model, finish_reason=reason, started_ms=started_ms,
                         total_ms=total_ms, deployment=deployment)  # fmt: skip
    admission: Admission = an_admission(asked=asked, surface=surface, session="s", prompt="p@v1")
    end: End = an_end(attempt, a_failure(), escalated(), status="cut", error="stream_interrupted")
    ended = Ended(admission, end, "unjudged", None)
    request, *attempts = spans_of(ended, DEPLOYMENTS)
    for each in attempts:
        assert request.start_ns <= each.start_ns <= each.end_ns <= request.end_ns
        assert {ATTRIBUTES[name].on for name in each.attributes} <= {"attempt", "both"}
    assert {ATTRIBUTES[name].on for name in request.attributes} <= {"request", "both"}
    said = repr((request, attempts))
    assert "PROMPT TEXT" not in said
    assert "sk-engine-secret" not in said
