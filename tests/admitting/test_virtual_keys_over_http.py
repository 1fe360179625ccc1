"""Virtual keys at a real door: taken, expired, revoked, rotated, bound to tasks; a lost state."""

import contextlib

import msgspec
import pytest
from tests.admitting.kit import PRICE, a_key, an_engine, ask, error_of, limited, until
from tests.support.gateway import RunningGateway

from pointsman.domain.errors import ConfigurationError, StateUnavailable
from pointsman.domain.limits import Allowance
from pointsman.domain.records import Admission
from pointsman.domain.task import ServerSettings, StateSettings, Team, VirtualKeySettings
from pointsman.gateway.auth import check_exposure
from pointsman.journal import iter_records
from pointsman.state import open_state
from pointsman.testing import ScriptedUpstream

COST = 10 * PRICE.output_usd_picos
FRESH = VirtualKeySettings(enabled=True, fresh_s=0.2)


class Clock:
    """The wall clock of the state that makes keys."""

    def __init__(self) -> None:
        import time

        self.us = time.time_ns() // 1000

    def __call__(self) -> int:
        return self.us


@pytest.fixture
def upstream():
    with ScriptedUpstream(default=an_engine()) as running:
        yield running


@pytest.fixture
def config(tmp_path, upstream):
    return limited(
        tmp_path, upstream, keys=[], most=10, virtual_keys=FRESH,
        teams=(Team(name="search", tenant="acme", limits=Allowance(day_usd_picos=2 * COST)),),
    )  # fmt: skip


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(config, clock):
    """Where an operator makes them, beside the gateway."""
    with open_state(config.state_url, clock=clock) as state:
        yield state.virtual_keys


@pytest.fixture
def gateway(config):
    with RunningGateway(config) as running:
        yield running


def test_a_key_made_while_serving_opens_the_door_at_once(gateway, keys, tmp_path):
    secret = keys.create("app", by="ada", tenant="acme").secret
    assert ask(gateway, secret).status == 200
    (admission,) = (each for each in iter_records(tmp_path) if isinstance(each, Admission))
    assert (admission.tenant, admission.principal) == ("acme", "app")


def test_without_a_key_nobody_gets_in_from_this_machine_either(gateway):
    assert gateway.chat().status == 401
    assert error_of(gateway.chat())["code"] == "missing_api_key"


def test_an_unknown_key_and_a_mistyped_one_are_refused_alike(gateway, keys):
    secret = keys.create("app", by="ada").secret
    wrong = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    answers = [ask(gateway, wrong), ask(gateway, "sk-anything"), ask(gateway, "x" * 5000)]
    assert [answer.status for answer in answers] == [401, 401, 401]
    assert len({answer.body for answer in answers}) == 1


def test_a_key_that_expired_opens_nothing(gateway, keys, clock):
    soon = keys.create("app", by="ada", expires_us=clock.us + 400_000).secret
    if ask(gateway, soon).status != 200:
        pytest.skip("this machine took longer than the key lives")
    until(lambda: ask(gateway, soon).status == 401, "it expires on the gateway as well")
    assert error_of(ask(gateway, soon))["code"] == "invalid_api_key"


def test_a_revoked_key_opens_nothing_after_the_time_it_is_believed(gateway, keys):
    secret = keys.create("app", by="ada").secret
    assert ask(gateway, secret).status == 200
    keys.revoke("app")
    until(lambda: ask(gateway, secret).status == 401, "it is known to be revoked", 5)


def test_a_rotated_key_opens_with_both_secrets_until_the_overlap_ends(gateway, keys):
    old = keys.create("app", by="ada", limits=Allowance(day_usd_picos=2 * COST)).secret
    assert ask(gateway, old).status == 200
    new = keys.rotate("app", overlap_us=60_000_000).secret
    assert ask(gateway, new).status == 200
    assert ask(gateway, old).status == 403, "both secrets spend one budget"
    newest = keys.rotate("app", overlap_us=0).secret
    until(lambda: ask(gateway, old).status == 401, "the old one ends", 5)
    until(lambda: ask(gateway, new).status == 401, "so does the one after", 5)
    assert ask(gateway, newest).status == 403


