"""The PostgreSQL of this machine: fixtures that a conftest takes in by importing them."""

import os
import secrets
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

SERVER = os.environ.get("POINTSMAN_TEST_POSTGRES") or "postgresql://postgres@127.0.0.1:5432/test"


@pytest.fixture(scope="session")
def own_database() -> Iterator[tuple[str | None, str]]:
    """The URL of a database of this run alone, dropped at its end; or None and why not."""
    address = make_url(SERVER).set(drivername="postgresql+psycopg")
    server = create_engine(
        address, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2}
    )
    name = f"pointsman_{os.getpid()}_{secrets.token_hex(3)}"
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except Exception as error:
        yield None, f"no PostgreSQL to test with: {str(error).splitlines()[0]}"
        return
    url = make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    yield url, ""
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture
def fresh_postgres(
    own_database: tuple[str | None, str], skip_or_fail: Callable[[str, str], None]
) -> Callable[[], str]:
    """URLs of empty places in PostgreSQL, a schema each."""
    url, reason = own_database
    if url is None:
        skip_or_fail("postgres", reason)
    assert url is not None

    def fresh() -> str:
        schema = "s" + secrets.token_hex(6)
        engine = postgres_engine(url)
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        engine.dispose()
        return f"{url}?options=-csearch_path%3D{schema}"

    return fresh


def postgres_engine(url: str) -> Engine:
    return create_engine(make_url(url).set(drivername="postgresql+psycopg"))


@pytest.fixture
def postgres_url(fresh_postgres: Callable[[], str]) -> str:
    return fresh_postgres()
