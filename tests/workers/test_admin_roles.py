"""Who may do what at the admin's door: keys by their roles, people by their provider's tokens."""

import asyncio
import json
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.config import parse, show
from pointsman.domain.errors import ConfigurationError, Forbidden, PointsmanError, Unauthenticated
from pointsman.domain.task import OidcSettings
from pointsman.workers.admin_audit import AdminAudit
from pointsman.workers.admin_door import AdminDoor
from pointsman.workers.admin_held import AdminHeld
from pointsman.workers.admin_keys import AdminKeys
from pointsman.workers.people import People, looks_like_token
from pointsman.workers.roles import PERMISSIONS, allow

joserfc = pytest.importorskip("joserfc")
from joserfc import jwt  # noqa: E402
from joserfc.jwk import ECKey, OctKey, RSAKey  # noqa: E402

KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
ISSUER, AUDIENCE = "https://login.example.org", "pointsman"
SETTINGS = OidcSettings(
    issuer=ISSUER, audience=AUDIENCE, jwks="keys.json",
    roles={"platform": ("operator",), "watch": ("auditor", "reviewer")},
)  # fmt: skip
FILE = """
deployments: {a: {model: m, base_url: "http://h/v1"}}
server:
  admin:
    port: 4102
    keys: {ops: "${OPS}", eyes: "${EYES}"}
    roles: {eyes: [analyst]}
    oidc:
      issuer: https://login.example.org
      audience: pointsman
      jwks: keys.json
      roles: {platform: [operator], watch: [auditor, reviewer]}
journal: {path: facts}
"""


def token(key=KEY, *, header=None, **changes):
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u1", "email": "ada@example.org",
              "exp": int(time.time()) + 600, "groups": ["watch", "else"], **changes}  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "k1", **(header or {})}, claims, key).encode()


def people(*keys, **given):
    told = json.dumps({"keys": [key.as_dict(private=False) for key in keys or (KEY,)]}).encode()
    return People(SETTINGS, read=lambda address: told, **given)


def who(people, token):
    return asyncio.run(people.person(token))


def test_a_person_has_the_roles_of_their_groups():
    said = who(people(), token())
    roles = frozenset({"auditor", "reviewer"})
    assert said == ("ada@example.org", roles, f"{ISSUER}#u1")
    assert who(people(), token(groups="platform x", email=None)).roles == {"operator"}
    assert who(people(), token(groups=None)).roles == frozenset()
    assert who(people(), token(aud=["else", AUDIENCE])).name == "ada@example.org"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example.org"}, {"iss": None}, {"aud": "other"}, {"aud": None},
        {"exp": 1}, {"exp": None}, {"sub": None}, {"nbf": int(time.time()) + 9999},
        {"key": OTHER}, {"exp": "soon"},
    ],
)  # fmt: skip
def test_a_token_that_is_not_for_us_opens_nothing(changes):
    with pytest.raises(Unauthenticated) as caught:
        who(people(), token(**changes))
    assert "ada" not in str(caught.value)


def test_no_token_by_a_secret_or_by_nothing():
    secret = OctKey.generate_key(256)
    forged = jwt.encode({"alg": "HS256"}, {"iss": ISSUER}, secret)
    for text in (forged, "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.", "a.b.c", "x" * 20_000):
        with pytest.raises(Unauthenticated):
            who(people(), text.encode())


@given(st.binary(max_size=200))
def test_whatever_comes_opens_nothing(data):
    with pytest.raises(Unauthenticated):
        who(people(), b"eyJ" + data)
    assert looks_like_token(b"eyJ.a.b")
    assert not looks_like_token(b"pm_key")


def test_a_new_key_of_the_provider_is_looked_for_and_not_too_often():
    asked, now = [], [1_000_000.0]
    fresh = ECKey.generate_key("P-256", {"kid": "k2", "use": "sig"})
    keys = [KEY]

    def read(address):
        asked.append(address)
        return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()

    mine = People(SETTINGS, read=read, now=lambda: now[0])
    later = int(now[0]) + 9_000
    who(mine, token(exp=later))
    keys.append(fresh)
    new = token(fresh, header={"alg": "ES256", "kid": "k2"}, exp=later)
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            who(mine, new)
    assert len(asked) == 1  # rubbish does not make us ask again and again
    now[0] += 31
    assert who(mine, new).name == "ada@example.org"
    assert len(asked) == 2

    def away(address):
        raise OSError("away")

    with pytest.raises(Unauthenticated, match="cannot be checked now"):
        who(People(SETTINGS, read=away), token())


def test_a_provider_that_hangs_costs_one_thread_and_nobody_else_waits():
    asked, release = [], threading.Event()

    def hangs(address):
        asked.append(address)
        release.wait(30)
        raise OSError("away")

    async def main():
        mine = People(SETTINGS, read=hangs, patience_s=0.05)
        said = await asyncio.gather(
            *(mine.person(token()) for _ in range(50)), return_exceptions=True
        )
        assert all(isinstance(each, Unauthenticated) for each in said)
        assert len(asked) == 1
        assert await asyncio.to_thread(lambda: "free") == "free"
        release.set()
        with pytest.raises(Unauthenticated, match="cannot be checked now"):
            await mine.person(token())

    asyncio.run(main())


