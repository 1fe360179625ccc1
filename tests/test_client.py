"""The nouns for programs: a running gateway over HTTP, and the journal beside it."""

import json
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

import pointsman
from pointsman import Client, Workspace
from pointsman.domain.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    PointsmanError,
    RateLimited,
    Unauthenticated,
    UpstreamError,
    UpstreamTimeout,
    UsageError,
)
from pointsman.domain.task import Key
from pointsman.testing import (
    ScriptedUpstream,
    chat_answer,
    chat_stream,
    cut,
    free_port,
    raw_answer,
    silence,
    status_answer,
)
from tests.support.gateway import RunningGateway, a_config, a_deployment


@pytest.fixture
def upstream():
    with ScriptedUpstream() as one:
        yield one


@pytest.fixture
def gateway(tmp_path: Path, upstream: ScriptedUpstream):
    config = a_config(tmp_path / "journal", [a_deployment("small", upstream.base_url)], gate=None)
    with RunningGateway(config) as running:
        yield running


def text_of(chunks: list[dict[str, Any]]) -> str:
    return "".join(
        choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]
    )


class TestClient:
    def test_an_answer_comes_with_its_trace_and_deployment(self, gateway, upstream) -> None:
        upstream.then(chat_answer("42"))
        answer = Client(gateway.url).ask("six times seven", model="task:work", temperature=0)
        assert answer["choices"][0]["message"]["content"] == "42"
        assert answer["x_deployment"] == "small"
        assert answer["x_trace"] == gateway.rows()[0]["trace"]
        assert upstream.requests[0].json["temperature"] == 0

    def test_a_list_of_messages_is_sent_as_it_is(self, gateway, upstream) -> None:
        messages = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
        Client(gateway.url + "/").ask(messages)
        assert upstream.requests[0].json["messages"] == messages

    def test_a_stream_comes_in_chunks_with_its_trace(self, gateway, upstream) -> None:
        upstream.then(chat_stream("four ty two"))
        chunks = list(Client(gateway.url).stream("six times seven"))
        assert text_of(chunks) == "four ty two"
        assert {chunk["x_trace"] for chunk in chunks} == {gateway.rows()[0]["trace"]}

    def test_a_stream_that_breaks_off_raises_after_what_it_gave(self, gateway, upstream) -> None:
        upstream.then(cut(chat_stream("one two three four"), 700))
        got: list[dict[str, Any]] = []
        with pytest.raises(UpstreamError, match="broke off"):
            got.extend(Client(gateway.url).stream("count"))
        assert gateway.rows()[0]["status"] == "cut"

    def test_a_stream_without_its_end_raises(self, upstream) -> None:
        upstream.then(chat_stream("one two", done=False))
        with pytest.raises(UpstreamError, match="ended before its answer did"):
            list(Client(upstream.base_url).stream("count"))

    def test_leaving_a_stream_early_lets_go_of_the_connection(self, gateway, upstream) -> None:
        upstream.then(chat_stream("one two three", every_s=0.01))
        chunks = Client(gateway.url).stream("count")
        next(chunks)
        chunks.close()
        assert upstream.requests[0].cancelled.wait(5)

    def test_feedback_is_recorded_by_trace_and_by_response_id(self, gateway, upstream) -> None:
        client = Client(gateway.url)
        answer = client.ask("hello")
        first = client.add_feedback(answer["x_trace"], "accepted", key="k")
        again = client.add_feedback(answer["x_trace"], "accepted", key="k")
        other = client.add_feedback(answer["id"], "edited", value=0.4)
        assert first == again
        assert other["trace"] == answer["x_trace"]
        rows = gateway.rows("outcomes")
        assert [(row["outcome"], row["value"]) for row in rows] == [
            ("accepted", None),
            ("edited", "0.4"),
        ]

    def test_models_are_what_may_be_asked(self, gateway) -> None:
        assert Client(gateway.url).models() == [
            "task:work", "route:main", "small", "gpt-4o", "auto",
        ]  # fmt: skip

    def test_errors_come_back_as_the_class_that_the_gateway_raised(self, gateway, upstream) -> None:
        client = Client(gateway.url)
        with pytest.raises(NotFound, match="not known here") as unknown:
            client.ask("hello", model="task:wrk")
        assert (unknown.value.reported_code, unknown.value.status) == ("model_not_found", 404)
        assert unknown.value.param == "model"
        with pytest.raises(InvalidRequest):
            client.ask("hello", n=0)
        with pytest.raises(NotFound):
            client.add_feedback("tr_unknown", "accepted")
        upstream.then(status_answer(429, headers=[("retry-after", "7")]))
        with pytest.raises(RateLimited) as limited:
            client.ask("hello")
        assert limited.value.retry_after_s == 7
        upstream.then(status_answer(500))
        with pytest.raises(UpstreamError, match="small: server_error"):
            list(client.stream("hello"))
        upstream.then(silence())
        with pytest.raises(UpstreamTimeout):
            client.ask("hello")

    def test_a_key_opens_what_it_may(self, tmp_path: Path, upstream) -> None:
        import hashlib

        key = Key(name="one", sha256=hashlib.sha256(b"k1").hexdigest(), tasks=("work",))
        config = a_config(tmp_path, [a_deployment("small", upstream.base_url)], keys=[key])
        with RunningGateway(config) as running:
            assert Client(running.url, api_key="k1").models() == ["task:work", "gpt-4o", "auto"]
            with pytest.raises(Unauthenticated):
                Client(running.url).ask("hello")
            with pytest.raises(Forbidden):
                Client(running.url, api_key="k1").ask("hello", model="small")

    @pytest.mark.parametrize(
        "body", [b"<html></html>", b"[1]", b"", b'{"error": "text"}', b'{"error": ["x"]}', b"\xff"]
    )
    @pytest.mark.parametrize("status", [200, 302, 500])
    def test_an_answer_of_something_else_is_an_error_of_ours(
        self, upstream, status: int, body: bytes
    ) -> None:
        upstream.default = raw_answer(
            b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b\n" % (status, len(body) + 1, body)
        )
        client = Client(upstream.base_url)
        with pytest.raises(UpstreamError):
            list(client.stream("hello"))
        if not (status == 200 and body.startswith(b"{")):
            with pytest.raises(UpstreamError):
                client.ask("hello")

    @pytest.mark.parametrize("event", [b"{", b"[]", b"7", b'{"error": "full"}'])
    def test_an_event_that_is_no_chunk_is_an_error_of_ours(self, upstream, event: bytes) -> None:
        data = b"data: " + event + b"\n\n"
        upstream.default = raw_answer(
            b"HTTP/1.1 200 X\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data)
        )
        with pytest.raises(UpstreamError):
            list(Client(upstream.base_url).stream("hello"))

    def test_no_gateway_is_an_error_with_the_command_that_starts_one(self) -> None:
        with pytest.raises(UpstreamError) as error:
            Client(f"http://127.0.0.1:{free_port()}/v1").ask("hello")
        assert error.value.next == "start one with `pointsman serve`"

    def test_a_gateway_that_says_nothing_is_not_waited_for_for_ever(self, upstream) -> None:
        upstream.default = silence()
        with pytest.raises(UpstreamError):
            Client(upstream.base_url, timeout_s=0.05).ask("hello")

    @pytest.mark.parametrize(
        "url", ["", "127.0.0.1:4100", "ftp://x/v1", "http://", "http://[::1", "http://x:99999/v1"]
    )
    def test_what_is_no_url_is_a_usage_error(self, url: str) -> None:
        with pytest.raises(UsageError):
            Client(url)

    def test_a_name_in_the_url_does_not_show_its_password(self) -> None:
        with pytest.raises(UpstreamError) as error:
            Client(f"http://me:pass-word@127.0.0.1:{free_port()}/v1").ask("hello")
        assert "pass-word" not in str(error.value)

    def test_many_threads_may_share_one(self, gateway) -> None:
        client, answers = Client(gateway.url), []
        threads = [
            threading.Thread(target=lambda: answers.append(client.ask("hello")["x_trace"]))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(set(answers)) == 8


class TestWorkspace:
    def test_it_reads_what_a_running_gateway_wrote(self, gateway, upstream) -> None:
        upstream.then(chat_answer("42"))
        answer = Client(gateway.url).ask("six times seven", model="task:work")
        with Workspace(gateway.config) as workspace:
            [row] = workspace.traces()
            assert row["trace"] == answer["x_trace"]
            [attempt] = workspace.attempts()
            assert attempt["deployment"] == "small"
            found = workspace.trace(answer["id"])
            assert found == workspace.trace(answer["x_trace"])
            assert found["end"]["status"] == "delivered"
            assert "six times seven" in found["request_body"]
            assert json.loads(found["response_body"])["id"] == answer["id"]
            assert workspace.faults == ()
            with pytest.raises(NotFound):
                workspace.trace("tr_unknown")

    def test_feedback_beside_a_running_gateway_counts_in_the_report(self, gateway) -> None:
        client = Client(gateway.url)
        traces = [client.ask("hello", model="task:work")["x_trace"] for _ in range(3)]
        seen: list[int] = []
        with Workspace(gateway.config) as workspace:
            done, refused = workspace.add_feedback(
                [
                    {"trace": traces[0], "kind": "accepted"},
                    {"trace": traces[1], "kind": "rejected"},
                    {"trace": "tr_unknown", "kind": "accepted"},
                    {"trace": traces[2]},
                ],
                progress=seen.append,
            )
            assert done == 2
            assert [item.row for item in refused] == [3, 4]
            assert seen == [1, 2, 3, 4]
            [task] = workspace.report().tasks
            assert (task.total.accepted.value, task.total.accepted.n) == (0.5, 2)
            assert workspace.report(task="work").tasks == (task,)
            with pytest.raises(UsageError):
                workspace.report(task="unknown")
            assert workspace.report(since_us=2**60).tasks == ()

    def test_sealing_keeps_every_answer_and_the_chain(self, gateway) -> None:
        client = Client(gateway.url)
        trace = client.ask("hello", model="task:work")["x_trace"]
        with Workspace(gateway.config) as workspace:
            workspace.add_feedback([{"trace": trace, "kind": "accepted"}])
            before = workspace.trace(trace)
            report = workspace.seal()
            assert (report.state, report.live) == ("sealed", 1)  # the gateway's own is still held
            assert workspace.trace(trace) == before
            verified = workspace.verify()
            assert verified.ok
            assert verified.sealed_files == 1

    def test_bodies_past_their_retention_are_erased_and_nothing_else(
        self, tmp_path: Path, upstream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = a_config(
            tmp_path, [a_deployment("small", upstream.base_url)], task={"retention_days": 1}
        )
        with RunningGateway(config) as running:
            old = Client(running.url).ask("an old secret", model="task:work")["x_trace"]
            kept = Client(running.url).ask("kept for longer", model="small")["x_trace"]
        with Workspace(config) as workspace:
            assert workspace.expire() == 0
            now_us = workspace._clock.now_us()
            monkeypatch.setattr(workspace._clock, "now_us", lambda: now_us + 2 * 86_400_000_000)
            workspace.seal()
            assert workspace.expire() == 2
            assert workspace.expire() == 0
            found = workspace.trace(old)
            assert (found["request_body"], found["response_body"]) == (None, None)
            assert found["end"]["status"] == "delivered"
            assert "kept for longer" in workspace.trace(kept)["request_body"]
            assert workspace.verify().ok
        packs = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert b"an old secret" not in packs
        assert b"kept for longer" in packs

    def test_it_opens_from_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "pointsman.yaml"
        file.write_text("deployments: {a: {model: m, base_url: 'http://127.0.0.1:9/v1'}}\n")
        with Workspace.open(file) as workspace:
            assert list(workspace.config.deployments) == ["a"]
        with pytest.raises(PointsmanError):
            Workspace.open(tmp_path / "nosuch.yaml")


def test_the_package_shows_its_names_and_no_others() -> None:
    assert pointsman.Client is Client
    assert pointsman.Workspace is Workspace
    with pytest.raises(AttributeError):
        _ = pointsman.Clientele  # type: ignore[attr-defined]


def test_a_report_can_be_written_as_json(gateway) -> None:
    Client(gateway.url).ask("hello")
    with Workspace(gateway.config) as workspace:
        document = json.loads(msgspec.json.encode(workspace.report()))
    assert document["tasks"][0]["total"]["requests"] == 1
