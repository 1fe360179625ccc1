"""`/v1/batches` end to end: every line answered as at the door, and given back once."""

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pointsman.batches import service
from pointsman.batches.run import Pace
from pointsman.domain.limits import Allowance
from pointsman.domain.portfolio import Deployment, Limits
from pointsman.domain.task import VirtualKeySettings
from pointsman.testing import (
    Flag,
    Play,
    Received,
    Script,
    ScriptedUpstream,
    chat_answer,
    status_answer,
)
from tests.batches.batch_kit import (
    a_key,
    as_key,
    asked,
    batch_config,
    begin,
    chat_body,
    lines,
    look,
    rows,
    until,
    upload,
)
from tests.support.gateway import RunningGateway, a_deployment

# on a busy machine a line that is held back must not run out of its time meanwhile
PATIENT = Limits(
    connect_timeout_s=10, first_token_timeout_s=60, between_tokens_timeout_s=60, timeout_s=60
)


def an_engine(*, once: Flag | None = None, held: str = "") -> Script:
    """Says what it was asked; a text that begins with `held` waits for the flag."""

    def script(request: Received) -> Play:
        if request.target.endswith("/embeddings"):
            row = {"object": "embedding", "index": 0, "embedding": [0.5]}
            said = {"object": "list", "model": "e", "data": [row], "usage": {"prompt_tokens": 2}}
            return status_answer(200, json.dumps(said, indent=2))(request)
        text = request.json["messages"][-1]["content"]
        waits = once if once is not None and text.startswith(held) else None
        return chat_answer(f"re: {text}", once=waits)(request)

    return script


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    quick = Pace(tries_s=(0.01, 0.01), later_s=0.05, longest_s=0.2)
    monkeypatch.setattr(service, "Pace", lambda: quick)


@pytest.fixture
def upstream():
    with ScriptedUpstream(default=an_engine()) as running:
        yield running


def a_gateway(
    folder: Path, upstream: ScriptedUpstream, *keys: Any, **settings: Any
) -> RunningGateway:
    engines = [
        a_deployment("only", upstream.base_url, operations=("chat", "embedding"), limits=PATIENT)
    ]
    return RunningGateway(batch_config(folder, engines, keys, **settings))


def said(row: dict[str, Any]) -> str:
    return row["response"]["body"]["choices"][0]["message"]["content"]


def test_good_lines_are_answered_and_bad_ones_told_apart(tmp_path, upstream):
    with a_gateway(tmp_path, upstream) as gateway:
        bodies = [
            chat_body("zero"),
            chat_body("one", model="only"),
            chat_body("two", model="nobody"),
            chat_body("three", stream=True),
            {"model": "task:work"},
            chat_body("Grüße 🚂\n\u2028"),
        ]
        made = begin(gateway, lines(*bodies), metadata={"night": "1"})
        assert made["status"] == "validating"
        batch = until(gateway, made["id"])
        assert batch["status"] == "completed"
        assert batch["request_counts"] == {"total": 6, "completed": 3, "failed": 3}
        assert batch["metadata"] == {"night": "1"}
        assert batch["expires_at"] == batch["created_at"] + 24 * 3600
        times = [
            batch[f"{name}_at"] for name in ("created", "in_progress", "finalizing", "completed")
        ]
        assert times == sorted(times)
        good = rows(gateway, batch)
        assert [row["custom_id"] for row in good] == ["line-0", "line-1", "line-5"]
        assert [said(row) for row in good] == ["re: zero", "re: one", "re: Grüße 🚂\n\u2028"]
        assert all(row["response"]["status_code"] == 200 for row in good)
        assert all(row["error"] is None for row in good)
        bad = rows(gateway, batch, "error")
        told = [
            (row["response"]["status_code"], row["response"]["body"]["error"]["code"])
            for row in bad
        ]
        assert told == [(404, "model_not_found"), (400, "stream_in_batch"), (400, "invalid_type")]
        ids = [row["id"] for row in good + bad]
        assert len(set(ids)) == len(ids) == 6
        # every line is a request like any other: in the journal, under the id that its row says
        traces = {row["trace"]: row for row in gateway.rows()}
        assert {row["response"]["request_id"] for row in good} == set(traces)
        file = gateway.request("GET", f"/v1/files/{batch['output_file_id']}").json
        assert file["purpose"] == "batch_output"
        assert not list(Path(gateway.config.batches_path).glob("*.part"))


