"""Virtual keys: shown once, found by a keyed hash, over when they are over, never given twice."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.errors import ConfigurationError, NotFound, UsageError
from pointsman.domain.limits import Allowance
from pointsman.state import open_state
from pointsman.state.key_form import looks_like_one


class Clock:
    def __init__(self):
        self.us = 1_700_000_000_000_000

    def __call__(self):
        return self.us


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(url, clock):
    with open_state(url, clock=clock) as state:
        yield state.virtual_keys


def test_a_key_is_found_by_its_secret_with_everything_it_was_given(keys, clock):
    made = keys.create(
        "app", by="ada", tenant="acme", team="search", tasks=("work",), models=("small",),
        limits=Allowance(requests_per_minute=5, day_usd_picos=10**12),
        expires_us=clock.us + 1000,
    )  # fmt: skip
    assert keys.find(made.secret.encode()) == made.key
    assert made.key.limits.day_usd_picos == 10**12
    assert (made.key.tenant, made.key.team, made.key.tasks) == ("acme", "search", ("work",))


def test_another_secret_finds_nothing(keys):
    secret = keys.create("app", by="ada").secret.encode()
    assert keys.find(secret[:-1]) is None
    assert keys.find(secret + b"x") is None
    assert keys.find(b"") is None


def test_a_key_expires(keys, clock):
    made = keys.create("app", by="ada", expires_us=clock.us + 1000)
    clock.us += 999
    assert keys.find(made.secret.encode()) is not None
    clock.us += 1
    assert keys.find(made.secret.encode()) is None


def test_a_revoked_key_opens_nothing_for_good(keys, clock):
    made = keys.create("app", by="ada")
    revoked = keys.revoke("app")
    assert revoked.revoked_us == clock.us
    assert keys.find(made.secret.encode()) is None
    clock.us += 5
    assert keys.revoke("app") == revoked
    with pytest.raises(UsageError, match="for good"):
        keys.rotate("app", overlap_us=0)


def test_after_a_rotation_both_secrets_open_until_the_overlap_is_over(keys, clock):
    old = keys.create("app", by="ada").secret.encode()
    new = keys.rotate("app", overlap_us=1000).secret.encode()
    found = keys.find(old)
    assert found is not None
    assert found.expires_us == clock.us + 1000, "who remembers it must not outlive the secret"
    assert keys.find(new).expires_us is None
    clock.us += 1000
    assert keys.find(old) is None
    assert keys.find(new) is not None
    assert [secret.hint for secret in keys.get("app")[1]] == [new.decode()[-4:]]


def test_a_rotation_without_overlap_ends_the_old_secret_at_once(keys):
    old = keys.create("app", by="ada").secret.encode()
    keys.rotate("app", overlap_us=0)
    assert keys.find(old) is None


def test_a_second_rotation_does_not_lengthen_the_first_overlap(keys, clock):
    old = keys.create("app", by="ada").secret.encode()
    keys.rotate("app", overlap_us=10)
    keys.rotate("app", overlap_us=1000)
    clock.us += 10
    assert keys.find(old) is None


def test_a_name_is_never_given_twice(keys):
    keys.create("app", by="ada")
    keys.revoke("app")
    with pytest.raises(UsageError, match="never given"):
        keys.create("app", by="ada")


def test_an_end_in_the_past_and_a_negative_overlap_are_refused(keys, clock):
    with pytest.raises(UsageError):
        keys.create("app", by="ada", expires_us=clock.us)
    keys.create("app", by="ada")
    with pytest.raises(UsageError):
        keys.rotate("app", overlap_us=-1)


def test_a_name_that_is_not_there_is_said_to_be_not_there(keys):
    for ask in (keys.get, keys.revoke, lambda name: keys.rotate(name, overlap_us=0)):
        with pytest.raises(NotFound, match="nobody"):
            ask("nobody")


def test_keys_are_listed_by_name_revoked_ones_too(keys):
    keys.create("b", by="ada")
    keys.create("a", by="ada")
    keys.revoke("a")
    assert [(key.name, key.revoked_us is None) for key in keys.all()] == [("a", False), ("b", True)]


def test_the_same_secret_opens_after_a_restart(url):
    with open_state(url) as state:
        secret = state.virtual_keys.create("app", by="ada").secret.encode()
    with open_state(url) as state:
        assert state.virtual_keys.find(secret) is not None


def test_no_file_holds_a_secret(tmp_path):
    file = tmp_path / "state.sqlite"
    with open_state(f"sqlite:///{file}") as state:
        secret = state.virtual_keys.create("app", by="ada").secret
    with sqlite3.connect(file) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"app" in held
    assert secret.encode() not in held
    assert secret[6:-6].encode() not in held


def test_the_same_secret_hashes_otherwise_in_another_database(tmp_path):
    """Keyed: who has one database cannot look a secret up in another."""
    with (
        open_state(f"sqlite:///{tmp_path}/a.sqlite") as one,
        open_state(f"sqlite:///{tmp_path}/b.sqlite") as other,
    ):
        secret = one.virtual_keys.create("app", by="ada").secret.encode()
        other.virtual_keys.create("app", by="ada")
        assert other.virtual_keys.find(secret) is None
        assert one.virtual_keys._hash(secret) != other.virtual_keys._hash(secret)


def test_a_typing_error_is_seen_without_the_database(keys):
    secret = keys.create("app", by="ada").secret.encode()
    assert looks_like_one(secret)
    for index in range(6, len(secret)):
        wrong = bytearray(secret)
        wrong[index] = ord("x") if wrong[index] != ord("x") else ord("y")
        assert not looks_like_one(bytes(wrong))


@given(st.binary(max_size=200))
def test_no_bytes_upset_the_check_of_the_form(token):
    assert not looks_like_one(token)


class Master:
    """A wrapper that says which key it is of; it hides nothing."""

    def __init__(self, name):
        self.id = name

    def wrap(self, secret, *, context):
        return self.id.encode() + b"|" + secret

    def unwrap(self, wrapped, *, context, by):
        mine, _, secret = wrapped.partition(b"|")
        if mine != self.id.encode() and self.id != "both":
            raise ValueError("another")
        return secret


def test_a_new_master_key_takes_over_what_keys_are_hashed_with(url):
    with open_state(url, wrapper=Master("old")) as state:
        secret = state.virtual_keys.create("app", by="ada").secret.encode()
    with open_state(url, wrapper=Master("both")) as state:
        assert state.rewrap() == 2, "that of subjects, and that of keys"
        assert state.rewrap() == 0
        assert state.virtual_keys.find(secret) is not None
    with open_state(url, wrapper=Master("both")) as state:
        assert state.virtual_keys.find(secret) is not None
    with pytest.raises(ConfigurationError):
        open_state(url, wrapper=Master("old"))
