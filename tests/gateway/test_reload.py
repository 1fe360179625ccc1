"""A changed configuration comes into force while serving; a bad one leaves the old one serving."""

import asyncio
import json
import threading
import time

import msgspec
import pytest
from tests.support.gateway import RunningGateway

from pointsman.config import load
from pointsman.domain.errors import ConfigurationError
from pointsman.gateway.reloading import Reloader, check_fixed, signature
from pointsman.testing import Flag, ScriptedUpstream, chat_answer

TEXT = """\
include: [tasks/*.yaml]
deployments:
  only: {{model: m, base_url: "{url}"}}
server: {{port: 0}}
journal: {{path: {journal}}}
"""
TASK = "prompts: {{work: {{system: {prompt}}}}}\ntasks: {{work: {{prompt: work}}}}\n"


@pytest.fixture
def upstream():
    with ScriptedUpstream(default=chat_answer("ok")) as running:
        yield running


@pytest.fixture
def folder(tmp_path, upstream):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "pointsman.yaml").write_text(
        TEXT.format(url=upstream.base_url, journal=tmp_path / "journal")
    )
    (tmp_path / "tasks" / "work.yaml").write_text(TASK.format(prompt="one"))
    return tmp_path


class Watched(RunningGateway):
    """A running gateway with a reloader that a test drives itself."""

    def reload(self) -> bool:
        reloader = Reloader(self.app, lambda: load_from(self.config))
        return asyncio.run_coroutine_threadsafe(reloader.reload(), self._loop).result(20)


def load_from(config):
    return load(config_path(config), env={})


def config_path(config):
    from pathlib import Path

    return Path(config.folder) / "pointsman.yaml"


def prompt_of(upstream):
    return upstream.requests[-1].json["messages"][0]["content"]


def test_a_changed_prompt_is_in_force_for_the_next_request(folder, upstream):
    with Watched(load(folder / "pointsman.yaml", env={})) as gateway:
        first = gateway.chat()
        assert prompt_of(upstream) == "one"
        (folder / "tasks" / "work.yaml").write_text(TASK.format(prompt="two"))
        assert gateway.reload()
        second = gateway.chat()
        assert prompt_of(upstream) == "two"
        digests = [answer.headers["x-pointsman-config"] for answer in (first, second)]
        assert digests[0] != digests[1]
        recorded = [row["digest"] for row in gateway.rows("configs")]
        assert recorded == digests[::-1]
        assert [row["config"] for row in gateway.rows()] == digests[::-1]


def test_how_long_a_name_is_believed_is_set_by_the_file_and_changed_by_it(folder, upstream):
    path = folder / "pointsman.yaml"
    said = path.read_text()
    path.write_text(said.replace("{port: 0}", "{port: 0, dns_refresh_s: 5}"))
    with Watched(load(path, env={})) as gateway:
        assert gateway.app._pool.dns_refresh_s == 5
        path.write_text(said)
        assert gateway.reload()
        assert gateway.app._pool.dns_refresh_s == 30
        assert gateway.chat().status == 200


def test_a_bad_file_leaves_the_old_one_serving_and_says_why(folder, upstream):
    with Watched(load(folder / "pointsman.yaml", env={})) as gateway:
        digest = gateway.chat().headers["x-pointsman-config"]
        (folder / "tasks" / "work.yaml").write_text("tasks: {work: {promt: work}}\n")
        assert not gateway.reload()
        assert gateway.chat().headers["x-pointsman-config"] == digest
        told = gateway.request("GET", "/readyz").json["configuration"]
        assert told["digest"] == digest
        assert "tasks/work.yaml:1" in told["reload_error"]
        (folder / "tasks" / "work.yaml").write_text(TASK.format(prompt="two"))
        assert gateway.reload()
        assert gateway.request("GET", "/readyz").json["configuration"]["reload_error"] is None


def test_a_request_that_runs_keeps_the_configuration_it_began_with(folder, upstream):
    go = Flag()
    upstream.then(chat_answer("slow", once=go))
    with Watched(load(folder / "pointsman.yaml", env={})) as gateway:
        answers = []
        asking = threading.Thread(target=lambda: answers.append(gateway.chat()))
        asking.start()
        upstream.wait_request()
        (folder / "tasks" / "work.yaml").write_text(TASK.format(prompt="two"))
        assert gateway.reload()
        go.set()
        asking.join(10)
        assert answers[0].status == 200
        assert answers[0].headers["x-pointsman-config"] != gateway.app.config.digest


def test_reloads_under_load_never_fail_a_request(folder, upstream):
    with Watched(load(folder / "pointsman.yaml", env={})) as gateway:
        statuses, stop = [], threading.Event()

        def ask():
            while not stop.is_set():
                statuses.append(gateway.chat().status)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(12):
                text = TASK.format(prompt=f"p{number}") if number % 3 else "tasks: ["
                (folder / "tasks" / "work.yaml").write_text(text)
                gateway.reload()
        finally:
            stop.set()
            for thread in threads:
                thread.join(10)
        assert len(statuses) > 20
        assert set(statuses) == {200}


def test_what_a_running_process_holds_cannot_change(folder):
    old = load(folder / "pointsman.yaml", env={})
    for change in (
        {"server": msgspec.structs.replace(old.server, port=4200)},
        {"journal": msgspec.structs.replace(old.journal, path="elsewhere")},
    ):
        with pytest.raises(ConfigurationError, match="cannot change while serving"):
            check_fixed(old, msgspec.structs.replace(old, **change))
    check_fixed(old, msgspec.structs.replace(old, aliases={"a": "only"}))


def test_the_watcher_sees_changes_of_every_file_and_new_files(folder, upstream):
    (folder / "pointsman.yaml").write_text(
        (folder / "pointsman.yaml").read_text()
        + "prompts: {note: {versions: {v1: {file: note.txt}}}}\n"
    )
    (folder / "note.txt").write_text("x")
    config = load(folder / "pointsman.yaml", env={})
    seen = signature(config.files)
    for name in ("note.txt", "tasks/work.yaml", "pointsman.yaml", "tasks/new.yaml"):
        (folder / name).write_text((folder / name).read_text() + "\n" if (folder / name).exists()
                                   else "aliases: {}\n")  # fmt: skip
        now = signature(config.files)
        assert now != seen, name
        seen = now


def test_the_watcher_reloads_by_itself_and_when_asked(folder, upstream):
    with Watched(load(folder / "pointsman.yaml", env={})) as gateway:
        reloader = Reloader(gateway.app, lambda: load_from(gateway.config), every_s=0.05)
        running = asyncio.run_coroutine_threadsafe(reloader.run(), gateway._loop)
        try:
            before = gateway.app.config.digest
            (folder / "tasks" / "work.yaml").write_text(TASK.format(prompt="two"))
            until = time.monotonic() + 10
            while gateway.app.config.digest == before and time.monotonic() < until:
                gateway.chat()
            assert gateway.app.config.digest != before
            assert json.loads(gateway.chat().body)["choices"]
        finally:
            running.cancel()
