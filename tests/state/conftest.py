"""One state after another: the same tests on SQLite and on a PostgreSQL that runs here."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pointsman.state import State, open_state
from tests.support.postgres import fresh_postgres, own_database, postgres_engine, postgres_url

__all__ = ["fresh_postgres", "own_database", "postgres_engine", "postgres_url"]


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture(params=["sqlite", "postgres"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """URLs of empty places, as many as are asked for."""
    if request.param == "postgres":
        made: Callable[[], str] = request.getfixturevalue("fresh_postgres")
        return made
    return lambda: f"sqlite:///{tmp_path}/{secrets.token_hex(4)}/state.sqlite"


@pytest.fixture
def url(fresh: Callable[[], str]) -> str:
    return fresh()


@pytest.fixture
def state(url: str) -> Iterator[State]:
    with open_state(url, clock=lambda: 1_700_000_000_000_000) as opened:
        yield opened
