"""Opening: migrated once, refused where it must be, nothing heavy loaded before it is needed."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

import pointsman.state.migrating as migrating
from pointsman.domain.errors import ConfigurationError, ExtraMissing, StateUnavailable
from pointsman.state import State, open_state
from pointsman.state.tables import metadata


def test_the_migrations_make_the_tables_as_declared(state: State) -> None:
    options = {"compare_type": True, "version_table": migrating.VERSION_TABLE}
    with state._database.read() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_every_revision_is_known_and_in_order() -> None:
    config = Config()
    folder = Path(migrating.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    found = [each.revision for each in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == migrating.REVISIONS


def test_a_second_opening_changes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_state(url).close()
    monkeypatch.setattr(migrating, "_upgrade", lambda *_: pytest.fail("migrated again"))
    open_state(url).close()


@pytest.mark.parametrize("version", ["0999", "f00dcafe"])
def test_a_schema_of_a_newer_version_is_refused(url: str, version: str) -> None:
    with open_state(url) as state, state._database.write() as connection:
        table = migrating.VERSION_TABLE
        connection.execute(text(f"UPDATE {table} SET version_num = '{version}'"))
    with pytest.raises(ConfigurationError) as caught:
        open_state(url)
    error = caught.value
    assert "newer version" in error.what
    assert version in error.why
    assert "backup" in error.next


@pytest.mark.parametrize(
    "url",
    ["", "sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://root@h/d", "/a/path",
     "postgresql+asyncpg://h/d", "redis://h"],
)  # fmt: skip
def test_a_url_that_is_not_ours_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not one we can open"):
        open_state(url)


def test_a_malformed_url_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_state("postgresql://u:hunter2@h:port/d")
    assert "hunter2" not in str(caught.value)


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ExtraMissing) as caught:
        open_state("postgresql://h/d")
    assert 'pip install "pointsman[postgres]"' in caught.value.next


def test_the_file_is_for_its_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "state.sqlite"
    with open_state(f"sqlite:///{file}") as state:
        state.labels.put("a", "v1", by="ada", revision=0)
        for each in (file, *file.parent.glob("state.sqlite-*")):
            assert stat.S_IMODE(each.stat().st_mode) == 0o600, each
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["it's 100% odd?#&;.db", "ünï.db", "a b.sqlite"])
def test_any_path_is_a_path(tmp_path: Path, name: str) -> None:
    open_state(f"sqlite:///{tmp_path}/{name}").close()
    assert (tmp_path / name).exists()


def test_a_relative_path_starts_where_the_process_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_state("sqlite:///here.sqlite") as state:
        monkeypatch.chdir("/")
        state.labels.put("a", "v1", by="ada", revision=0)
    assert (tmp_path / "here.sqlite").exists()


def test_every_commit_is_on_the_disk(tmp_path: Path) -> None:
    with open_state(f"sqlite:///{tmp_path}/state.sqlite") as state, state._database.read() as c:
        pragmas = ("journal_mode", "synchronous", "secure_delete")
        said = [c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    assert said == ["wal", 2, 1]


def test_a_server_that_does_not_wait_for_its_disk_is_told_to(postgres_url: str) -> None:
    lazy = f"{postgres_url}%20-csynchronous_commit%3Doff"
    with open_state(lazy) as state, state._database.read() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"


def test_a_closed_state_says_so(state: State) -> None:
    state.close()
    with pytest.raises(StateUnavailable, match="it was closed"):
        state.labels.get("a")


def test_the_password_is_not_in_the_place_that_is_shown(postgres_url: str) -> None:
    address = postgres_url.replace("@", ":hunter2@", 1).replace("?", "?sslpassword=hunter3&")
    with open_state(address) as state:
        assert "hunter" not in state.place


def test_nothing_heavy_is_loaded_before_a_state_is_opened() -> None:
    probe = (
        "import sys, pointsman.state; "
        "bad = {'sqlalchemy', 'alembic', 'psycopg', 'sqlite3'} & set(sys.modules); "
        "sys.exit(','.join(bad) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
