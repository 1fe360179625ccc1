"""The admin's door: who may enter, what it tells, and that it is no door of clients."""

import json
import socket

import pytest
from tests.support.processes import ServeProcess, children, run_pointsman
from tests.workers.workers_kit import (
    TASK,
    chat,
    command,
    counted,
    get,
    gone,
    kill,
    until,
    workers_of,
    write_config,
)

from pointsman.config import parse, show
from pointsman.domain.errors import ConfigurationError
from pointsman.testing import ScriptedUpstream, chat_answer

SECURED = """\
deployments: {a: {model: m, base_url: "http://h/v1"}}
keys: {app: {key: "${APP}"}}
server: {admin: {port: 4102, keys: {ops: "${OPS}"}}}
"""


@pytest.fixture
def upstream():
    with ScriptedUpstream(default=chat_answer("ok")) as running:
        yield running


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def workers(request):
    return request.param


def admins_of(gateway: ServeProcess) -> list[int]:
    return [pid for pid in children(gateway.pid) if " admin " in command(pid)]


def test_the_admin_tells_of_the_whole(tmp_path, upstream, port, workers):
    config = write_config(tmp_path, upstream, workers=workers, server=f", admin: {{port: {port}}}")
    with ServeProcess(config) as gateway:
        until(lambda: get(port, "/healthz")[0] == 200, "the admin does not serve")
        traces = {chat(gateway.port)[1] for _ in range(12)}
        until(lambda: get(port, "/readyz")[0] == 200, "it is not ready")
        ready = json.loads(get(port, "/readyz")[1])
        assert ready["workers"] == {"ready": workers, "of": workers}
        assert ready["configuration"]["everywhere"]
        whole = json.loads(get(port, "/admin/workers")[1])
        assert len(whole["workers"]) == workers
        assert {each["digest"] for each in whole["workers"]} == {ready["configuration"]["digest"]}
        assert counted(get(port, "/metrics")[1]) == counted(get(gateway.port, "/metrics")[1])
        status, body = get(port, "/admin/queries/requests?limit=5&task=work")
        assert status == 200, body
        rows = json.loads(body)["data"]
        assert len(rows) == 5
        assert {row["trace"] for row in rows} < traces
        status, body = get(port, "/admin/report?hours=1")
        assert json.loads(body)["tasks"][0]["total"]["requests"] == 12
        assert get(port, "/v1/models")[0] == 404
        assert get(gateway.port, "/admin/workers")[0] == 404
        processes = children(gateway.pid)
        gateway.terminate()
        assert gateway.ended() == 0
        gone(processes)


def test_an_admin_that_dies_is_started_again_and_nobody_notices(tmp_path, upstream, port, workers):
    config = write_config(tmp_path, upstream, workers=workers, server=f", admin: {{port: {port}}}")
    with ServeProcess(config) as gateway:
        (first,) = until(lambda: admins_of(gateway), "there is no admin")
        until(lambda: get(port, "/healthz")[0] == 200, "the admin does not serve")
        kill(first)
        assert chat(gateway.port)[0] == 200
        until(lambda: get(port, "/readyz")[0] == 200, "it is not started again")
        assert admins_of(gateway) != [first]


def test_readiness_is_that_of_all_workers_and_follows_changes(tmp_path, upstream, port):
    config = write_config(tmp_path, upstream, workers=2, server=f", admin: {{port: {port}}}")
    with ServeProcess(config) as gateway:
        until(lambda: get(port, "/readyz")[0] == 200, "it is not ready")
        before = json.loads(get(port, "/readyz")[1])["configuration"]["digest"]
        (tmp_path / "tasks" / "work.yaml").write_text(TASK.format(prompt="two"))

        def changed() -> bool:
            said = json.loads(get(port, "/readyz")[1])["configuration"]
            return said["digest"] != before and said["everywhere"]

        until(changed, "not every worker follows")
        kill(workers_of(gateway)[0])
        until(lambda: restarts(port) == 1, "its restart is not told")
        until(lambda: get(port, "/readyz")[0] == 200, "it does not get ready again")


def restarts(port: int) -> int:
    return sum(each["restarts"] for each in json.loads(get(port, "/admin/workers")[1])["workers"])


