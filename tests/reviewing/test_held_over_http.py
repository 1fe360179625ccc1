"""Held answers through a real gateway: what a client sees, what reviewers do, what is written."""

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request

import msgspec
import pytest
from click.testing import CliRunner
from tests.governing.governed import asked, governed

from pointsman.cli import cli
from pointsman.client import Workspace
from pointsman.domain.errors import InvalidRequest
from pointsman.domain.records import BodyRef
from pointsman.domain.reviews import Held
from pointsman.domain.task import ReviewSettings
from pointsman.journal import JournalReader, JournalWriter, iter_records
from pointsman.reviewing.desk import Desk
from pointsman.state import open_state
from pointsman.testing import ScriptedUpstream, chat_answer, chat_stream

HOLD = """
id: amounts
detectors:
  amount: {regex: "[0-9]+ euros"}
  code: {regex: "EMP-[0-9]{6}"}
rules:
  - id: people-look-at-amounts
    stages: [response, stream]
    verdict: hold
    detectors: [amount]
    hold: {persons: %d, hours: %s}
  - {id: no-codes, stages: [response, stream], verdict: redact, detectors: [code]}
"""
NOTHING = BodyRef(digest="", size=0)
SURFACES = ("chat", "completions", "responses", "messages")


@pytest.fixture
def engine():
    with ScriptedUpstream() as upstream:
        yield upstream


def running(tmp_path, engine, *, persons=1, hours="1.0", wait_s=0.0, enabled=True, **changes):
    gateway = governed(tmp_path / "j", [engine], HOLD % (persons, hours), **changes)
    review = ReviewSettings(enabled=enabled, stream_wait_s=wait_s)
    gateway.config = msgspec.structs.replace(gateway.config, review=review)
    return gateway