def test_lines_of_other_surfaces_are_answered_in_their_words(tmp_path, upstream):
    with a_gateway(tmp_path, upstream) as gateway:
        url = "/v1/embeddings"
        made = begin(gateway, lines({"model": "only", "input": "a"}, url=url), endpoint=url)
        [row] = rows(gateway, until(gateway, made["id"]))
        assert row["response"]["body"]["data"][0]["embedding"] == [0.5]
        url = "/v1/messages"
        body = chat_body("hi", max_tokens=5)
        made = begin(gateway, lines(body, {"model": "only"}, url=url), endpoint=url)
        batch = until(gateway, made["id"])
        [row] = rows(gateway, batch)
        assert row["response"]["body"]["content"][0]["text"] == "re: hi"
        [row] = rows(gateway, batch, "error")
        assert row["response"]["body"]["type"] == "error"


def test_an_input_that_is_none_fails_as_a_whole_and_says_where(tmp_path, upstream):
    with a_gateway(tmp_path, upstream) as gateway:
        content = lines(chat_body("a")) * 2 + b"nonsense\n"
        batch = until(gateway, begin(gateway, content)["id"])
        assert batch["status"] == "failed"
        found = [(each["code"], each["line"]) for each in batch["errors"]["data"]]
        assert found == [("duplicate_custom_id", 2), ("invalid_json_line", 3)]
        assert (batch["output_file_id"], batch["error_file_id"]) == (None, None)
        assert batch["failed_at"] is not None
        assert upstream.requests == []


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"endpoint": "/v1/nothing"}, "endpoint"),
        ({"endpoint": "/v1/files"}, "endpoint"),
        ({"completion_window": "soon"}, "completion_window"),
        ({"completion_window": "15d"}, "completion_window"),
        ({"completion_window": 24}, "completion_window"),
        ({"metadata": {"a": 1}}, "metadata[...]"),
        ({"metadata": {"a": "x" * 513}}, "metadata"),
        ({"metadata": {f"{at}": "" for at in range(17)}}, "metadata"),
        ({"output_expires_after": {"anchor": "now", "seconds": 3600}}, "expires_after"),
    ],
)
def test_a_batch_that_nobody_could_run_is_refused(tmp_path, upstream, change, param):
    with a_gateway(tmp_path, upstream) as gateway:
        file = upload(gateway, lines(chat_body("a"))).json["id"]
        body = {"input_file_id": file, "endpoint": "/v1/embeddings", "completion_window": "24h"}
        answer = gateway.request("POST", "/v1/batches", {**body, **change})
        assert (answer.status, answer.json["error"]["param"]) == (400, param)
        assert gateway.request("POST", "/v1/batches", b"{").status == 400
        gone = gateway.request("POST", "/v1/batches", {**body, "input_file_id": "file-none"})
        assert (gone.status, gone.json["error"]["code"]) == (404, "file_not_found")
        assert gateway.request("GET", "/v1/batches").json["data"] == []


def test_a_batch_is_its_tenants_own_and_asks_with_its_makers_key(tmp_path, upstream):
    keys = [a_key("ada", "acme", models=("only",)), a_key("bob", "other")]
    with a_gateway(tmp_path, upstream, *keys) as gateway:
        content = lines(chat_body("mine", model="only"), chat_body("not mine"))
        made = begin(gateway, content, key="ada")
        batch = until(gateway, made["id"], key="ada")
        assert [said(row) for row in rows(gateway, batch, key="ada")] == ["re: mine"]
        [bad] = rows(gateway, batch, "error", key="ada")
        assert bad["response"]["body"]["error"]["code"] == "model_not_allowed"
        paths = [f"/v1/batches/{made['id']}", f"/v1/files/{batch['output_file_id']}/content"]
        for path in paths:
            assert gateway.request("GET", path, headers=as_key("bob")).status == 404
        cancel = gateway.request("POST", f"{paths[0]}/cancel", headers=as_key("bob"))
        assert cancel.status == 404
        assert gateway.request("GET", "/v1/batches", headers=as_key("bob")).json["data"] == []
        theirs = {"endpoint": "/v1/embeddings", "completion_window": "24h"}
        theirs["input_file_id"] = made["input_file_id"]
        assert gateway.request("POST", "/v1/batches", theirs, as_key("bob")).status == 404
        row = gateway.rows()[0]
        assert (row["tenant"], row["principal"]) == ("acme", "ada")


