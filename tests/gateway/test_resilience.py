"""Queues, deadlines, retries and breakers, end to end: real sockets, scripted upstreams."""

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest
from tests.support.gateway import Answer, RunningGateway, a_config, a_deployment

from pointsman.domain.portfolio import BreakerRules, Limits, ProbeRules, RetryRules
from pointsman.domain.records import Admission
from pointsman.domain.task import Key
from pointsman.journal import iter_records
from pointsman.testing import (
    Flag,
    ScriptedUpstream,
    chat_answer,
    chat_stream,
    free_port,
    silence,
    status_answer,
)

NO_RETRIES = RetryRules(most=0)
UNPROBED = ProbeRules(when="never")
QUICK = BreakerRules(failures=3, open_s=0.2, probes=1)


def one(limit: int = 1, **changes: Any) -> Limits:
    known = {"concurrency": limit, "connect_timeout_s": 1, "first_token_timeout_s": 5,
             "between_tokens_timeout_s": 1, "timeout_s": 10, "queue_timeout_s": 5}  # fmt: skip
    return Limits(**{**known, **changes})


def a_gateway(tmp_path, *deployments, **changes) -> RunningGateway:
    settings = {"gate": None, "steps": [deployments[0].name],
                "fallbacks": [each.name for each in deployments[1:]], **changes}  # fmt: skip
    return RunningGateway(a_config(tmp_path, list(deployments), **settings))


def until(condition: Callable[[], bool], within_s: float = 30) -> None:
    by = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < by, "it never came about"
        time.sleep(0.002)


def standing(gateway: RunningGateway, name: str = "d") -> dict[str, Any]:
    found: dict[str, Any] = gateway.request("GET", "/readyz").json["standing"][name]
    return found


def waiting(gateway: RunningGateway, count: int) -> None:
    until(lambda: standing(gateway)["waiting"] == count)


def attempts_of(gateway: RunningGateway) -> list[dict[str, Any]]:
    return gateway.rows("attempts")


def a_key(name: str) -> Key:
    return Key(name=name, sha256=sha256(f"sk-{name}".encode()).hexdigest(), tenant=name)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(16) as threads:
        yield threads


@pytest.fixture
def upstream():
    with ScriptedUpstream() as upstream:
        yield upstream


# Places and the queue


def test_who_waits_is_answered_and_only_its_wait_is_recorded(tmp_path, pool, upstream):
    flag = Flag()
    upstream.then(chat_answer("first", once=flag))
    deployment = a_deployment("d", upstream.base_url, limits=one())
    with a_gateway(tmp_path, deployment) as gateway:
        first = pool.submit(gateway.chat)
        upstream.wait_request(1)
        second = pool.submit(gateway.chat)
        waiting(gateway, 1)
        assert len(upstream.requests) == 1
        counted = gateway.request("GET", "/metrics").body.decode()
        assert 'pointsman_queue_waiting{deployment="d"} 1' in counted
        flag.set()
        assert [first.result().status, second.result().status] == [200, 200]
        assert standing(gateway)["running"] == standing(gateway)["waiting"] == 0
    queued = sorted(
        attempt.queued_ms
        for record in iter_records(gateway.config.journal.path)
        for attempt in getattr(record, "attempts", ())
    )
    assert queued[0] == 0
    assert queued[1] > 0


def test_a_tenant_with_one_request_does_not_wait_for_another_ones_flood(tmp_path, pool, upstream):
    flag = Flag()
    upstream.then(chat_answer("first", once=flag))
    keys = [a_key(name) for name in ("flood", "quiet")]
    deployment = a_deployment("d", upstream.base_url, limits=one())
    with a_gateway(tmp_path, deployment, keys=keys) as gateway:

        def chat(name: str) -> Answer:
            return gateway.chat(name, headers={"authorization": f"Bearer sk-{name}"})

        asked = [pool.submit(chat, "flood")]
        upstream.wait_request(1)
        for count in range(6):
            asked.append(pool.submit(chat, "flood"))
            waiting(gateway, count + 1)
        asked.append(pool.submit(chat, "quiet"))
        waiting(gateway, 7)
        flag.set()
        assert all(each.result().status == 200 for each in asked)
    order = [each.json["messages"][0]["content"] for each in upstream.requests]
    assert "quiet" in order[1:3]