def test_who_waits_for_a_fetch_by_another_is_let_in_by_it():
    asked = []

    def read(address):
        asked.append(address)
        return json.dumps({"keys": [KEY.as_dict(private=False)]}).encode()

    async def main():
        mine = People(SETTINGS, read=read)
        said = await asyncio.gather(*(mine.person(token()) for _ in range(20)))
        assert {each.name for each in said} == {"ada@example.org"}

    asyncio.run(main())
    assert len(asked) == 1


def test_after_a_failure_it_is_not_asked_again_for_a_while_then_it_is():
    asked, now, up = [], [1_000_000.0], [False]

    def read(address):
        asked.append(address)
        if not up[0]:
            raise OSError("away")
        return json.dumps({"keys": [KEY.as_dict(private=False)]}).encode()

    mine = People(SETTINGS, read=read, now=lambda: now[0])
    good = token(exp=int(now[0]) + 200_000)
    for _ in range(5):
        with pytest.raises(Unauthenticated, match="cannot be checked now"):
            who(mine, good)
    assert len(asked) == 1
    now[0], up[0] = now[0] + 6, True
    assert who(mine, good).name == "ada@example.org"
    up[0] = False
    now[0] += 4_000  # an hour and more: those that are known still count
    assert who(mine, good).name == "ada@example.org"
    now[0] += 90_000  # a day and more: a key that was taken back would not be seen
    with pytest.raises(Unauthenticated, match="cannot be checked now"):
        who(mine, good)


def test_rubbish_takes_no_known_key_away_while_the_provider_is_down():
    now, up = [1_000_000.0], [True]

    def read(address):
        if not up[0]:
            raise OSError("away")
        return json.dumps({"keys": [KEY.as_dict(private=False)]}).encode()

    mine = People(SETTINGS, read=read, now=lambda: now[0])
    good = token(exp=int(now[0]) + 9_000)
    who(mine, good)
    up[0] = False
    now[0] += 31
    with pytest.raises(Unauthenticated, match="opens nothing"):
        who(mine, b"eyJhIjoxfQ.e30.x")
    assert who(mine, good).name == "ada@example.org"


ROLES = ["owner", "policy-author", "approver", "operator", "analyst", "reviewer", "auditor"]


@given(st.sets(st.sampled_from(ROLES)), st.sampled_from(sorted(PERMISSIONS)),
       st.sampled_from(["GET", "POST", "DELETE"]))  # fmt: skip
def test_nobody_may_more_than_their_roles(roles, route, method):
    may = "owner" in roles or bool(PERMISSIONS[route].get(method, frozenset()) & roles)
    try:
        allow(roles, method, route)
        allowed = True
    except Forbidden:
        allowed = False
    assert allowed == may


def test_no_payloads_for_analysts_and_no_keys_for_reviewers():
    for role, route in (("analyst", "/admin/held/"), ("analyst", "/admin/receipts/"),
                        ("reviewer", "/admin/keys"), ("auditor", "/admin/held/")):  # fmt: skip
        with pytest.raises(Forbidden):
            allow([role], "GET", route)


def test_every_route_of_the_admin_is_somebodys(tmp_path):
    config = config_of(tmp_path)
    routes = {
        *AdminKeys(lambda: config, object).routes, *AdminHeld(lambda: config, object).routes,
        *AdminAudit(lambda: config).routes, "/admin/workers", "/admin/report", "/admin/queries/",
    }  # fmt: skip
    assert routes == set(PERMISSIONS)


def config_of(tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    (tmp_path / "pointsman.yaml").write_text(FILE)
    from pointsman.config import load

    return load(tmp_path / "pointsman.yaml", env={"OPS": "o" * 20, "EYES": "e" * 20})


class Asked:
    """An exchange as far as the door needs one."""

    started = False

    def __init__(self, path, credential, method="GET"):
        self.request = self
        self.path, self.method, self.query, self.body = path, method, "", b""
        self.headers = {b"authorization": b"Bearer " + credential, b"host": b"localhost"}

    def respond(self, status, head, body):
        self.status, self.said = status, json.loads(body)


def test_keys_and_people_at_the_door(tmp_path):
    config = config_of(tmp_path)
    door = AdminDoor(config, None, lambda: None, more=AdminAudit(lambda: config).routes)

    def ask(path, credential):
        exchange = Asked(path, credential)
        asyncio.run(door(exchange))
        return exchange.status

    assert ask("/admin/policies", b"o" * 20) == 200  # a key without roles is the owner's
    assert ask("/admin/policies", b"e" * 20) == 403
    assert ask("/admin/audit", token()) == 200
    assert ask("/admin/keys", token()) == 404 or ask("/admin/keys", token()) == 403
    assert ask("/admin/audit", token(groups=["else"])) == 403
    assert ask("/admin/audit", token(OTHER)) == 401
    assert ask("/admin/audit", b"nobody") == 401


def test_what_is_configured_is_shown_and_checked(tmp_path):
    config = config_of(tmp_path)
    text = show(config, with_defaults=False)
    assert "analyst" in text
    assert "https://login.example.org" in text
    for wrong, said in (
        ("roles: {eyes: [analyst]}", "roles: {nobody: [analyst]}"),
        ("jwks: keys.json", "jwks: http://login.example.org/keys"),
        ("[analyst]", "[king]"),
    ):
        with pytest.raises(ConfigurationError):
            parse(FILE.replace(wrong, said), env={"OPS": "o" * 20, "EYES": "e" * 20})
    assert isinstance(Forbidden("x"), PointsmanError)
