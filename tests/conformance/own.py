"""Pointsman itself, configured as the page says, in a process of its own on a free port."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.bench import Bench
from tests.conformance.upstream import Upstream
from tests.support.processes import ServeProcess

KEY = "sk-conformance"
CONFIG = """
server: {{max_body_mb: 4}}
keys:
  examiner: {{key: {key}}}
journal: {{path: journal}}
keeping: {{enabled: false}}
deployments:
  conformance:
    model: conformance
    breaker: {{enabled: false}}
    retries: {{most: 0}}
    operations: [chat, completion, embedding, rerank]
    base_url: http://127.0.0.1:{port}/v1
    served_name: conformance-served
    price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}
    limits: {{first_token_timeout_s: 3, between_tokens_timeout_s: 3, timeout_s: 12}}
  conformance-refused:
    model: conformance
    breaker: {{enabled: false}}
    retries: {{most: 0}}
    operations: [chat, completion, embedding, rerank]
    base_url: http://127.0.0.1:{refusing}/v1
  conformance-bounded:
    model: conformance
    breaker: {{enabled: false}}
    retries: {{most: 0}}
    operations: [chat, completion, embedding, rerank]
    base_url: http://127.0.0.1:{port}/v1
    limits: {{max_answer_mb: 1, first_token_timeout_s: 3, between_tokens_timeout_s: 3}}
  conformance-patient:
    model: conformance
    breaker: {{enabled: false}}
    retries: {{most: 0}}
    operations: [chat, completion, embedding, rerank]
    base_url: http://127.0.0.1:{port}/v1
    limits: {{concurrency: 256}}
  first:
    model: conformance
    breaker: {{enabled: false}}
    retries: {{most: 0}}
    operations: [chat, completion, embedding, rerank]
    served_name: first
    base_url: http://127.0.0.1:{port}/v1
    limits: {{first_token_timeout_s: 3, between_tokens_timeout_s: 3, timeout_s: 12}}
  second:
    model: conformance
    breaker: {{enabled: false}}
    retries: {{most: 0}}
    operations: [chat, completion, embedding, rerank]
    served_name: second
    base_url: http://127.0.0.1:{port}/v1
    limits: {{first_token_timeout_s: 3, between_tokens_timeout_s: 3, timeout_s: 12}}
routes:
  fallback: {{steps: [first], fallbacks: [second], stream: direct}}
  guarded: {{steps: [first, second]}}
tasks:
  guarded:
    route: guarded
    verify: [{{name: allowed, expression: "!answer.contains('FORBIDDEN')"}}]
    gate: {{checks: [allowed]}}
aliases: {{conformance-fallback: fallback, conformance-guarded: "task:guarded"}}
"""


@contextmanager
def pointsman(folder: Path, upstream: Upstream, *, workers: int = 1) -> Iterator[Bench]:
    """A bench with Pointsman on it, answering in so many processes."""
    file = folder / "pointsman.yaml"
    text = CONFIG.format(key=KEY, port=upstream.port, refusing=upstream.refusing_port)
    file.write_text(text)
    with ServeProcess(file, "--workers", str(workers)) as gateway:
        yield Bench(url=gateway.url, upstream=upstream, key=KEY)
        if gateway.process.poll() is not None:
            raise AssertionError("the gateway ended:\n" + "\n".join(gateway.said[-50:]))