def test_cancelling_keeps_what_was_answered_and_asks_nothing_more(tmp_path):
    go_on = Flag()
    with (
        ScriptedUpstream(default=an_engine(once=go_on, held="held")) as upstream,
        a_gateway(tmp_path, upstream, concurrency=1) as gateway,
    ):
        texts = ["first", "held", *[f"never {at}" for at in range(50)]]
        made = begin(gateway, lines(*map(chat_body, texts)))
        upstream.wait_request(2, timeout_s=30)
        answer = gateway.request("POST", f"/v1/batches/{made['id']}/cancel")
        assert answer.json["status"] == "cancelling"
        busy = gateway.request("DELETE", f"/v1/files/{made['input_file_id']}")
        assert (busy.status, busy.json["error"]["code"]) == (400, "file_in_use")
        time.sleep(0.2)  # the word is heard
        go_on.set()
        batch = until(gateway, made["id"])
        assert batch["status"] == "cancelled"
        assert batch["request_counts"] == {"total": 52, "completed": 2, "failed": 0}
        assert [said(row) for row in rows(gateway, batch)] == ["re: first", "re: held"]
        assert asked(upstream) == ["first", "held"]
        again = gateway.request("POST", f"/v1/batches/{made['id']}/cancel")
        assert again.json["status"] == "cancelled"
        assert gateway.request("DELETE", f"/v1/files/{made['input_file_id']}").status == 200


@pytest.mark.parametrize("concurrency", [1, 2])
def test_cancelling_does_not_wait_for_an_engine_that_says_nothing(
    tmp_path, monkeypatch, concurrency
):
    monkeypatch.setattr("pointsman.batches.run.CANCEL_GRACE_S", 0.1)
    never = Flag()
    with (
        ScriptedUpstream(default=an_engine(once=never, held="held")) as upstream,
        a_gateway(tmp_path, upstream, concurrency=concurrency) as gateway,
    ):
        texts = ["first", "held", "held"] if concurrency == 2 else ["first", "held", "late"]
        made = begin(gateway, lines(*map(chat_body, texts)))
        upstream.wait_request(concurrency + 1, timeout_s=30)
        gateway.request("POST", f"/v1/batches/{made['id']}/cancel")
        batch = until(gateway, made["id"])
        assert batch["status"] == "cancelled"
        assert batch["request_counts"] == {"total": 3, "completed": 1, "failed": 0}
        held = [
            each for each in upstream.requests if each.json["messages"][-1]["content"] == "held"
        ]
        assert len(held) == concurrency
        assert all(each.cancelled.wait(5) for each in held)
        assert {row["status"] for row in gateway.rows()} == {"delivered", "cancelled"}


def test_a_batch_that_is_over_is_not_cancelled(tmp_path, upstream):
    with a_gateway(tmp_path, upstream) as gateway:
        made = until(gateway, begin(gateway, lines(chat_body("a")))["id"])
        answer = gateway.request("POST", f"/v1/batches/{made['id']}/cancel")
        assert (answer.status, answer.json["error"]["code"]) == (400, "batch_over")


def test_what_was_answered_before_a_restart_is_not_asked_again(tmp_path):
    go_on = Flag()
    texts = [f"line {at}" for at in range(5)] + ["held"] + [f"late {at}" for at in range(5)]
    with ScriptedUpstream(default=an_engine(once=go_on, held="held")) as upstream:
        with a_gateway(tmp_path, upstream, concurrency=1) as gateway:
            made = begin(gateway, lines(*map(chat_body, texts)))
            upstream.wait_request(6, timeout_s=30)
        assert asked(upstream) == texts[:6]  # the line in flight was let go of
        go_on.set()
        with a_gateway(tmp_path, upstream, concurrency=1) as gateway:
            batch = until(gateway, made["id"])
            assert batch["status"] == "completed"
            assert [said(row) for row in rows(gateway, batch)] == [f"re: {text}" for text in texts]
        assert asked(upstream) == [*texts[:6], *texts[5:]]


def test_clients_go_first(tmp_path):
    go_on = Flag()
    with (
        ScriptedUpstream(default=an_engine(once=go_on, held="client")) as upstream,
        a_gateway(tmp_path, upstream, while_in_flight=1) as gateway,
    ):
        client = threading.Thread(target=gateway.chat, args=("client",))
        client.start()
        upstream.wait_request(1)
        file = upload(gateway, lines(chat_body("patient"))).json["id"]
        body = {"input_file_id": file, "endpoint": "/v1/chat/completions"}
        body["completion_window"] = "24h"
        made = gateway.request("POST", "/v1/batches", body).json
        until(gateway, made["id"], "in_progress")
        time.sleep(0.5)
        assert asked(upstream) == ["client"]
        go_on.set()
        client.join(30)
        # looking is a request as well, and this batch waits for it: look seldom
        deadline = time.monotonic() + 30
        while len(upstream.requests) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert until(gateway, made["id"])["status"] == "completed"


