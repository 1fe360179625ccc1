"""Where what must be mutable is kept: the form of the URL checked, no connection made."""

import re
from urllib.parse import parse_qsl, urlsplit

from pointsman.config.deployments import HIDDEN
from pointsman.config.schema import RawState
from pointsman.config.scope import Place, Scope
from pointsman.domain.task import StateSettings

_PLACE: Place = ("state", "url")
_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql", "postgresql+psycopg")
_PRINTABLE = re.compile(r"[!-~]+")
_SECRET_WORDS = ("password", "secret")


def resolve_state(raw: RawState, scope: Scope) -> StateSettings:
    """The settings, every problem with the URL kept; it is never quoted."""
    if raw.url is not None:
        problem = _problem(raw.url)
        if problem:
            scope.problem(_PLACE, problem)
    if raw.counters is not None:
        problem = _counters_problem(raw.counters)
        if problem:
            scope.problem(("state", "counters"), problem)
    return StateSettings(url=raw.url, counters=raw.counters)


def _counters_problem(url: str) -> str | None:
    if url == HIDDEN:
        return "a hidden secret: write ${NAME} and set the variable"
    try:
        parts = urlsplit(url)
        sound = _PRINTABLE.fullmatch(url) is not None and (parts.port is None or parts.port > 0)
    except ValueError:
        return "not a URL"
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        return "wants redis://HOST:PORT/DATABASE, or rediss:// for TLS"
    if parts.password == HIDDEN:
        return "a hidden secret: write ${NAME} and set the variable"
    database = parts.path.strip("/")
    if not sound or parts.query or parts.fragment or url.count("@") > 1:
        return "not a URL: percent-encode what is not a letter or digit, and give no options"
    return None if not database or database.isdecimal() else "a database of Redis is a number"


def _problem(url: str) -> str | None:
    if url == HIDDEN:
        return "a hidden secret: write ${NAME} and set the variable"
    if url.startswith("sqlite:"):
        return _sqlite_problem(url)
    try:
        parts = urlsplit(url)
        sound = _PRINTABLE.fullmatch(url) is not None and (parts.port is None or parts.port > 0)
    except ValueError:
        return "not a URL"
    if parts.scheme not in _POSTGRES:
        return "wants sqlite:///PATH or postgresql://USER@HOST/DATABASE"
    sound = sound and "#" not in url and "@" not in parts.path + parts.query
    if not sound or url.count("@") > 1 or not parts.path.strip("/"):
        return "not a URL: percent-encode what is not a letter or digit, and name the database"
    if parts.password == HIDDEN:
        return "a hidden secret: write ${NAME} and set the variable"
    if any(word in key.lower() for key, _ in parse_qsl(parts.query) for word in _SECRET_WORDS):
        return "no password among the options: write USER:${NAME}@HOST"
    return None


def _sqlite_problem(url: str) -> str | None:
    path = url.removeprefix(_SQLITE)
    if path == url or not path or path.endswith("/") or ":memory:" in path:
        return "wants the path of a file: sqlite:///state.sqlite, or sqlite:////absolute/path"
    if "?" in path or not path.isprintable():
        return "wants a plain path, without options"
    return None
