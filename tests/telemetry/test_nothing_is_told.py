"""A whole life of good and bad requests: no prompt, answer or key in logs, metrics or spans."""

import contextlib
import http.client
import json
import socket
from pathlib import Path

import pytest

from pointsman.testing import (
    Received,
    ScriptedUpstream,
    chat_answer,
    chat_stream,
    cut,
    malformed_event,
    malformed_framing,
    raw_answer,
    status_answer,
)
from tests.support.processes import ServeProcess
from tests.telemetry.collector import Collector

PROMPT = "PLANTED-PROMPT-b41c"
ANSWER = "PLANTED-ANSWER-42-77be"
FEEDBACK = "PLANTED-FEEDBACK-0c9e"
KEYS = {"ENGINE_KEY": "sk-planted-engine-51ab", "CLIENT_KEY": "pk-planted-client-9d20"}
WRONG = "pk-planted-wrong-33fe"
PLANTED = (PROMPT, ANSWER, FEEDBACK, WRONG, *KEYS.values())
CONFIG = """\
deployments:
  only: {{model: m, base_url: "{url}", api_key: "${{ENGINE_KEY}}", limits: {{timeout_s: 5}}}}
routes: {{main: {{steps: [only]}}}}
tasks: {{work: {{route: main, verify: [{{regex: "[0-9]+"}}]}}}}
keys: {{one: {{key: "${{CLIENT_KEY}}"}}}}
journal: {{path: journal}}
keeping: {{enabled: false}}
server: {{logs: {logs}, workers: {workers}}}
"""


def repeating(status: int):
    """An engine that repeats prompt and credential, as some do."""

    def script(request: Received):
        said = f"{request.headers.get('authorization')} {request.body!r}"
        error = {"message": said, "type": said[:50], "param": None, "code": said[:60]}
        return status_answer(status, {"error": error})(request)

    return script


def echoing(request: Received):
    """An engine whose answer names everything after what it was asked."""
    body = {"id": f"id-{ANSWER}", "model": "m", "object": "chat.completion", "choices": [
        {"index": 0, "finish_reason": PROMPT, "message": {"role": "assistant", "content": ANSWER}}
    ]}  # fmt: skip
    return status_answer(200, body)(request)


def send(port: int, body: object, *, path: str = "/v1/chat/completions", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, payload, named)
        response = connection.getresponse()
        with contextlib.suppress(http.client.IncompleteRead):
            response.read()
        return response.status
    finally:
        connection.close()


def chat(**fields: object) -> dict[str, object]:
    return {"model": "task:work", "messages": [{"role": "user", "content": PROMPT}], **fields}


def live(port: int, upstream: ScriptedUpstream) -> None:
    """Everything that clients and engines do, right and wrong."""
    known = {"authorization": f"Bearer {KEYS['CLIENT_KEY']}"}
    upstream.then(chat_answer(ANSWER), chat_stream(ANSWER), echoing)
    assert send(port, chat(), **known) == 200
    assert send(port, chat(stream=True), **known) == 200
    # its `id` is what feedback is named by, and so is passed on: see below
    assert send(port, chat(), **known) == 200
    for status in (400, 401, 404, 422, 429, 500, 503):
        upstream.then(*[repeating(status)] * 4)
        assert send(port, chat(stream=status == 400), **known) >= 400
        upstream.scripts.clear()
    for script in (
        cut(chat_stream(ANSWER), 300), malformed_event(), malformed_framing(),
        raw_answer(f"HTTP/1.1 200 {PROMPT}\r\n{ANSWER}: x\r\n\r\n{ANSWER}".encode()),
    ):  # fmt: skip
        upstream.then(*[script] * 4)
        send(port, chat(stream=True), **known)
        upstream.scripts.clear()
    for wrong in (
        PROMPT.encode(), b'{"model": "' + PROMPT.encode() + b'"}', {"model": PROMPT},
        chat(n=PROMPT), chat(model=PROMPT), chat(messages=PROMPT), chat(messages=[PROMPT]),
        chat(messages=[{"role": "user", "content": {"x": PROMPT}}]), chat(tools=PROMPT),
        chat(stream_options=PROMPT), b"[" * 100_000, b"\xff\xfe" + PROMPT.encode(),
        chat(response_format={"type": PROMPT}), chat(user=PROMPT, metadata={"x": PROMPT}),
    ):  # fmt: skip
        upstream.then(chat_answer("42"))
        assert send(port, wrong, **known) < 500
        upstream.scripts.clear()
    for key in (WRONG, f"Bearer {WRONG}", f"Basic {WRONG}"):
        assert send(port, chat(), authorization=key) == 401
    for path in (f"/v1/{PROMPT}", f"/{PROMPT}?{PROMPT}", "/v1/embeddings", "/v1/messages",
                 "/v1/responses", "/v1/completions", "/v1/rerank"):  # fmt: skip
        send(port, {"input": PROMPT, "model": "task:work", "prompt": PROMPT}, path=path, **known)
    for said in ({"trace": PROMPT, "kind": "accepted"}, {"trace": "tr_x", "kind": FEEDBACK},
                 {"id": PROMPT, "kind": "edited", "value": FEEDBACK}):  # fmt: skip
        send(port, said, path="/v1/feedback", **known)
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(f"{PROMPT} {PROMPT} HTTP/9\r\n{PROMPT}\r\n\r\n".encode())
        raw.recv(65536)
    with socket.create_connection(("127.0.0.1", port)) as raw:  # hangs up in its body
        raw.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n"
                    f"{PROMPT}".encode())  # fmt: skip


@pytest.mark.parametrize(("logs", "workers"), [("json", 1), ("text", 1), ("json", 2)])
def test_nothing_that_people_wrote_and_no_key_is_in_logs_metrics_or_spans(
    tmp_path: Path, logs: str, workers: int, skip_or_fail
) -> None:
    try:
        import opentelemetry.sdk  # noqa: F401
    except ImportError:
        skip_or_fail("otel", 'no OpenTelemetry: pip install "pointsman[otel]"')
    config = tmp_path / "pointsman.yaml"
    with Collector() as collector, ScriptedUpstream() as upstream:
        config.write_text(CONFIG.format(url=upstream.base_url, logs=logs, workers=workers))
        env = {**KEYS, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        with ServeProcess(config, "--log-level", "debug", env=env) as gateway:
            live(gateway.port, upstream)
            metrics = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
            metrics.request("GET", "/metrics")
            scraped = metrics.getresponse().read().decode()
            metrics.close()
            gateway.terminate()
            assert gateway.ended() == 0
            assert gateway.process.stdout is not None
            said = gateway.process.stdout.read() + "\n".join(gateway.said)
        assert any(KEYS["ENGINE_KEY"] in str(each.headers) for each in upstream.requests)
        sent = b"".join(body for _, _, body in collector.received).decode("latin-1")
        assert collector.spans, "telemetry was on"
    assert "task:work" in sent
    for where, text in (("logs", said), ("metrics", scraped), ("telemetry", sent)):
        # an answer's own id is an engine's word that outcomes are named by: not one of text
        text = text.replace(f"id-{ANSWER}", "")
        assert [planted for planted in PLANTED if planted in text] == [], where
    if logs == "json":
        # DuckDB has words of its own as the process ends: of these nothing is ours to form
        own = [line for line in gateway.said if not line.startswith(("nanobind", " - ", "See "))]
        lines = [json.loads(line) for line in own]
        assert all({"at", "level", "logger", "message"} <= set(line) for line in lines)
        assert any(line["logger"] == "pointsman.requests" for line in lines)