def test_only_admin_keys_open_it_and_admin_keys_open_nothing_else(tmp_path, upstream, port):
    config = write_config(
        tmp_path, upstream, workers=2,
        server=f", admin: {{port: {port}, keys: {{ops: ops-secret}}}}",
        more="keys: {app: {key: app-secret}}\n",
    )  # fmt: skip
    with ServeProcess(config) as gateway:
        until(lambda: get(port, "/healthz")[0] == 200, "the admin does not serve")
        assert get(port, "/readyz")[0] in (200, 503)
        assert get(port, "/metrics")[0] == 200
        for path in ("/admin/workers", "/admin/report", "/admin/queries/requests", "/admin/none"):
            assert get(port, path)[0] == 401
            assert get(port, path, "app-secret")[0] == 401
            assert get(port, path, "")[0] == 401
        assert get(port, "/admin/workers", "ops-secret")[0] == 200
        assert get(gateway.port, "/v1/models", "ops-secret")[0] == 401
        assert get(gateway.port, "/v1/models", "app-secret")[0] == 200


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/admin/queries/none", "GET", 404),
        ("/admin/queries/", "GET", 404),
        ("/admin/queries/trace", "GET", 404),
        ("/admin/queries/requests?limit=x", "GET", 400),
        ("/admin/queries/requests?limit=-1", "GET", 400),
        ("/admin/queries/requests?limit=nan", "GET", 400),
        ("/admin/queries/requests?limit=1&limit=2", "GET", 400),
        ("/admin/queries/requests?evil=1", "GET", 400),
        ("/admin/queries/requests?task=%ff", "GET", 400),
        ("/admin/queries/requests?task=';drop", "GET", 200),
        ("/admin/report?hours=inf", "GET", 400),
        ("/admin/report?hours=1e400", "GET", 400),
        ("/admin/report?task=none", "GET", 404),
        ("/admin/report?" + "a=1&" * 100, "GET", 400),
        ("/admin/workers", "POST", 405),
        ("/admin/workers/1", "GET", 404),
        ("/../etc/passwd", "GET", 404),
    ],
)
def test_hostile_questions_are_refused_and_the_next_is_answered(admin, path, method, status):
    assert get(admin, path, method=method)[0] == status
    assert get(admin, "/healthz")[0] == 200


@pytest.fixture(scope="module")
def admin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("admin")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    with ScriptedUpstream(default=chat_answer("ok")) as upstream:
        config = write_config(folder, upstream, workers=1, server=f", admin: {{port: {port}}}")
        with ServeProcess(config) as gateway:
            until(lambda: get(port, "/healthz")[0] == 200, "the admin does not serve")
            assert chat(gateway.port)[0] == 200
            yield port


def test_a_page_of_another_name_cannot_ask_an_admin_without_keys(admin):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=10)
    connection.request("GET", "/admin/workers", headers={"host": "evil.example"})
    assert connection.getresponse().status == 403
    connection.close()


def test_a_taken_port_of_the_admin_is_a_clear_error(tmp_path, upstream, workers):
    with socket.create_server(("127.0.0.1", 0)) as held:
        config = write_config(
            tmp_path, upstream, workers=workers,
            server=f", admin: {{port: {held.getsockname()[1]}}}",
        )  # fmt: skip
        done = run_pointsman("serve", "-c", str(config), "--port", "0", folder=tmp_path)
    assert done.returncode == 3
    assert "cannot listen on 127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("{admin: {host: 0.0.0.0}}", "open to the network"),
        ("{admin: {host: example.org}}", "open to the network"),
        ("{admin: {host: 'http://x'}}", "without scheme"),
        ("{admin: {keys: {ops: '***'}}}", "a hidden secret"),
        ("{admin: {keys: {a: same, b: same}}}", "the same key as server.admin.keys.a"),
        ("{admin: {keys: {ops: ''}}}", "server.admin.keys.ops"),
    ],
)
def test_an_admin_that_would_stand_open_is_refused(server, why):
    text = f'deployments: {{a: {{model: m, base_url: "http://h/v1"}}}}\nserver: {server}\n'
    with pytest.raises(ConfigurationError) as raised:
        parse(text)
    assert why in raised.value.why


def test_an_admin_beside_client_keys_wants_a_key_of_its_own():
    with pytest.raises(ConfigurationError) as raised:
        parse(SECURED.replace(', keys: {ops: "${OPS}"}', ""), env={"APP": "x"})
    assert "wants keys of its own" in raised.value.why
    with pytest.raises(ConfigurationError, match="does not say what it must") as raised:
        parse(
            'deployments: {a: {model: m, base_url: "http://h/v1"}}\n'
            "virtual_keys: {enabled: true}\nserver: {admin: {port: 4102}}\n"
        )
    assert "wants keys of its own" in raised.value.why
    with pytest.raises(ConfigurationError) as raised:
        parse(SECURED, env={"APP": "x", "OPS": "x"})
    assert "the same key as keys.app" in raised.value.why


def test_an_admins_key_is_shown_by_its_variable_and_kept_as_a_hash():
    config = parse(SECURED, env={"APP": "app-secret", "OPS": "ops-secret"})
    shown = show(config, with_defaults=True)
    assert "ops: ${OPS}" in shown.replace('"', "")
    assert "ops-secret" not in shown + repr(config)
    assert config == parse(SECURED, env={"APP": "app-secret", "OPS": "ops-secret"})
    other = parse(SECURED, env={"APP": "app-secret", "OPS": "another"})
    assert other.digest == config.digest, "the digest says nothing of secrets"
    assert other != config
