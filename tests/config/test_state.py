"""Where what must be mutable is kept: beside the journal, or at a URL whose password is hidden."""

import json
from pathlib import Path

import pytest

from pointsman.config import as_json, load, parse, show
from pointsman.domain.errors import ConfigurationError

BASE = "deployments: {d: {model: m, base_url: 'http://h'}}\n"
POSTGRES = "postgresql://app:hunter2@db.example/pointsman?sslmode=require"


def test_it_lies_beside_the_journal_unless_said_otherwise(tmp_path: Path) -> None:
    assert parse(BASE).state_url == "sqlite:///.pointsman/state.sqlite"
    file = tmp_path / "pointsman.yaml"
    file.write_text(BASE + "journal: {path: facts}\n")
    assert load(file, env={}).state_url == f"sqlite:///{tmp_path}/facts/state.sqlite"
    file.write_text(BASE + "journal: {path: /var/facts}\n")
    assert load(file, env={}).state_url == "sqlite:////var/facts/state.sqlite"


def test_a_relative_path_starts_from_the_files_folder(tmp_path: Path) -> None:
    file = tmp_path / "pointsman.yaml"
    file.write_text(BASE + "state: {url: 'sqlite:///my.sqlite'}\n")
    assert load(file, env={}).state_url == f"sqlite:///{tmp_path}/my.sqlite"
    file.write_text(BASE + "state: {url: 'sqlite:////var/my.sqlite'}\n")
    assert load(file, env={}).state_url == "sqlite:////var/my.sqlite"


def test_a_url_of_postgresql_is_taken_as_it_is() -> None:
    assert parse(BASE + f"state: {{url: '{POSTGRES}'}}").state_url == POSTGRES


@pytest.mark.parametrize("written", [POSTGRES, POSTGRES.replace("hunter2", "${PW}"), "${URL}"])
def test_its_password_is_never_shown_nor_part_of_the_digest(written: str) -> None:
    env = {"PW": "hunter2", "URL": POSTGRES}
    config = parse(BASE + f"state: {{url: '{written}'}}", env=env)
    assert config.state_url == POSTGRES
    shown = show(config, with_defaults=True)
    assert "hunter2" not in shown + repr(config) + json.dumps(as_json(config))
    assert ("url: ${URL}\n" in shown) == (written == "${URL}")
    other = parse(BASE + f"state: {{url: '{POSTGRES.replace('hunter2', 'other')}'}}")
    assert other.digest == config.digest != parse(BASE).digest


def test_a_hidden_password_is_not_taken_for_one() -> None:
    shown = show(parse(BASE + f"state: {{url: '{POSTGRES}'}}"), with_defaults=False)
    with pytest.raises(ConfigurationError, match="a hidden secret"):
        parse(shown)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://", "the path of a file"),
        ("sqlite:///", "the path of a file"),
        ("sqlite:///folder/", "the path of a file"),
        ("sqlite:///:memory:", "the path of a file"),
        ("sqlite:///a.db?timeout=hunter2", "without options"),
        ("mysql://u:hunter2@h/d", "wants sqlite:///PATH or postgresql://"),
        ("/var/hunter2.db", "wants sqlite:///PATH or postgresql://"),
        ("postgresql+asyncpg://u:hunter2@h/d", "wants sqlite:///PATH or postgresql://"),
        ("postgresql://u:hunter2@h", "name the database"),
        ("postgresql://u:hunt@er2@h/d", "percent-encode"),
        ("postgresql://h:5/d?x=u@hunter2", "percent-encode"),
        ("postgresql://u:hunter2@h:port/d", "not a URL"),
        ("postgresql://u:hunter2@[h/d", "not a URL"),
        ("postgresql://u@h/d?password=hunter2", "no password among the options"),
        ("***", "a hidden secret"),
    ],
)
def test_a_url_that_cannot_be_one_is_refused_unquoted(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(BASE + f"state: {{url: '{url}'}}")
    assert f"state.url: {said}" in caught.value.why or said in caught.value.why
    assert "hunter2" not in str(caught.value)
