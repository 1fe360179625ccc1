"""Policies come into force with their configuration, or not at all; batches are under them."""

import asyncio

import pytest
from tests.governing.governed import BLOCK, REDACT, governed
from tests.support.gateway import RunningGateway

from pointsman.batches.asking import ask
from pointsman.batches.lines import Line
from pointsman.batches.makers import Caller
from pointsman.config import load
from pointsman.domain.errors import ConfigurationError
from pointsman.gateway.reloading import Reloader
from pointsman.surfaces.table import SURFACES
from pointsman.testing import ScriptedUpstream, chat_answer

FILE = """
deployments:
  only: {{model: m, base_url: "{url}"}}
tasks:
  work: {{}}
server: {{port: 0}}
journal: {{path: {journal}}}
policies:
  all: {{files: ["policies/*.yaml"]}}
"""


@pytest.fixture
def upstream():
    with ScriptedUpstream(default=chat_answer("EMP-123456 of Falcon-9")) as one:
        yield one


@pytest.fixture
def path(tmp_path, upstream):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "one.yaml").write_text(REDACT)
    made = tmp_path / "pointsman.yaml"
    made.write_text(FILE.format(url=upstream.base_url, journal=tmp_path / "journal"))
    return made


def reload(gateway, path):
    reloader = Reloader(gateway.app, lambda: load(path, env={}))
    return asyncio.run_coroutine_threadsafe(reloader.reload(), gateway._loop).result(20)


def said(gateway):
    return gateway.chat().json["choices"][0]["message"]["content"]


def test_a_changed_policy_is_in_force_for_the_next_request(path):
    with RunningGateway(load(path, env={})) as gateway:
        assert said(gateway) == "<code> of Falcon-9"
        (path.parent / "policies" / "two.yaml").write_text(BLOCK)
        assert reload(gateway, path)
        assert said(gateway) == ""
        (path.parent / "policies" / "two.yaml").unlink()
        assert reload(gateway, path)
        assert said(gateway) == "<code> of Falcon-9"


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("[0-9]{6}", "(?<=x)", "one.yaml:4:17: detectors.code: not an RE2 pattern"),
        ('regex: "EMP-[0-9]{6}"', "use: secret", "no detector 'secret' (did you mean 'secrets'?)"),
        ("stages: [response]", "stages: [cache_hit]", "nothing here has a stage 'cache_hit'"),
        ("detectors: [code]", "when: code.hti", "code has no 'hti'"),
    ],
)
def test_a_policy_that_cannot_run_leaves_the_old_one_in_force(path, before, after, why):
    file = path.parent / "policies" / "one.yaml"
    with RunningGateway(load(path, env={})) as gateway:
        file.write_text(REDACT.replace(before, after))
        assert not reload(gateway, path)
        assert why in gateway.app.reload_error
        assert said(gateway) == "<code> of Falcon-9"
    with pytest.raises(ConfigurationError), RunningGateway(load(path, env={})):
        pass


def test_a_request_that_runs_keeps_the_policies_it_began_with(path, upstream):
    from pointsman.testing import Flag

    waits = Flag()
    upstream.then(chat_answer("EMP-123456 of Falcon-9", once=waits))
    with RunningGateway(load(path, env={})) as gateway:
        loop = asyncio.new_event_loop()
        running = loop.run_in_executor(None, lambda: said(gateway))
        upstream.wait_request(1)
        (path.parent / "policies" / "one.yaml").write_text(BLOCK)
        assert reload(gateway, path)
        waits.set()
        assert loop.run_until_complete(running) == "<code> of Falcon-9"
        assert said(gateway) == ""
        loop.close()


def test_the_lines_of_a_batch_are_under_them_as_well(tmp_path, upstream):
    surface = SURFACES["/v1/chat/completions"]
    bodies = [
        b'{"model": "task:work", "messages": [{"role": "user", "content": "hello"}]}',
        b'{"model": "task:work", "messages": [{"role": "user", "content": "Falcon-9"}]}',
    ]
    with governed(tmp_path, [upstream], REDACT, BLOCK.replace("response, ", "")) as gateway:
        app = gateway.app
        caller = Caller("default", "local", None, None)
        given = [
            asyncio.run_coroutine_threadsafe(
                ask(Line(number=1, custom_id="a", body=body), surface, caller,
                    session="b", targets=app.targets, answering=app.answering, clock=app.clock),
                gateway._loop,
            ).result(20)
            for body in bodies
        ]  # fmt: skip
    assert given[0].status == 200
    assert b"<code> of Falcon-9" in given[0].body
    assert given[1].status == 400
    assert b"content_filter" in given[1].body