def call(gateway, path, body=None, *, key=None):
    data = json.dumps(body).encode() if body is not None else None
    headers = {
        "content-type": "application/json",
        **({"authorization": f"Bearer {key}"} if key else {}),
    }
    request = urllib.request.Request(gateway.url.removesuffix("/v1") + path, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as said:
            return said.status, said.read(), dict(said.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read(), dict(error.headers)


def desk(gateway):
    return Workspace(gateway.config).review_desk()


@pytest.mark.parametrize("surface", SURFACES)
def test_an_answer_waits_and_is_delivered_in_its_surfaces_words(tmp_path, engine, surface):
    engine.then(chat_answer("EMP-123456 gets 50 euros"))
    path, body = asked(surface)
    with running(tmp_path, engine) as gateway:
        status, said, head = call(gateway, path, body)
        told = json.loads(said)
        assert (status, told["status"], head["location"]) == (202, "waiting", told["url"])
        assert b"euros" not in said
        assert call(gateway, told["url"])[0] == 202
        (held,) = desk(gateway).waiting()
        assert held.id == told["id"]
        reading = desk(gateway).read(held.id)
        assert "hello" in reading.request
        assert reading.answer == "[redacted] gets 50 euros"  # what is redacted people do not see
        desk(gateway).approve(held.id, by="ada")
        status, said, _ = call(gateway, told["url"])
        assert status == 200
        assert b"[redacted] gets 50 euros" in said
        assert b"EMP-123456" not in said
        assert call(gateway, told["url"])[0] == 200  # as often as it likes
    records = [each for each in iter_records(gateway.config.journal_path)]
    reviews = [each for each in records if hasattr(each, "action")]
    assert {(each.by, each.action, each.status, each.answer.digest) for each in reviews} == {
        ("ada", "approve", "approved", held.answer.digest),
        ("local", "deliver", "delivered", held.answer.digest),
    }
    assert len(reviews) == 2
    end = next(each for each in records if hasattr(each, "http_status"))
    assert (end.status, end.http_status, end.error) == ("refused", 202, "answer_held")
    found = Workspace(gateway.config).trace(told["trace"])
    assert (found["status"], found["acceptance"].acceptance) == ("delivered", "unknown")
    assert found["acceptance"].why != "nothing was delivered"


def test_one_that_nobody_fetched_is_held_and_one_that_was_rejected_refused(tmp_path, engine):
    engine.then(chat_answer("50 euros"), chat_answer("60 euros"))
    with running(tmp_path, engine) as gateway:
        told = [json.loads(call(gateway, *asked("chat"))[1]) for _ in range(2)]
        space = Workspace(gateway.config)
        assert space.trace(told[0]["trace"])["status"] == "held"
        desk(gateway).approve(told[0]["id"], by="ada")
        desk(gateway).reject(told[1]["id"], by="ada")
        assert space.trace(told[0]["trace"])["status"] == "held"
        said = space.trace(told[1]["trace"])
        assert (said["status"], said["acceptance"].acceptance) == ("refused", "rejected")
        assert {row["status"] for row in space.traces()} == {"held", "refused"}


def test_what_people_reject_or_nobody_decides_is_not_delivered(tmp_path, engine):
    engine.then(chat_answer("5 euros"), chat_answer("6 euros"))
    with running(tmp_path, engine, hours="0.0006") as gateway:  # about two seconds
        first = json.loads(call(gateway, *asked("chat"))[1])
        desk(gateway).reject(first["id"], by="ada", note="no amounts")
        status, said, _ = call(gateway, first["url"])
        assert (status, json.loads(said)["error"]["code"]) == (400, "content_filter")
        assert b"no amounts" not in said
        second = json.loads(call(gateway, *asked("chat"))[1])
        time.sleep(2.5)
        status, said, _ = call(gateway, second["url"])
        assert (status, json.loads(said)["error"]["code"]) == (400, "content_filter")
        with pytest.raises(Exception, match="expired"):
            desk(gateway).approve(second["id"], by="ada")


def test_an_edited_answer_is_the_reviewers(tmp_path, engine):
    engine.then(chat_answer("50 euros"))
    with running(tmp_path, engine) as gateway:
        told = json.loads(call(gateway, *asked("chat"))[1])
        desk(gateway).edit(told["id"], "Please call us.", by="ada")
        status, said, _ = call(gateway, told["url"])
    assert status == 200
    assert json.loads(said)["choices"][0]["message"]["content"] == "Please call us."


def test_two_persons_where_the_policy_says_so_and_only_its_tenant(tmp_path, engine):
    from hashlib import sha256

    from pointsman.domain.task import Key

    keys = [Key(name=name, sha256=sha256(name.encode()).hexdigest(), tenant=name)
            for name in ("acme", "other")]  # fmt: skip
    engine.then(chat_answer("50 euros"))
    with running(tmp_path, engine, persons=2, keys=keys) as gateway:
        told = json.loads(call(gateway, *asked("chat"), key="acme")[1])
        desk(gateway).approve(told["id"], by="ada")
        assert call(gateway, told["url"], key="acme")[0] == 202
        desk(gateway).approve(told["id"], by="bob")
        assert call(gateway, told["url"], key="other")[0] == 404
        assert call(gateway, told["url"], key="acme")[0] == 200
        (held,) = desk(gateway).latest()
    with Workspace(gateway.config) as workspace:
        reviews = workspace.trace(held.trace)["reviews"]
    assert [(each["by"], each["status"]) for each in reviews] == [
        ("ada", "waiting"), ("bob", "approved"), ("acme", "delivered"),
    ]  # fmt: skip
    path = tmp_path / "pointsman.yaml"
    path.write_text(
        "deployments:\n  small: {model: qwen3-0.6b, base_url: http://127.0.0.1:1/v1}\n"
        f"journal: {{path: {gateway.config.journal_path}}}\n"
    )
    shown = CliRunner().invoke(cli, ["trace", "show", held.trace, "-c", str(path)])
    told_of = [line.split() for line in shown.stdout.split("\n") if "review " in line]
    assert [(line[1], line[3].strip(","), line[-1]) for line in told_of] == [
        ("approve", "ada", "waiting"), ("approve", "bob", "approved"),
        ("deliver", "acme", "delivered"),
    ]  # fmt: skip


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("approved", [True, False])
def test_a_stream_is_kept_alive_until_people_have_decided(tmp_path, engine, surface, approved):
    engine.then(chat_stream("it is 50 euros for EMP-123456"))
    path, body = asked(surface, stream=True)
    with running(tmp_path, engine, wait_s=20.0) as gateway:

        def decide():
            mine = desk(gateway)
            while not (waiting := mine.waiting()):
                time.sleep(0.05)
            if approved:
                mine.approve(waiting[0].id, by="ada")
            else:
                mine.reject(waiting[0].id, by="ada")

        reviewer = threading.Thread(target=decide)
        reviewer.start()
        _, said, _ = call(gateway, path, body)
        reviewer.join()
    assert b"EMP-123456" not in said
    assert (b"50 euros" in said) == approved
    if not approved:
        assert b"content_filter" in said


def test_a_stream_that_nobody_decides_about_says_where_to_ask(tmp_path, engine):
    engine.then(chat_stream("it is 50 euros"))
    path, body = asked("chat", stream=True)
    with running(tmp_path, engine, wait_s=0.2) as gateway:
        status, said, _ = call(gateway, path, body)
        assert b"euros" not in said
        assert b"/v1/held/held_" in said
        assert b"[DONE]" not in said
        (held,) = desk(gateway).waiting()
        desk(gateway).approve(held.id, by="ada")
        status, said, _ = call(gateway, f"/v1/held/{held.id}")
    assert status == 200
    assert json.loads(said)["choices"][0]["message"]["content"] == "it is 50 euros"


def test_where_nobody_reviews_it_is_blocked(tmp_path, engine):
    engine.then(chat_answer("50 euros"))
    with running(tmp_path, engine, enabled=False) as gateway:
        status, said, _ = call(gateway, *asked("chat"))
        assert status == 200
        assert json.loads(said)["choices"][0]["finish_reason"] == "content_filter"
        assert b"euros" not in said
        assert call(gateway, "/v1/held/held_x")[0] == 404


def test_erasing_a_person_erases_what_waits(tmp_path):
    url = f"sqlite:///{tmp_path}/state.sqlite"
    with open_state(url) as state, JournalWriter(tmp_path / "j") as journal:
        key = state.subject_keys.key("acme", "ada@example.org")
        reports = JournalReader(tmp_path / "j", keys=state.subject_keys)
        made = Desk(state.held, journal, reports, state.subject_keys, now_us=lambda: 1_000)
        wanted = Held(
            id="held_1", trace="tr_1", tenant="acme", principal="p", surface="chat", why="w",
            made_us=0, expires_us=10**15, request=NOTHING, answer=NOTHING,
        )  # fmt: skip
        answer = json.dumps({"choices": [{"message": {"content": "50 euros"}}]}).encode()
        asyncio.run(made.keep(wanted, request=b"{}", answer=answer, key=key))
        assert made.read("held_1").answer == "50 euros"
        state.subject_keys.destroy("acme", "ada@example.org")
        reading = made.read("held_1")
        assert (reading.request, reading.answer) == (None, None)
        with pytest.raises(InvalidRequest, match="erased"):
            made.edit("held_1", "x", by="bob")
        reports.close()