def test_a_full_queue_is_told_at_once_and_when_to_come_back(tmp_path, pool, upstream):
    flag = Flag()
    upstream.then(chat_answer("first", once=flag))
    deployment = a_deployment("d", upstream.base_url, limits=one(queue=0))
    with a_gateway(tmp_path, deployment) as gateway:
        first = pool.submit(gateway.chat)
        upstream.wait_request(1)
        refused = gateway.chat()
        assert (refused.status, refused.json["error"]["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        flag.set()
        assert first.result().status == 200
    assert len(upstream.requests) == 1


def test_who_waits_too_long_is_answered_by_another_deployment(tmp_path, pool, upstream):
    flag = Flag()
    upstream.then(chat_answer("first", once=flag))
    with ScriptedUpstream() as other:
        deployments = [
            a_deployment("d", upstream.base_url, limits=one(queue_timeout_s=0.05)),
            a_deployment("other", other.base_url),
        ]
        with a_gateway(tmp_path, *deployments) as gateway:
            first = pool.submit(gateway.chat)
            upstream.wait_request(1)
            second = gateway.chat()
            assert second.status == 200
            assert second.headers["x-pointsman-deployment"] == "other"
            flag.set()
            assert first.result().status == 200
            kinds = [row["failure"] for row in attempts_of(gateway)]
    assert sorted(kind for kind in kinds if kind) == ["busy"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_wait_counts_in_the_requests_own_time(tmp_path, upstream, stream):
    deployment = a_deployment("d", upstream.base_url, limits=one())
    with a_gateway(tmp_path, deployment, server={"request_timeout_s": 0.2}) as gateway:
        assert gateway.app is not None
        assert gateway.app.accesses.by_name["d"].places.take()  # by one that never leaves
        late = gateway.chat(stream=stream)
        assert (late.status, late.json["error"]["code"]) == (504, "upstream_timeout")
        [row] = attempts_of(gateway)
        assert (row["failure"], row["cost_usd_picos"]) == ("total_timeout", 0)
    assert upstream.requests == []


def test_a_client_that_hangs_up_while_it_waits_frees_its_place_in_the_line(
    tmp_path, pool, upstream
):
    flag = Flag()
    upstream.then(chat_answer("first", once=flag))
    deployment = a_deployment("d", upstream.base_url, limits=one())
    with a_gateway(tmp_path, deployment) as gateway:
        first = pool.submit(gateway.chat)
        upstream.wait_request(1)
        body = json.dumps({"model": "task:work", "messages": [{"role": "user", "content": "x"}]})
        gone = socket.create_connection(("127.0.0.1", gateway.port))
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost"
        head += f"\r\ncontent-length: {len(body)}"
        gone.sendall(f"{head}\r\n\r\n{body}".encode())
        waiting(gateway, 1)
        gone.close()
        waiting(gateway, 0)
        flag.set()
        assert first.result().status == 200
        assert gateway.chat().status == 200
        until(lambda: len(gateway.rows()) == 3)
        [cancelled] = [row for row in attempts_of(gateway) if row["failure"] == "cancelled"]
    assert cancelled["cost_usd_picos"] == 0, "nothing was asked of an engine"
    assert len(upstream.requests) == 2


def test_what_waits_when_the_gateway_is_told_to_stop_is_still_answered(tmp_path, pool, upstream):
    flag = Flag()
    upstream.then(chat_stream("one two", once=flag), chat_answer("queued"))
    deployment = a_deployment("d", upstream.base_url, limits=one())
    with a_gateway(tmp_path, deployment) as gateway:
        streamed = pool.submit(lambda: gateway.chat(stream=True))
        upstream.wait_request(1)
        queued = pool.submit(gateway.chat)
        waiting(gateway, 1)
        threading.Timer(0.3, flag.set).start()  # while it drains
    assert streamed.result().text == "one two"
    assert queued.result().json["choices"][0]["message"]["content"] == "queued"


# Deadlines


def test_each_step_gets_what_is_left_of_the_requests_time(tmp_path, upstream):
    upstream.then(silence())
    with ScriptedUpstream() as other:
        deployments = [
            a_deployment("d", upstream.base_url, limits=one()),
            a_deployment("other", other.base_url),
        ]
        with a_gateway(tmp_path, *deployments, server={"request_timeout_s": 0.3}) as gateway:
            answer = gateway.chat()
            assert (answer.status, answer.json["error"]["code"]) == (504, "upstream_timeout")
            assert [row["failure"] for row in attempts_of(gateway)] == ["total_timeout"] * 2
            assert standing(gateway)["health"] == "well", "the request had too little time"
        assert other.requests == []


# Retries


def test_an_upstream_that_turns_a_request_away_is_asked_again_when_it_said(tmp_path, upstream):
    upstream.then(status_answer(429, headers=[("retry-after-ms", "50")]), status_answer(503))
    with a_gateway(tmp_path, a_deployment("d", upstream.base_url)) as gateway:
        answer = gateway.chat()
        assert answer.status == 200
        assert answer.headers["x-pointsman-attempts"] == "3"
        rows = attempts_of(gateway)
    assert [row["failure"] for row in rows] == ["rate_limited", "server_error", None]
    assert {row["step"] for row in rows} == {0}


@pytest.mark.parametrize("failure", [status_answer(500), status_answer(400)])
def test_what_may_have_generated_or_will_fail_again_is_not_sent_twice(tmp_path, upstream, failure):
    upstream.then(failure)
    with a_gateway(tmp_path, a_deployment("d", upstream.base_url)) as gateway:
        assert gateway.chat().status != 200
    assert len(upstream.requests) == 1


def test_another_step_is_asked_before_anything_is_sent_again(tmp_path, upstream):
    upstream.then(status_answer(503))
    with ScriptedUpstream() as other:
        deployments = [a_deployment("d", upstream.base_url), a_deployment("o", other.base_url)]
        with a_gateway(tmp_path, *deployments) as gateway:
            assert gateway.chat().headers["x-pointsman-deployment"] == "o"
    assert len(upstream.requests) == 1


def test_who_asks_for_a_long_rest_is_not_waited_for_and_the_client_is_told(tmp_path, upstream):
    upstream.then(status_answer(429, headers=[("retry-after", "17")]))
    with a_gateway(tmp_path, a_deployment("d", upstream.base_url)) as gateway:
        answer = gateway.chat()
        assert (answer.status, answer.headers["retry-after"]) == (429, "17")
        assert standing(gateway)["health"] == "resting"


def test_a_storm_of_429_is_answered_with_few_retries(tmp_path, pool, upstream):
    upstream.default = status_answer(429)
    deployment = a_deployment("d", upstream.base_url, retries=RetryRules(budget=0.2, floor=2))
    with a_gateway(tmp_path, deployment) as gateway:
        answers = list(pool.map(lambda _: gateway.chat(), range(40)))
    assert {each.status for each in answers} == {429}
    assert 40 < len(upstream.requests) <= 40 + 2 + 0.2 * 40


def test_a_refused_connection_is_tried_again_and_told_in_the_end(tmp_path):
    url = f"http://127.0.0.1:{free_port()}/v1"
    with a_gateway(tmp_path, a_deployment("d", url)) as gateway:
        answer = gateway.chat()
        assert (answer.status, answer.json["error"]["code"]) == (502, "upstream_unavailable")
        assert [row["failure"] for row in attempts_of(gateway)] == ["refused"] * 3


# The breaker


def test_an_engine_that_died_is_left_alone_and_taken_back_when_it_returns(
    tmp_path, upstream, caplog
):
    caplog.set_level(logging.INFO, "pointsman")
    upstream.default = status_answer(500)
    with ScriptedUpstream() as other:
        deployments = [
            a_deployment("d", upstream.base_url, breaker=QUICK, probe=UNPROBED),
            a_deployment("other", other.base_url),
        ]
        with a_gateway(tmp_path, *deployments) as gateway:
            for _ in range(3):
                assert gateway.chat().status == 200
            assert standing(gateway)["health"] in ("open", "half_open")
            before = len(upstream.requests)
            told = [gateway.chat().headers["x-pointsman-attempts"] for _ in range(3)]
            assert "1" in told, "while it is open nobody is sent there first"
            assert len(upstream.requests) <= before + 3
            upstream.default = chat_answer("back")
            until(lambda: gateway.chat().headers["x-pointsman-deployment"] == "d")
            assert standing(gateway)["health"] == "well"
            counted = gateway.request("GET", "/metrics").body.decode()
    openings = int(
        re.findall(r'pointsman_breaker_openings_total{deployment="d"} (\d+)', counted)[0]
    )
    assert openings >= 1
    assert 'pointsman_breaker{deployment="d",phase="open"} 0' in counted
    said = [each.message for each in caplog.records if each.message.startswith("deployment d:")]
    assert "left alone" in said[0]
    assert "called as usual" in said[-1]
    assert sum("left alone" in each.split(",")[0] for each in said) == openings
    assert len(said) == 2 * openings + 1, "once for each change, not for each request"


def test_where_it_may_be_no_last_resort_clients_are_told_at_once(tmp_path, upstream):
    upstream.default = status_answer(500)
    rules = BreakerRules(failures=2, open_s=60, last_resort=False)
    deployment = a_deployment("d", upstream.base_url, breaker=rules, probe=UNPROBED)
    with a_gateway(tmp_path, deployment) as gateway:
        assert [gateway.chat().status for _ in range(2)] == [502, 502]
        answer = gateway.chat()
        assert (answer.status, answer.json["error"]["code"]) == (503, "overloaded")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert standing(gateway)["back_in_s"] > 0
        assert gateway.request("GET", "/readyz").status == 200
    assert len(upstream.requests) == 2
    *_, admission = [r for r in iter_records(gateway.config.journal.path)
                     if isinstance(r, Admission)]  # fmt: skip
    assert admission.decision.plan.steps == ()
    assert admission.decision.unwell[0].state == "open"


def test_as_a_last_resort_it_is_asked_all_the_same(tmp_path, upstream):
    upstream.default = status_answer(500)
    rules = BreakerRules(failures=2, open_s=60)
    deployment = a_deployment("d", upstream.base_url, breaker=rules, probe=UNPROBED)
    with a_gateway(tmp_path, deployment) as gateway:
        assert [gateway.chat().status for _ in range(3)] == [502] * 3
        upstream.default = chat_answer("back")
        assert gateway.chat().status == 200
        assert gateway.chat().status == 200
        assert standing(gateway)["health"] == "well"


def test_faults_of_requests_do_not_open_it(tmp_path, upstream):
    upstream.default = status_answer(400)
    deployment = a_deployment("d", upstream.base_url, breaker=QUICK)
    with a_gateway(tmp_path, deployment) as gateway:
        assert [gateway.chat().status for _ in range(5)] == [400] * 5
        assert standing(gateway)["health"] == "well"


# Shedding


def test_more_requests_at_once_than_may_be_are_told_so_before_they_are_read(
    tmp_path, pool, upstream
):
    flag = Flag()
    upstream.default = chat_answer("ok", once=flag)
    deployment = a_deployment("d", upstream.base_url)
    with a_gateway(tmp_path, deployment, server={"max_in_flight": 2}) as gateway:
        running: list[Future[Answer]] = [pool.submit(gateway.chat) for _ in range(2)]
        upstream.wait_request(2)
        answer = gateway.request("POST", "/v1/chat/completions", b"not even JSON")
        assert (answer.status, answer.json["error"]["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "1"
        assert gateway.request("GET", "/healthz").status == 200
        flag.set()
        assert [each.result().status for each in running] == [200, 200]
        assert gateway.chat().status == 200


# Probes


def test_a_probe_that_finds_it_there_lets_real_traffic_try_it_and_calls_no_model(
    tmp_path, upstream
):
    upstream.default = status_answer(500)
    deployment = a_deployment(
        "d",
        upstream.base_url,
        engine="vllm",
        breaker=BreakerRules(failures=2, open_s=600, probes=1, last_resort=False),
        probe=ProbeRules(every_s=0.1, timeout_s=1),
    )
    with a_gateway(tmp_path, deployment) as gateway:
        assert [gateway.chat().status for _ in range(2)] == [502, 502]
        assert gateway.chat().status == 503
        until(lambda: len(upstream.requests) >= 4)
        assert standing(gateway)["health"] == "open", "an engine that says 500 is not back"
        upstream.default = chat_answer("back")
        until(lambda: standing(gateway)["health"] == "half_open")
        assert gateway.chat().status == 200
        assert standing(gateway)["health"] == "well"
        seen = [(each.method, each.target) for each in list(upstream.requests)]
    probes = [each for each in seen if each[0] == "GET"]
    assert set(probes) == {("GET", "/health")}
    assert len(seen) - len(probes) == 3


def test_where_it_is_always_probed_an_engine_that_died_is_left_alone_before_anybody_asks(
    tmp_path,
):
    url = f"http://127.0.0.1:{free_port()}/v1"
    probe = ProbeRules(when="always", every_s=0.1, timeout_s=1)
    with a_gateway(tmp_path, a_deployment("d", url, probe=probe)) as gateway:
        until(lambda: standing(gateway)["health"] == "open")
        assert gateway.rows() == []


def test_no_look_at_how_the_gateway_is_asks_an_engine_anything(tmp_path, upstream):
    probe = ProbeRules(when="never")
    with a_gateway(tmp_path, a_deployment("d", upstream.base_url, probe=probe)) as gateway:
        for path in ("/healthz", "/readyz", "/metrics") * 3:
            assert gateway.request("GET", path).status == 200
    assert upstream.requests == []
    assert upstream.connections == 0