def test_no_more_lines_at_once_than_batches_may_have(tmp_path):
    go_on = Flag()
    with (
        ScriptedUpstream(default=an_engine(once=go_on, held="")) as upstream,
        a_gateway(tmp_path, upstream, concurrency=3, while_in_flight=100) as gateway,
    ):
        many = [lines(*(chat_body(f"{name}{at}") for at in range(9))) for name in "ab"]
        made = [begin(gateway, each)["id"] for each in many]
        upstream.wait_request(3, timeout_s=30)
        time.sleep(0.5)
        assert len(upstream.requests) == 3
        go_on.set()
        for batch in made:
            assert until(gateway, batch)["status"] == "completed"


def test_a_window_that_is_over_says_so_of_every_line_that_was_not_asked(tmp_path, monkeypatch):
    go_on = Flag()
    with ScriptedUpstream(default=an_engine(once=go_on, held="held")) as upstream:
        with a_gateway(tmp_path, upstream, concurrency=1) as gateway:
            made = begin(gateway, lines(*map(chat_body, ["first", "held", "late"])), window="1h")
            upstream.wait_request(2, timeout_s=30)
        monkeypatch.setattr(
            "pointsman.app.SystemClock.now_us", lambda self: time.time_ns() // 1000 + 3_700_000_000
        )
        go_on.set()
        with a_gateway(tmp_path, upstream, concurrency=1) as gateway:
            batch = until(gateway, made["id"])
            assert batch["status"] == "expired"
            assert batch["expired_at"] is not None
            assert [said(row) for row in rows(gateway, batch)] == ["re: first"]
            bad = rows(gateway, batch, "error")
            assert [row["custom_id"] for row in bad] == ["line-1", "line-2"]
            assert {row["error"]["code"] for row in bad} == {"batch_expired"}
            assert batch["request_counts"] == {"total": 3, "completed": 1, "failed": 2}


def test_a_key_that_is_gone_stops_its_batch_and_says_so(tmp_path):
    go_on = Flag()
    with ScriptedUpstream(default=an_engine(once=go_on, held="held")) as upstream:
        keys = [a_key("ada", "acme"), a_key("eve", "acme")]
        with a_gateway(tmp_path, upstream, *keys, concurrency=1) as gateway:
            texts = ["first", "held", "never", "never"]
            made = begin(gateway, lines(*map(chat_body, texts)), key="ada")
            upstream.wait_request(2, timeout_s=30)
            change(gateway, msgspec.structs.replace(gateway.config, keys=(keys[1],), digest="2"))
            go_on.set()
            batch = until(gateway, made["id"], key="eve")
            assert batch["status"] == "failed"
            [why] = batch["errors"]["data"]
            assert why["code"] == "key_not_valid"
            assert "'ada'" in why["message"]
            # what was paid for is not lost
            good = rows(gateway, batch, key="eve")
            assert [said(row) for row in good] == ["re: first", "re: held"]
            bad = rows(gateway, batch, "error", key="eve")
            assert [row["error"]["code"] for row in bad] == ["key_not_valid"] * 2
            assert asked(upstream) == ["first", "held"]


def test_a_revoked_virtual_key_stops_its_batch(tmp_path):
    go_on = Flag()
    with ScriptedUpstream(default=an_engine(once=go_on, held="held")) as upstream:
        engines: list[Deployment] = [a_deployment("only", upstream.base_url, limits=PATIENT)]
        config = batch_config(tmp_path, engines, [a_key("eve", "acme")], concurrency=1)
        virtual = VirtualKeySettings(enabled=True, fresh_s=0.1)
        with RunningGateway(msgspec.structs.replace(config, virtual_keys=virtual)) as gateway:
            assert gateway.app.state is not None
            made = gateway.app.state.virtual_keys.create("trial", by="test", tenant="acme")
            content = lines(*map(chat_body, ["first", "held", "never"]))
            batch = begin(gateway, content, key=made.secret)
            upstream.wait_request(2, timeout_s=30)
            gateway.app.state.virtual_keys.revoke("trial")
            time.sleep(0.2)
            go_on.set()
            batch = until(gateway, batch["id"], key="eve")
            assert batch["status"] == "failed"
            assert batch["errors"]["data"][0]["code"] == "key_not_valid"
            assert asked(upstream) == ["first", "held"]
            principals = {row["principal"] for row in gateway.rows()}
            assert principals == {"trial"}