def test_a_key_for_another_task_is_forbidden(gateway, keys):
    secret = keys.create("app", by="ada", tasks=("other",)).secret
    answer = ask(gateway, secret)
    assert (answer.status, error_of(answer)["code"]) == (403, "model_not_allowed")


def test_a_key_for_models_may_ask_those_and_no_task(gateway, keys):
    secret = keys.create("app", by="ada", models=("small",)).secret
    assert ask(gateway, secret, model="small").status == 200
    assert ask(gateway, secret, model="task:work").status == 403
    assert ask(gateway, secret, model="auto").status == 403
    both = keys.create("both", by="ada", tasks=("work",), models=("small",)).secret
    assert ask(gateway, both, model="task:work@small").status == 200
    assert ask(gateway, both, model="task:work@main").status == 403
    listed = gateway.request("GET", "/v1/models", headers={"authorization": f"Bearer {both}"}).json
    assert {each["id"] for each in listed["data"]} >= {"task:work", "small"}
    assert "main" not in {each["id"] for each in listed["data"]}


def test_a_virtual_key_has_its_own_limits_and_its_teams(gateway, keys):
    keys_of = [
        keys.create(name, by="ada", tenant="acme", team="search", limits=limits).secret
        for name, limits in (("a", Allowance(requests_per_minute=1)), ("b", Allowance()))
    ]
    assert [ask(gateway, secret).status for secret in keys_of] == [200, 200]
    assert ask(gateway, keys_of[0]).status == 429
    assert "the team search" in error_of(ask(gateway, keys_of[1]))["message"]


def test_a_key_of_a_team_that_is_no_more_is_refused(gateway, keys):
    secret = keys.create("app", by="ada", team="gone").secret
    answer = ask(gateway, secret)
    assert (answer.status, error_of(answer)["code"]) == (403, "team_not_known")


def test_x_api_key_carries_one_as_well(gateway, keys):
    secret = keys.create("app", by="ada").secret
    assert gateway.chat(headers={"x-api-key": secret}).status == 200


def test_a_known_key_goes_on_for_a_while_without_the_database_and_an_unknown_one_gets_503(
    gateway, keys
):
    known = keys.create("known", by="ada").secret
    unknown = keys.create("unknown", by="ada").secret
    assert ask(gateway, known).status == 200

    class Gone:
        def find(self, token):
            raise StateUnavailable("gone")

    gateway.app.keyring._keys = Gone()
    gateway.app.keyring.fresh_s = 0.0
    assert ask(gateway, known).status == 200
    answer = ask(gateway, unknown)
    assert (answer.status, error_of(answer)["code"]) == (503, "state_unavailable")


def test_keys_of_the_file_open_the_door_beside_them(config, keys):
    both = msgspec.structs.replace(config, keys=(a_key(),))
    secret = keys.create("virtual", by="ada").secret
    with RunningGateway(both) as gateway:
        assert ask(gateway).status == 200
        assert ask(gateway, secret).status == 200


def test_without_virtual_keys_one_opens_nothing(config, keys):
    secret = keys.create("app", by="ada").secret
    closed = msgspec.structs.replace(config, keys=(a_key(),), virtual_keys=VirtualKeySettings())
    with RunningGateway(closed) as gateway:
        assert ask(gateway, secret).status == 401


def test_a_door_for_virtual_keys_may_be_open_to_the_network():
    server = ServerSettings(host="0.0.0.0")
    check_exposure((), server, virtual=True)
    with pytest.raises(ConfigurationError):
        check_exposure((), server)


def test_a_gateway_that_cannot_open_its_state_does_not_serve_virtual_keys(config):
    lost = msgspec.structs.replace(config, state=StateSettings(url="sqlite:////proc/no/state"))
    with pytest.raises(StateUnavailable), contextlib.ExitStack() as stack:
        stack.enter_context(RunningGateway(lost))
