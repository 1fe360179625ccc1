"""A gateway whose journal cannot be written says so, refuses, and is ready again once it can."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.gateway.test_kill import Asking, write_config
from tests.support.gateway import RunningGateway, a_config, a_deployment
from tests.support.processes import ServeProcess, run_pointsman

from pointsman.client import Workspace
from pointsman.journal import verify
from pointsman.journal.layout import layout
from pointsman.testing import Flag, ScriptedUpstream, chat_answer


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


@pytest.fixture
def gateway(tmp_path: Path):
    with ScriptedUpstream(default=chat_answer("yes")) as upstream:
        deployments = [a_deployment("small", upstream.base_url)]
        config = a_config(tmp_path / "journal", deployments, gate=None)
        with RunningGateway(config) as running:
            yield running


def journal_of(gateway: RunningGateway) -> dict[str, str | None]:
    told = gateway.request("GET", "/readyz").json
    return dict(told["journal"])


def test_a_journal_that_was_deleted_is_noticed_and_nothing_more_is_promised(gateway) -> None:
    assert gateway.chat().status == 200
    assert journal_of(gateway)["status"] == "ready"
    shutil.rmtree(gateway.config.journal.path)
    answer = gateway.request("GET", "/readyz")
    assert answer.status == 503
    assert "deleted or moved" in answer.json["journal"]["reason"]
    until(lambda: gateway.chat().status == 503)
    assert gateway.chat().json["error"]["code"] == "journal_unavailable"


def test_a_journal_put_in_anothers_place_is_noticed(gateway, tmp_path: Path) -> None:
    assert gateway.chat().status == 200
    root = Path(gateway.config.journal.path)
    shutil.copytree(root, tmp_path / "copy")
    root.rename(tmp_path / "moved")
    (tmp_path / "copy").rename(root)
    assert "another file" in str(journal_of(gateway)["reason"])
    until(lambda: gateway.chat().status == 503)


def test_a_full_disk_is_not_ready_until_there_is_room(
    gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs

    def full(path: str) -> os.statvfs_result:
        found = real(path)
        return os.statvfs_result((*found[:4], 0, *found[5:10]))

    monkeypatch.setattr(os, "statvfs", full)
    answer = gateway.request("GET", "/readyz")
    assert answer.status == 503
    assert "full" in answer.json["journal"]["reason"]
    monkeypatch.undo()
    assert gateway.request("GET", "/readyz").status == 200


def test_what_was_half_written_is_cut_by_the_next_start(tmp_path: Path) -> None:
    with ScriptedUpstream(default=chat_answer("1")) as small:
        config = write_config(tmp_path, small, small)
        config.write_text(config.read_text() + "keeping: {enabled: false}\n")  # it would seal it
        with ServeProcess(config) as gateway:
            gateway.wait_until_serving()
            Asking(gateway.port, streamed=False).answer()
            gateway.kill()
        where = layout(tmp_path / "journal")
        [segment] = [where.segments / name for name in where.segment_names()]
        with segment.open("ab") as file:
            file.write(b"half a frame")
        assert not verify(tmp_path / "journal").ok
        with ServeProcess(config) as gateway:
            gateway.wait_until_serving()
            assert any("cut 12 bytes" in line for line in gateway.said)
            assert run_pointsman("journal", "verify", folder=tmp_path).returncode == 0


def test_a_request_is_running_while_its_process_lives_and_lost_after_it(tmp_path: Path) -> None:
    go_on = Flag()
    with ScriptedUpstream(default=chat_answer("1", once=go_on)) as small:
        config = write_config(tmp_path, small, small)
        workspace = Workspace.open(config)
        with ServeProcess(config) as gateway:
            gateway.wait_until_serving()
            Asking(gateway.port, streamed=False)
            small.wait_request(1)
            [row] = workspace.traces()
            assert (row["status"], workspace.trace(row["trace"])["status"]) == ("running",) * 2
            gateway.kill()
        [row] = workspace.traces()
        assert (row["status"], workspace.trace(row["trace"])["status"]) == ("lost", "lost")
        go_on.set()
    said = run_pointsman("trace", "show", row["trace"], folder=tmp_path).stdout
    assert "lost: the process" in said