def test_a_rate_makes_a_batch_wait_and_a_budget_stops_its_lines(tmp_path, upstream):
    few = Allowance(concurrency=1)
    keys = [
        a_key("slow", "acme", limits=few),
        a_key("poor", "acme", limits=Allowance(day_usd_picos=1)),
    ]
    with a_gateway(tmp_path, upstream, *keys, concurrency=8, while_in_flight=99) as gateway:
        content = lines(*(chat_body(f"{at}", max_tokens=5) for at in range(12)))
        slow, poor = begin(gateway, content, key="slow"), begin(gateway, content, key="poor")
        batch = until(gateway, slow["id"], key="slow")
        assert batch["request_counts"] == {"total": 12, "completed": 12, "failed": 0}
        batch = until(gateway, poor["id"], key="poor")
        assert batch["request_counts"] == {"total": 12, "completed": 0, "failed": 12}
        bad = rows(gateway, batch, "error", key="poor")
        codes = {row["response"]["body"]["error"]["code"] for row in bad}
        assert codes == {"budget_exceeded"}


def test_an_engine_in_trouble_is_asked_again_and_then_believed(tmp_path, upstream):
    upstream.then(status_answer(500), status_answer(500), an_engine())
    with a_gateway(tmp_path, upstream, concurrency=1) as gateway:
        batch = until(gateway, begin(gateway, lines(chat_body("a")))["id"])
        assert [said(row) for row in rows(gateway, batch)] == ["re: a"]
        upstream.then(*[status_answer(500)] * 9)
        batch = until(gateway, begin(gateway, lines(chat_body("b")))["id"])
        [bad] = rows(gateway, batch, "error")
        assert bad["response"]["status_code"] == 502
        assert bad["response"]["body"]["error"]["code"] == "upstream_unavailable"
        upstream.scripts.clear()


def test_output_that_is_wanted_for_a_while_says_until_when(tmp_path, upstream):
    with a_gateway(tmp_path, upstream) as gateway:
        after = {"anchor": "created_at", "seconds": 3600}
        made = begin(gateway, lines(chat_body("a")), output_expires_after=after)
        batch = until(gateway, made["id"])
        file = gateway.request("GET", f"/v1/files/{batch['output_file_id']}").json
        assert file["expires_at"] == file["created_at"] + 3600


def test_batches_are_listed_the_newest_first(tmp_path, upstream):
    with a_gateway(tmp_path, upstream) as gateway:
        made = [begin(gateway, lines(chat_body("a")))["id"] for _ in range(3)]
        page = gateway.request("GET", "/v1/batches?limit=2").json
        assert [each["id"] for each in page["data"]] == made[:0:-1]
        assert page["has_more"] is True
        rest = gateway.request("GET", f"/v1/batches?limit=2&after={page['last_id']}").json
        assert [each["id"] for each in rest["data"]] == made[:1]
        for batch in made:
            until(gateway, batch)


def test_a_batch_that_was_open_when_its_input_vanished_fails_and_says_so(tmp_path, upstream):
    with a_gateway(tmp_path, upstream, enabled=True) as gateway:
        file = upload(gateway, lines(chat_body("a"))).json["id"]
        (Path(gateway.config.batches_path) / file).unlink()
        body = {
            "input_file_id": file,
            "endpoint": "/v1/chat/completions",
            "completion_window": "1h",
        }
        answer = gateway.request("POST", "/v1/batches", body)
        assert (answer.status, answer.json["error"]["code"]) == (503, "file_content_missing")


def change(gateway: RunningGateway, config: Any) -> None:
    """Bring a configuration into force."""
    assert gateway.app is not None
    assert gateway._loop is not None
    asyncio.run_coroutine_threadsafe(gateway.app.change(config), gateway._loop).result(30)


def test_look_is_not_for_anyone(tmp_path, upstream):
    with a_gateway(tmp_path, upstream, a_key("ada", "acme")) as gateway:
        assert gateway.request("GET", "/v1/batches").status == 401
        missing = look(gateway, "batch_none", key="ada")
        assert missing["error"]["code"] == "batch_not_found"
