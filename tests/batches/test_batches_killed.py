"""Processes that are killed, or run beside each other: every line stands in its output once."""

import http.client
import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pointsman.domain.records import End
from pointsman.journal import iter_records
from pointsman.testing import Play, Received, ScriptedUpstream, chat_answer
from tests.batches.batch_kit import FORM, asked, chat_body, form, lines
from tests.support.processes import ServeProcess

COUNT = 60


def slow_engine(request: Received) -> Play:
    text = request.json["messages"][-1]["content"]
    return chat_answer(f"re: {text}", after_s=0.02)(request)


def write_config(
    folder: Path, upstream: ScriptedUpstream, *, journal: str = "journal", **more: Any
) -> Path:
    """A file whose state and files are `folder`'s, whatever its journal."""
    config = folder / f"{journal}.yaml"
    said = {
        "deployments": {"only": {"model": "m", "base_url": upstream.base_url}},
        "journal": {"path": journal},
        "state": {"url": "sqlite:///shared.sqlite"},
        "keeping": {"enabled": False},
        "batches": {"path": "files", "concurrency": 3, "while_in_flight": 1000},
        **more,
    }
    config.write_text(json.dumps(said))
    return config


def call(port: int, method: str, path: str, body: bytes | None = None, kind: str = "") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"content-type": kind} if kind else {})
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data
        return data
    finally:
        connection.close()


def begin(port: int, content: bytes) -> str:
    file = json.loads(call(port, "POST", "/v1/files", form(content), FORM))
    said = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions"}
    body = json.dumps({**said, "completion_window": "24h"}).encode()
    return str(json.loads(call(port, "POST", "/v1/batches", body))["id"])


def wait_over(port: int, batch: str) -> dict[str, Any]:
    deadline = time.monotonic() + 100
    while True:
        found: dict[str, Any] = json.loads(call(port, "GET", f"/v1/batches/{batch}"))
        if found["status"] in ("completed", "failed", "expired", "cancelled"):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def inputs(texts: list[str]) -> bytes:
    return lines(*(chat_body(text, model="only") for text in texts))


def texts_of(port: int, batch: dict[str, Any]) -> list[str]:
    data = call(port, "GET", f"/v1/files/{batch['output_file_id']}/content")
    found = [json.loads(row) for row in data.splitlines()]
    assert [row["custom_id"] for row in found] == [f"line-{at}" for at in range(len(found))]
    return [row["response"]["body"]["choices"][0]["message"]["content"] for row in found]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.deep)])
@pytest.mark.timeout(240)
def test_a_batch_survives_kill_9_again_and_again(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    texts = [f"text {at}" for at in range(COUNT)]
    kills = 3
    with ScriptedUpstream(default=slow_engine) as upstream:
        config = write_config(tmp_path, upstream)
        batch = ""
        for _ in range(kills):
            with ServeProcess(config) as gateway:
                batch = batch or begin(gateway.port, inputs(texts))
                seen = len(upstream.requests) + chance.randrange(1, COUNT // (kills + 1))
                upstream.wait_request(seen, timeout_s=60)
                time.sleep(chance.uniform(0, 0.03))
                gateway.kill()
        with ServeProcess(config) as gateway:
            found = wait_over(gateway.port, batch)
            assert found["status"] == "completed"
            assert found["request_counts"] == {"total": COUNT, "completed": COUNT, "failed": 0}
            assert texts_of(gateway.port, found) == [f"re: {text}" for text in texts]
        times = Counter(asked(upstream))
    assert set(times) == set(texts)
    again = sum(times.values()) - COUNT
    assert again <= 3 * kills  # only lines in flight at a kill were asked again
    ended = Counter(r.status for r in iter_records(tmp_path / "journal") if isinstance(r, End))
    assert ended["delivered"] >= COUNT
    left = {path.name for path in (tmp_path / "files").iterdir()}
    assert left == {"store", found["input_file_id"], found["output_file_id"]}


@pytest.mark.timeout(240)
def test_two_gateways_on_one_state_ask_each_line_once_and_one_takes_over(tmp_path: Path) -> None:
    texts = [f"text {at}" for at in range(COUNT)]
    with ScriptedUpstream(default=slow_engine) as upstream:
        one = write_config(tmp_path, upstream, journal="one")
        two = write_config(tmp_path, upstream, journal="two")
        with ServeProcess(one) as first, ServeProcess(two) as second:
            batch = begin(second.port, inputs(texts))
            found = wait_over(first.port, batch)
            assert texts_of(first.port, found) == [f"re: {text}" for text in texts]
            assert texts_of(second.port, found) == [f"re: {text}" for text in texts]
            assert sorted(asked(upstream)) == sorted(texts)
            # whichever runs it is killed half way, and the other goes on
            before = len(upstream.requests)
            batch = begin(first.port, inputs(texts))
            upstream.wait_request(before + COUNT // 3, timeout_s=60)
            runs_first = any(isinstance(record, End) for record in iter_records(tmp_path / "one"))
            running, other = (first, second) if runs_first else (second, first)
            running.kill()
            found = wait_over(other.port, batch)
            assert texts_of(other.port, found) == [f"re: {text}" for text in texts]
            assert found["request_counts"]["completed"] == COUNT
            again = Counter(asked(upstream)[before:])
            assert sum(again.values()) - COUNT <= 3


def test_any_worker_answers_about_batches_and_one_runs_them(tmp_path: Path) -> None:
    texts = [f"text {at}" for at in range(20)]
    with ScriptedUpstream(default=slow_engine) as upstream:
        config = write_config(tmp_path, upstream, server={"workers": 2})
        with ServeProcess(config) as gateway:
            batches = [begin(gateway.port, inputs(texts)) for _ in range(2)]
            for batch in batches:
                found = wait_over(gateway.port, batch)
                assert texts_of(gateway.port, found) == [f"re: {text}" for text in texts]
        assert set(Counter(asked(upstream)).values()) == {2}
