"""The contract of subject keys: one living secret a subject, gone to the last byte."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from pointsman.domain.errors import ConfigurationError, StateUnavailable, UsageError
from pointsman.domain.ports import SubjectKeys
from pointsman.state import State, open_state
from tests.state.conftest import postgres_engine
from tests.state.state_bytes import XorWrapper, bytes_of_files, bytes_of_table
from tests.state.state_forks import at_once

ONE = {"k1": b"one"}
BOTH = {"k1": b"one", "k2": b"two"}


def test_it_is_the_port(state: State) -> None:
    keys: SubjectKeys = state.subject_keys
    assert keys is state.subject_keys


def test_a_subject_has_one_key_and_keeps_it(url: str) -> None:
    with open_state(url) as state:
        key = state.subject_keys.key("acme", "ada@example.org")
        assert len(key.secret) == 32
        assert key.id.startswith("sk_")
        assert state.subject_keys.key("acme", "ada@example.org").secret == key.secret
    with open_state(url) as state:
        again = state.subject_keys.key("acme", "ada@example.org")
        assert (again.id, again.secret) == (key.id, key.secret)
        assert state.subject_keys.find([key.id, "sk_unknown"]) == {key.id: key}


def test_no_two_subjects_share_a_key(state: State) -> None:
    pairs = [("a", "bc"), ("ab", "c"), ("a", "b"), ("b", "a"), ("a", "\ud800"), ("a", "b\0")]
    keys = [state.subject_keys.key(*pair) for pair in pairs]
    assert len({key.id for key in keys}) == len({key.secret for key in keys}) == len(pairs)


@pytest.mark.parametrize("tenant", ["", "x" * 256, "nul\0"])
def test_a_tenant_that_no_database_keeps_is_refused(state: State, tenant: str) -> None:
    with pytest.raises(UsageError):
        state.subject_keys.key(tenant, "ada")


def test_nobody_without_a_name_has_a_key(state: State) -> None:
    with pytest.raises(ValueError, match="not empty"):
        state.subject_keys.key("acme", "")


def test_a_rotated_key_is_found_but_no_longer_used(state: State) -> None:
    old = state.subject_keys.key("acme", "ada")
    new = state.subject_keys.rotate("acme", "ada")
    assert new.id != old.id
    assert state.subject_keys.key("acme", "ada") == new
    assert state.subject_keys.find([old.id, new.id]) == {old.id: old, new.id: new}
    assert state.subject_keys.rotate("acme", "somebody new").secret


def test_every_key_of_a_subject_is_destroyed_and_known_as_such(state: State) -> None:
    old = state.subject_keys.key("acme", "ada")
    new = state.subject_keys.rotate("acme", "ada")
    other = state.subject_keys.key("other", "ada")
    assert state.subject_keys.destroy("acme", "ada") == tuple(sorted([old.id, new.id]))
    ids = [old.id, new.id, other.id, "sk_unknown"]
    assert state.subject_keys.find(ids) == {other.id: other}
    when = 1_700_000_000_000_000
    assert state.subject_keys.destroyed(ids) == {old.id: when, new.id: when}
    assert state.subject_keys.destroy("acme", "ada") == ()
    assert state.subject_keys.destroy("acme", "never seen") == ()


def test_a_destroyed_subject_that_comes_back_is_a_new_one(state: State) -> None:
    old = state.subject_keys.key("acme", "ada")
    state.subject_keys.destroy("acme", "ada")
    new = state.subject_keys.key("acme", "ada")
    assert new.id != old.id
    assert new.secret != old.secret


def test_thousands_are_found_and_destroyed_in_one_call(state: State) -> None:
    made = [state.subject_keys.key("acme", f"p{n}").id for n in range(30)]
    unknown = [f"sk_{n}" for n in range(40_000)]
    assert set(state.subject_keys.find(made + unknown)) == set(made)
    subjects = [("acme", f"p{n}") for n in range(2_000)]
    assert state.subject_keys.destroy_all(subjects) == tuple(sorted(made))
    assert state.subject_keys.find(made) == {}


def test_processes_that_ask_for_a_new_subject_at_once_get_the_same_key(url: str) -> None:
    def work(_: int) -> list[tuple[str, bytes]]:
        with open_state(url) as state:  # the database, too, is made by whoever comes first
            keys = [state.subject_keys.key("acme", f"p{n}") for n in range(20)]
        return [(key.id, key.secret) for key in keys]

    first, *others = at_once(work, processes=4)
    assert all(given == first for given in others)


def test_keys_made_and_destroyed_at_once_are_whole_or_gone(url: str) -> None:
    open_state(url).close()

    def work(number: int) -> list[str]:
        ids = []
        with open_state(url) as state:
            for _ in range(8):
                if number == 0:
                    state.subject_keys.destroy("acme", "ada")
                elif number == 1:
                    ids.append(state.subject_keys.rotate("acme", "ada").id)
                else:
                    ids.append(state.subject_keys.key("acme", "ada").id)
        return ids

    ids = [each for some in at_once(work, processes=3) for each in some]
    with open_state(url) as state:
        last = state.subject_keys.destroy("acme", "ada")
        assert state.subject_keys.find(ids) == {}
        assert set(state.subject_keys.destroyed(ids)) == set(ids)
        assert set(last) <= set(state.subject_keys.destroyed(last))


def test_neither_subject_nor_destroyed_secret_is_in_the_files(sqlite_file: Path) -> None:
    with open_state(f"sqlite:///{sqlite_file}") as state:
        keys = {f"person-{n}": state.subject_keys.key("acme", f"person-{n}") for n in range(400)}
        held = bytes_of_files(sqlite_file)
        assert all(key.secret in held for key in keys.values())
        assert b"person-" not in held
        gone = [f"person-{n}" for n in range(0, 400, 2)]
        state.subject_keys.destroy_all([("acme", each) for each in gone])
        held = bytes_of_files(sqlite_file)
        for subject, key in keys.items():
            assert (key.secret in held) == (subject not in gone)
            assert key.id.encode() in held


def test_a_destroyed_secret_is_not_in_the_tables_file(postgres_url: str) -> None:
    engine = postgres_engine(postgres_url)
    with engine.connect() as connection:
        asked = text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if not connection.execute(asked).scalar():
            pytest.skip("only a superuser of PostgreSQL reads its files")
    with open_state(postgres_url) as state:
        keys = [state.subject_keys.key("acme", f"person-{n}") for n in range(100)]
        assert keys[7].secret in bytes_of_table(engine, "pointsman_subject_keys")
        state.subject_keys.destroy("acme", "person-7")
        held = bytes_of_table(engine, "pointsman_subject_keys")
        assert keys[7].secret not in held
        assert keys[8].secret in held
    engine.dispose()


def test_a_reader_that_holds_old_pages_delays_the_last_bytes(sqlite_file: Path) -> None:
    url = f"sqlite:///{sqlite_file}"
    with open_state(url, wait_s=0.2) as state:
        key = state.subject_keys.key("acme", "ada")
        reader = sqlite3.connect(sqlite_file, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM pointsman_meta").fetchall()
        with pytest.raises(StateUnavailable) as caught:
            state.subject_keys.destroy("acme", "ada")
        assert key.id in caught.value.why
        assert state.subject_keys.find([key.id]) == {}
        open_state(url, wait_s=0.1).close()  # it starts all the same
        assert key.secret in bytes_of_files(sqlite_file)
        reader.close()
        open_state(url).close()
        assert key.secret not in bytes_of_files(sqlite_file)


def test_secrets_lie_under_the_master_key(sqlite_file: Path) -> None:
    url = f"sqlite:///{sqlite_file}"
    with open_state(url, wrapper=XorWrapper("k1", ONE)) as state:
        key = state.subject_keys.key("acme", "ada")
        assert key.secret not in bytes_of_files(sqlite_file)
    with open_state(url, wrapper=XorWrapper("k1", ONE)) as state:
        assert state.subject_keys.key("acme", "ada").secret == key.secret


@pytest.mark.parametrize("wrapper", [None, XorWrapper("k2", {"k2": b"two"})])
def test_a_start_without_the_master_key_is_refused(url: str, wrapper: XorWrapper | None) -> None:
    open_state(url, wrapper=XorWrapper("k1", ONE)).close()
    with pytest.raises(ConfigurationError, match="lies under the master key k1"):
        open_state(url, wrapper=wrapper)


def test_keys_move_to_a_new_master_key(url: str) -> None:
    with open_state(url) as state:
        clear = state.subject_keys.key("acme", "clear")
        assert state.subject_keys.rewrap() == 0
    with open_state(url, wrapper=XorWrapper("k1", ONE)) as state:
        first = state.subject_keys.key("acme", "first")
        assert state.subject_keys.rewrap() == 2  # the clear key and the hash secret
    with open_state(url, wrapper=XorWrapper("k2", BOTH)) as state:
        assert state.subject_keys.rewrap() == 3
        assert state.subject_keys.rewrap() == 0
    with open_state(url, wrapper=XorWrapper("k2", {"k2": b"two"})) as state:
        found = state.subject_keys.find([clear.id, first.id])
        assert found == {clear.id: clear, first.id: first}
        assert state.subject_keys.key("acme", "clear") == clear


def test_a_wrapped_secret_fits_its_own_row_only(sqlite_file: Path) -> None:
    url = f"sqlite:///{sqlite_file}"
    with open_state(url, wrapper=XorWrapper("k1", ONE)) as state:
        one = state.subject_keys.key("acme", "one")
        two = state.subject_keys.key("acme", "two")
    with sqlite3.connect(sqlite_file) as raw:
        raw.execute(
            "UPDATE pointsman_subject_keys SET secret = (SELECT secret FROM"
            " pointsman_subject_keys WHERE id = ?) WHERE id = ?",
            (one.id, two.id),
        )
    raw.close()
    with (
        open_state(url, wrapper=XorWrapper("k1", ONE)) as state,
        pytest.raises(ConfigurationError),
    ):
        state.subject_keys.find([two.id])
