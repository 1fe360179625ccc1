"""A configuration comes into force in every worker or in none, whatever they do meanwhile."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.gateway import a_config, a_deployment
from tests.support.processes import ServeProcess
from tests.workers.workers_kit import TASK, Load, digests, get, until, write_config

from pointsman.domain.errors import ConfigurationError, PointsmanError, WorkerFailed
from pointsman.testing import ScriptedUpstream, chat_answer
from pointsman.workers.changing import bring_into_force
from pointsman.workers.messages import Abort, Commit, Done, News, Prepare

BEHAVIOUR = st.sampled_from(["follows", "refuses", "dies preparing", "dies committing"])


class Member:
    """A worker's process as far as a change goes."""

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour
        self.prepared = self.aborted = self.committed = self.killed = False

    async def ask(self, message: Any) -> Done:
        await asyncio.sleep(0)
        if isinstance(message, Prepare):
            if self.behaviour == "refuses":
                raise ConfigurationError("it cannot serve by this")
            if self.behaviour == "dies preparing":
                raise WorkerFailed("the process is gone")
            self.prepared = True
        if isinstance(message, Commit):
            if self.behaviour == "dies committing":
                raise WorkerFailed("the process is gone")
            self.committed = True
        return Done()

    def tell(self, message: Any) -> None:
        self.aborted = self.aborted or isinstance(message, Abort)

    def kill(self) -> None:
        self.killed = True


class Slot:
    def __init__(self, index: int, behaviour: str) -> None:
        self.index, self.generation, self.member = index, 0, Member(behaviour)


class Crew:
    def __init__(self, behaviours: list[str]) -> None:
        self.slots = [Slot(index, each) for index, each in enumerate(behaviours)]
        self.config: Any = "old"
        self.generation = 0

    @property
    def serving(self) -> list[Slot]:
        return self.slots

    async def answered(self, member: Member, message: Any) -> Done:
        return await member.ask(message)


@given(st.lists(BEHAVIOUR, min_size=1, max_size=6))
def test_all_swap_or_none(behaviours):
    crew = Crew(behaviours)
    config = a_config("/nowhere", [a_deployment("a", "http://h/v1")])
    error: PointsmanError | None = None
    try:
        asyncio.run(bring_into_force(crew, config, News()))
    except PointsmanError as raised:
        error = raised
    members = [slot.member for slot in crew.slots]
    if set(behaviours) & {"refuses", "dies preparing"}:
        assert error is not None
        assert not any(each.committed or each.killed for each in members)
        assert all(each.aborted for each in members)
        assert (crew.config, crew.generation) == ("old", 0)
        # what a worker says of the file is told rather than that another died
        assert isinstance(error, ConfigurationError) == ("refuses" in behaviours)
    else:
        assert error is None
        assert all(each.committed or each.killed for each in members)
        assert (crew.config, crew.generation) == (config, 1)


def test_a_gateway_that_is_all_restarting_keeps_what_it_has():
    with pytest.raises(WorkerFailed, match="no worker serves"):
        asyncio.run(bring_into_force(Crew([]), a_config("/nowhere", []), News()))


@pytest.fixture
def upstream():
    with ScriptedUpstream(default=chat_answer("ok")) as running:
        yield running


def test_changes_under_load_fail_nothing_and_end_on_one_digest(tmp_path, upstream):
    config = write_config(tmp_path, upstream, workers=3)
    task = tmp_path / "tasks" / "work.yaml"
    with ServeProcess(config) as gateway:
        (first,) = digests(gateway.port)
        with Load(gateway.port) as load:
            for number in range(3):
                load.wait(10)
                before = digests(gateway.port)
                task.write_text(TASK.format(prompt=f"prompt {number}"))
                until(
                    lambda before=before: (
                        len(now := digests(gateway.port)) == 1 and not set(now) & set(before)
                    ),
                    "the workers do not end on one new digest",
                )
            load.wait(20)
        assert load.broken == []
        assert {status for status, _, _ in load.answers} == {200}
        assert first in {digest for _, _, digest in load.answers}
        (last,) = digests(gateway.port)
        assert load.answers[-1][2] == last


def test_a_bad_file_leaves_every_worker_on_the_old_one_and_each_says_why(tmp_path, upstream):
    config = write_config(tmp_path, upstream, workers=3)
    task = tmp_path / "tasks" / "work.yaml"
    with ServeProcess(config) as gateway:
        before = digests(gateway.port)
        task.write_text("tasks: {work: {promt: work}}\n")
        until(lambda: all_say(gateway.port, "promt"), "not every worker says why")
        assert set(digests(gateway.port)) == set(before)
        task.write_text(TASK.format(prompt="two"))
        until(lambda: len(now := digests(gateway.port)) == 1 and now != before, "it does not heal")
        until(lambda: all_say(gateway.port, None), "a worker still tells of the mended file")


def test_what_only_a_worker_can_see_is_wrong_changes_none(tmp_path, upstream):
    """A certificate that is no certificate: the file holds, the first to read it refuses."""
    config = write_config(tmp_path, upstream, workers=2)
    with ServeProcess(config) as gateway:
        before = digests(gateway.port)
        (tmp_path / "ca.pem").write_text("no certificate")
        text = config.read_text()
        secure = f'{{model: m, base_url: "https://localhost:1/v1", tls: {{ca: {tmp_path}/ca.pem}}}}'
        config.write_text(insert(text, secure))
        until(lambda: all_say(gateway.port, "ca.pem"), "not every worker says why")
        assert set(digests(gateway.port)) == set(before)


def insert(text: str, deployment: str) -> str:
    return text.replace("deployments:\n", f"deployments:\n  secure: {deployment}\n")


def all_say(port: int, word: str | None) -> bool:
    """Whether the reload error of every worker holds a word, or is none."""
    said = [json.loads(get(port, "/readyz")[1])["configuration"]["reload_error"] for _ in range(16)]
    return all(each is None if word is None else word in (each or "") for each in said)
