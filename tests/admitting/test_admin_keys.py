"""Virtual keys and budgets at the admin's door, beside a gateway that takes them."""

import http.client
import json
import socket

import pytest
from tests.admitting.kit import an_engine, until
from tests.support.gateway import RunningGateway
from tests.support.processes import ServeProcess

from pointsman.testing import ScriptedUpstream

CONFIG = """\
deployments:
  small:
    model: small
    base_url: "{small}"
    price: {{input_usd_per_mtok: 0, output_usd_per_mtok: 1000}}
    limits: {{max_output_tokens: 10}}
tasks: {{work: {{}}}}
virtual_keys: {{enabled: true, fresh_s: 0.2}}
budgets: {{lease_s: 0.6}}
journal: {{path: journal}}
server: {{admin: {{port: {port}, keys: {{ops: secret-of-ops}}}}}}
"""


class Admin:
    """A client of the admin's door."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method, path, body=None, key="secret-of-ops"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            payload = body if isinstance(body, bytes | None) else json.dumps(body)
            connection.request(method, path, payload, {"authorization": f"Bearer {key}"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def serves(self) -> bool:
        try:
            return self.ask("GET", "/healthz")[0] == 200
        except OSError:
            return False


@pytest.fixture
def both(tmp_path):
    """The admin, and the port of the door of clients."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    path = tmp_path / "pointsman.yaml"
    with ScriptedUpstream(default=an_engine()) as upstream:
        path.write_text(CONFIG.format(small=upstream.base_url, port=port))
        with ServeProcess(path) as gateway:
            admin = Admin(port)
            until(admin.serves, "the admin does not serve", 60)
            yield admin, gateway.port


def chat(port, secret):
    gateway = RunningGateway.__new__(RunningGateway)
    gateway.port = port
    return gateway.chat(headers={"authorization": f"Bearer {secret}"})


def test_a_key_is_made_used_rotated_and_revoked_over_http(both):
    admin, port = both
    status, made = admin.ask(
        "POST", "/admin/keys", {"name": "app", "tasks": ["work"], "usd_per_day": 0.025}
    )
    assert (status, made["made_by"], made["limits"]["usd_per_day"]) == (201, "admin:ops", 0.025)
    secret = made["secret"]
    assert [chat(port, secret).status for _ in range(3)] == [200, 200, 403]
    status, listed = admin.ask("GET", "/admin/keys")
    assert [each["name"] for each in listed["data"]] == ["app"]
    assert secret not in json.dumps(listed)

    def spent():
        (standing,) = admin.ask("GET", "/admin/budgets")[1]["data"]
        return standing["scope"], standing["spent_usd"], standing["limit_usd"]

    until(lambda: spent() == ("key:app", 0.02, 0.025), "it is told what was spent")
    status, rotated = admin.ask("POST", "/admin/keys/rotate", {"name": "app", "overlap_hours": 0})
    assert status == 200
    assert chat(port, rotated["secret"]).status == 403
    until(lambda: chat(port, secret).status == 401, "the old secret ends")
    assert admin.ask("POST", "/admin/keys/revoke", {"name": "app"})[0] == 200
    until(lambda: chat(port, rotated["secret"]).status == 401, "it is revoked")


def test_the_admins_door_refuses_what_cannot_be_and_who_is_none(both):
    admin, _ = both
    secret = admin.ask("POST", "/admin/keys", {"name": "app"})[1]["secret"]
    assert admin.ask("GET", "/admin/keys", key=secret)[0] == 401, "no key of clients opens it"
    assert admin.ask("POST", "/admin/keys", {"name": "x"}, key="wrong")[0] == 401
    for body in (
        {"name": "app"}, {"name": ""}, {"name": "x", "usd_per_day": 0},
        {"name": "x", "usd_per_day": "NaN"}, {"name": "x", "usd_per_day": -1},
        {"name": "x", "tasks": ["nosuch"]}, {"name": "x", "expires_in_days": 0},
        {"name": "x", "requests_per_minute": 0}, {"name": "x", "admin": True}, {}, [], b"{",
        {"name": "x" * 1000}, {"name": "a\0b"},
    ):  # fmt: skip
        status, said = admin.ask("POST", "/admin/keys", body)
        assert status == 400, (body, said)
    assert admin.ask("POST", "/admin/keys/revoke", {"name": "nosuch"})[0] == 404
    assert admin.ask("POST", "/admin/keys/rotate", {"name": "app", "overlap_hours": -1})[0] == 400
    assert len(admin.ask("GET", "/admin/keys")[1]["data"]) == 1
