"""A running gateway and a real OTLP collector: spans, metrics, and endpoints that misbehave."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pointsman.domain.task import TelemetrySettings, VerifierSpec
from pointsman.domain.tracing import parent_of, span_bits, trace_bits
from pointsman.telemetry.table import ATTRIBUTES, FAMILIES
from pointsman.testing import ScriptedUpstream, chat_answer, chat_stream, free_port, status_answer
from tests.support.gateway import RunningGateway, a_config, a_deployment
from tests.telemetry.collector import Collector, attributes

PROMPT = "PLANTED PROMPT 8f3a1c"
ANSWER = "PLANTED ANSWER 42 77be09"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SHAPE = VerifierSpec(name="digits", kind="regex", spec="[0-9]+")


@pytest.fixture(autouse=True)
def _installed(skip_or_fail):
    try:
        import opentelemetry.exporter.otlp.proto.http
        import opentelemetry.sdk  # noqa: F401
    except ImportError:
        skip_or_fail("otel", 'no OpenTelemetry: pip install "pointsman[otel]"')


@contextlib.contextmanager
def gateway(
    path: Path, endpoint: str, *upstreams: ScriptedUpstream, **telemetry: float
) -> Iterator[RunningGateway]:
    names = ("small", "large")
    places = [
        a_deployment(name, each.base_url, api_key="sk-planted-engine-key", engine="vllm")
        for name, each in zip(names, upstreams, strict=False)
    ]
    config = a_config(path, places, verifiers=[SHAPE])
    settings = TelemetrySettings(otlp_endpoint=endpoint, **telemetry)  # type: ignore[arg-type]
    with RunningGateway(msgspec.structs.replace(config, telemetry=settings)) as running:
        yield running


def test_a_cascade_arrives_as_one_trace_that_the_client_began_and_engines_join(tmp_path):
    with Collector() as collector, ScriptedUpstream() as small, ScriptedUpstream() as large:
        small.then(chat_answer("none"))
        large.then(chat_answer(ANSWER, finish="stop"))
        with gateway(tmp_path, collector.url, small, large) as running:
            sent = {"traceparent": TRACEPARENT, "tracestate": "vendor=1", "x-session-id": "s-7"}
            answer = running.chat(PROMPT, headers=sent)
            assert answer.status == 200
            trace = answer.headers["x-pointsman-trace"]
            collector.wait(lambda: len(collector.spans) == 3)
        request, first, second = collector.spans
        said = attributes(request)
        told = [parent_of(each.requests[0].headers["traceparent"].encode()) for each in
                (small, large)]  # fmt: skip
        assert {each.trace_id.hex() for each in collector.spans} == {TRACEPARENT[3:35]}
        assert request.parent_span_id.hex() == TRACEPARENT[36:52]
        assert request.kind == 2, "SERVER"
        assert [each.kind for each in (first, second)] == [3, 3], "CLIENT"
        assert {first.parent_span_id, second.parent_span_id} == {request.span_id}
        assert [each and f"{each.span:016x}" for each in told] == [
            first.span_id.hex(), second.span_id.hex()]  # fmt: skip
        assert small.requests[0].headers["tracestate"] == "vendor=1"
        assert request.name == "chat task:work"
        assert first.name == "chat small-model"
        assert said["pointsman.trace"] == trace
        assert said["gen_ai.operation.name"] == "chat"
        assert said["gen_ai.provider.name"] == "vllm"
        assert said["gen_ai.request.model"] == "task:work"
        assert said["gen_ai.conversation.id"] == "s-7"
        assert said["gen_ai.response.finish_reasons"] == ["stop"]
        assert said["gen_ai.usage.input_tokens"] > 0
        assert said["gen_ai.usage.output_tokens"] > 0
        assert said["pointsman.attempts"] == 2
        assert attributes(first)["pointsman.gate.verdict"] == "escalate"
        assert attributes(second)["gen_ai.request.model"] == "large-model"
        [resource, *_] = collector.resources
        assert attributes(resource.resource)["service.name"] == "pointsman"
        assert resource.scope_spans[0].scope.name == "pointsman"
        whole = b"".join(body for _, _, body in collector.received)
        for secret in (PROMPT, ANSWER, "sk-planted-engine-key"):
            assert secret.encode() not in whole
        for span in collector.spans:
            assert set(attributes(span)) <= set(ATTRIBUTES)


def test_without_a_clients_trace_our_trace_id_is_the_trace(tmp_path):
    with Collector() as collector, ScriptedUpstream() as small:
        small.then(chat_stream("42"))
        with gateway(tmp_path, collector.url, small) as running:
            trace = running.chat(stream=True).headers["x-pointsman-trace"]
            collector.wait(lambda: len(collector.spans) == 2)
        bits = trace_bits(trace)
        assert {each.trace_id.hex() for each in collector.spans} == {f"{bits:032x}"}
        sent = parent_of(small.requests[0].headers["traceparent"].encode())
        assert sent is not None
        assert (sent.trace, sent.span) == (bits, span_bits(bits, 0))
        said = attributes(collector.spans[0])
        assert said["gen_ai.request.stream"] is True
        assert said["gen_ai.response.time_to_first_chunk"] >= 0


def test_a_failed_request_is_an_error_that_names_kinds_and_not_an_engines_words(tmp_path):
    with Collector() as collector, ScriptedUpstream() as small:
        words = {"error": {"message": f"cannot: {PROMPT}", "code": None, "type": "x"}}
        small.then(status_answer(500, words))
        with gateway(tmp_path, collector.url, small) as running:
            assert running.chat(PROMPT).status == 502
            collector.wait(lambda: len(collector.spans) == 2)
        request, attempt = collector.spans
        assert (request.status.code, request.status.message) == (2, "upstream_unavailable")
        assert attributes(attempt)["error.type"] == "server_error"
        assert PROMPT.encode() not in b"".join(body for _, _, body in collector.received)


def test_metrics_arrive_with_the_conventions_names_units_and_buckets(tmp_path):
    with Collector() as collector, ScriptedUpstream() as small:
        small.then(*(chat_stream("42") for _ in range(3)))
        with gateway(tmp_path, collector.url, small, metrics_every_s=1.0) as running:
            for _ in range(3):
                running.chat(stream=True)
            collector.wait(lambda: _count(collector, "pointsman.request.overhead") == 3)
        metrics = collector.metrics
        by_otel = {family.otel: family for family in FAMILIES.values()}
        assert set(metrics) <= set(by_otel)
        for name, metric in metrics.items():
            assert metric.unit == by_otel[name].unit
            assert metric.description == by_otel[name].meaning
        for name in ("gen_ai.client.token.usage", "gen_ai.server.request.duration",
                     "gen_ai.server.time_to_first_token"):  # fmt: skip
            assert _count(collector, name) >= 3, name
        [point] = metrics["gen_ai.server.request.duration"].histogram.data_points
        said = attributes(point)
        assert said["gen_ai.operation.name"] == "chat"
        assert said["gen_ai.provider.name"] == "vllm"
        assert said["gen_ai.request.model"] == "small-model"
        assert list(point.explicit_bounds)[:3] == [0.01, 0.02, 0.04]
        assert sum(point.bucket_counts) == point.count == 3
        assert metrics["pointsman.requests"].sum.is_monotonic
        assert not metrics["pointsman.requests.in_flight"].sum.is_monotonic


def _count(collector: Collector, name: str) -> int:
    metric = collector.metrics.get(name)
    return 0 if metric is None else sum(each.count for each in metric.histogram.data_points)


def test_the_environment_names_the_service_and_the_headers(tmp_path, monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "the-gateway")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20planted")
    with Collector() as collector, ScriptedUpstream() as small:
        small.then(chat_answer("42"))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        config = a_config(tmp_path, [a_deployment("small", small.base_url)])
        with RunningGateway(config) as running:
            running.chat()
            collector.wait(lambda: len(collector.spans) == 2)
        [resource, *_] = collector.resources
        assert attributes(resource.resource)["service.name"] == "the-gateway"
        assert collector.received[0][1]["authorization"] == "Bearer planted"


def _status(status: int):
    def answer(handler) -> None:
        body = f"HOSTILE WORDS {PROMPT}".encode()
        handler.send_response(status, "HOSTILE REASON")
        handler.send_header("content-length", str(len(body)))
        handler.send_header("retry-after", "3600")
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def _endless(handler) -> None:
    """An answer that never ends, as fast as it is taken."""
    handler.send_response(503)
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"x" * 65536)


def _redirect(handler) -> None:
    handler.send_response(307)
    handler.send_header("location", handler.path)
    handler.send_header("content-length", "0")
    handler.end_headers()


def _rubbish(handler) -> None:
    handler.wfile.write(b"\x00\xff not HTTP at all\r\n" * 1000)
    handler.close_connection = True


def _hangs(handler) -> None:
    time.sleep(20)


HOSTILE = {
    "400": _status(400), "429": _status(429), "500": _status(500), "endless": _endless,
    "redirect": _redirect, "rubbish": _rubbish, "hangs": _hangs,
}  # fmt: skip


@pytest.mark.parametrize("way", ["dead", *HOSTILE])
def test_an_endpoint_that_is_dead_slow_or_hostile_fails_no_request(tmp_path, way, caplog):
    with contextlib.ExitStack() as stack:
        url = f"http://127.0.0.1:{free_port()}"
        if way != "dead":
            collector = stack.enter_context(Collector(HOSTILE[way]))
            url = collector.url
        small = stack.enter_context(ScriptedUpstream(default=chat_answer("42")))
        running = stack.enter_context(gateway(tmp_path, url, small, metrics_every_s=1.0))
        for _ in range(20):
            assert running.chat(PROMPT).status == 200
        if way != "dead":
            collector.wait(lambda: collector.received)
            for _ in range(5):
                assert running.chat(PROMPT).status == 200
        before = threading.active_count()
    assert threading.active_count() <= before
    assert PROMPT not in caplog.text
    assert "HOSTILE" not in caplog.text


def test_a_changed_configuration_sends_telemetry_elsewhere(tmp_path):
    import asyncio

    with Collector() as one, Collector() as other, ScriptedUpstream(
        default=chat_answer("42")
    ) as small, gateway(tmp_path, one.url, small) as running:  # fmt: skip
        running.chat()
        one.wait(lambda: len(one.spans) == 2)
        changed = msgspec.structs.replace(
            running.config, digest="other", telemetry=TelemetrySettings(otlp_endpoint=other.url)
        )
        assert running.app is not None
        assert running._loop is not None
        asyncio.run_coroutine_threadsafe(running.app.change(changed), running._loop).result(30)
        running.chat()
        other.wait(lambda: len(other.spans) == 2)
        assert len(one.spans) == 2


def test_connections_are_kept_where_the_endpoint_answers_shortly(tmp_path):
    ports: set[int] = set()

    def answer(handler) -> None:
        ports.add(handler.client_address[1])
        handler.send_response(200)
        handler.send_header("content-length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")

    with Collector(answer) as collector, ScriptedUpstream(default=chat_answer("42")) as small:
        collector._server.RequestHandlerClass.protocol_version = "HTTP/1.1"
        with gateway(tmp_path, collector.url, small) as running:
            for number in range(3):
                running.chat()
                collector.wait(lambda wanted=2 * number + 2: len(collector.spans) == wanted)
            assert len(ports) == 1


def test_a_parent_that_hangs_up_leaves_a_span_that_says_so(tmp_path):
    import socket

    from pointsman.testing import silence

    with Collector() as collector, ScriptedUpstream(silence()) as small:
        with gateway(tmp_path, collector.url, small) as running:
            body = b'{"model":"task:work","messages":[{"role":"user","content":"x"}]}'
            head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
            head += b"content-length: %d\r\n\r\n" % len(body)
            with socket.create_connection(("127.0.0.1", running.port)) as client:
                client.sendall(head + body)
                small.wait_request()
            collector.wait(lambda: len(collector.spans) == 2)
        request, attempt = collector.spans
        assert attributes(request)["pointsman.status"] == "cancelled"
        assert attributes(attempt)["error.type"] == "cancelled"
        assert request.status.code == 2


def test_hostile_words_of_clients_never_become_series(tmp_path):
    def series(running: RunningGateway) -> int:
        return running.request("GET", "/metrics").body.count(b"\n")

    with (
        Collector() as collector,
        ScriptedUpstream(default=chat_answer("42")) as small,
        gateway(tmp_path, collector.url, small) as running,
    ):

        def ask(word: str) -> None:
            running.chat(user=word, metadata={"x": word}, headers={
                "x-session-id": word, "traceparent": word, "x-request-id": word})  # fmt: skip
            running.chat(model=word)
            running.request("POST", f"/v1/{word}", {})
            trace = running.chat(headers={"x-session-id": word}).headers["x-pointsman-trace"]
            said = {"trace": trace, "kind": word, "value": word}
            assert running.request("POST", "/v1/feedback", said).status == 200

        ask("first")
        before = series(running)
        for number in range(40):
            ask(f"word{number}")
        assert series(running) == before
