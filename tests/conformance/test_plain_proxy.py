"""The suite can fail: what nginx, forwarding and nothing else, does not do for a client."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.nginx import installed, nginx
from tests.conformance.suite import all_cases, run_all
from tests.conformance.upstream import Upstream

# On chat, whole and streamed. Forwarding is enough for the first list and not for the second.
PASSED = (
    "early/429/chat", "framing/plain/chat", "framing/in-pieces-of-1/chat-stream",
    "content/tool-call/chat-stream", "usage/plain-asked/chat-stream",
    "forwarding/unknown-fields/chat", "delivery/slow-reader/chat-stream",
    "delivery/client-closes-waiting/chat", "smuggling/length-and-chunked/door",
)  # fmt: skip
FAILED = (
    "early/closes/chat", "early/502-html/chat", "early/overflow-vllm/chat",
    "early/truncated-json/chat", "early/length-too-short/chat", "early/error-in-200/chat-stream",
    "early/stall-before-token/chat-stream", "late/cut/chat-stream",
    "late/stall-between-tokens/chat-stream", "late/malformed-chunk/chat-stream",
    "fallback/500/chat", "framing/crlf/chat-stream", "content/tool-without-index/chat-stream",
    "usage/usage-unasked-unasked/chat-stream", "forwarding/key-stays/chat",
    "refusing/bad-json/chat", "refusing/unknown-model/chat", "own/request-id-echoed/chat",
    "own/live/door",
)  # fmt: skip


def test_a_plain_proxy_passes_what_is_only_forwarding_and_fails_the_rest(
    tmp_path: Path, skip_or_fail: Callable[[str, str], None]
) -> None:
    if not installed():
        skip_or_fail("nginx", "nginx is not installed: there is no plain proxy to examine")
    by_name = {case.name: case for case in all_cases()}
    with Upstream(0) as upstream, nginx(tmp_path, upstream) as bench:
        results = run_all(bench, [by_name[name] for name in (*PASSED, *FAILED)])
    found = {result.case.name: result.status for result in results}
    assert found == {**dict.fromkeys(PASSED, "pass"), **dict.fromkeys(FAILED, "fail")}


@pytest.mark.parametrize("name", ["early/502-html/chat", "late/cut/chat-stream"])
def test_a_failure_says_what_was_expected_and_what_came(name: str) -> None:
    """Pointed at its own upstream, with no gateway between."""
    from tests.conformance.bench import Bench
    from tests.conformance.report import as_json, as_text

    [case] = [case for case in all_cases() if case.name == name]
    with Upstream(0) as upstream:
        bench = Bench(url=f"http://127.0.0.1:{upstream.port}/v1", upstream=upstream)
        results = run_all(bench, [case])
    [told] = as_json("x", results)["cases"]
    assert told["status"] == "fail"
    assert told["what"]
    assert "HTTP/1.1" in told["got"] or "data:" in told["got"]
    text = as_text(results)
    assert f"FAIL {name}" in text
    assert "0 of 1 cases pass, 1 fail" in text
