"""Where each value in force came from: a line, a variable, a default."""

from pathlib import Path

import pytest

from pointsman.config.loading import load_placed
from pointsman.config.origins import Origin, literal_secrets, load_origins

FILE = """\
deployments:
  small:
    model: small@q4
    base_url: http://${HOST}:${PORT:-8001}/v1
    api_key: ${KEY}
  large: {model: large, base_url: http://h/v1, api_key: literal-secret}
prompts: {p: {system: "Be kind."}}
tasks:
  work:
    prompt: p
    route: main
    verify: [{regex: "[0-9]+"}]
routes:
  main:
    steps: [small, large]
    gate: {min_logprob: -0.5}
include: more.yaml
"""
MORE = "keys:\n  app: {key: 'x${KEY}'}\n  web: {key: 'literal-key'}\nserver: {port: 4101}\n"


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Origin]:
    monkeypatch.chdir(tmp_path)
    Path("pointsman.yaml").write_text(FILE)
    Path("more.yaml").write_text(MORE)
    env = {"HOST": "10.0.0.1", "KEY": "secret-value"}
    return {each.place: each for each in load_origins(Path("pointsman.yaml"), env=env)}


@pytest.mark.parametrize(
    ("place", "origin"),
    [
        ("deployments.small.model", "pointsman.yaml:3"),
        (
            "deployments.small.base_url",
            "pointsman.yaml:4, variable HOST, the default of variable PORT",
        ),
        ("deployments.small.api_key", "pointsman.yaml:5, variable KEY"),
        ("deployments.small.limits.concurrency", "default"),
        ("deployments.small.served_name", "default"),
        ("prompts.p.versions.v1.system", "pointsman.yaml:7 (derived)"),
        ("tasks.work.verify[0].regex", "pointsman.yaml:12"),
        ("routes.main.steps", "pointsman.yaml:15"),
        ("routes.main.gate.accept", "pointsman.yaml:16 (derived)"),
        ("server.port", "more.yaml:4"),
        ("server.host", "default"),
        ("keys.app.key", "more.yaml:2, variable KEY"),
    ],
)
def test_a_value_names_its_origin(found: dict[str, Origin], place: str, origin: str) -> None:
    assert str(found[place]) == origin


def test_values_are_those_in_force(found: dict[str, Origin]) -> None:
    assert found["deployments.small.base_url"].value == "http://10.0.0.1:8001/v1"
    assert found["deployments.small.limits.timeout_s"].value == 300.0


def test_no_origin_holds_a_secret(found: dict[str, Origin]) -> None:
    said = repr(list(found.values()))
    assert found["deployments.small.api_key"].value == "${KEY}"
    assert found["deployments.large.api_key"].value == "***"
    for secret in ("secret-value", "literal-secret", "literal-key"):
        assert secret not in said


def test_secrets_that_stand_in_a_file_are_found_with_the_file(
    found: dict[str, Origin],
) -> None:
    loaded = load_placed(Path("pointsman.yaml"), env={"HOST": "h", "KEY": "k"})
    assert literal_secrets(loaded) == (
        ("deployments.large.api_key", "pointsman.yaml"),
        ("keys.web.key", "more.yaml"),
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("state: {url: 'postgresql://me:word@db/p'}", ["state.url"]),
        ("state: {url: 'postgresql://me:${PASS}@db/p'}", []),
        ("state: {url: 'postgresql://me@db/p', counters: 'redis://:word@r/0'}", ["state.counters"]),
        ("state: {counters: 'redis://r:6379/0'}", []),
    ],
)
def test_a_password_in_an_address_is_a_secret(tmp_path: Path, text: str, found: list[str]) -> None:
    path = tmp_path / "pointsman.yaml"
    path.write_text(f"deployments:\n  a: {{model: m, base_url: 'http://h/v1'}}\n{text}\n")
    loaded = load_placed(path, env={"PASS": "word"})
    assert [place for place, _ in literal_secrets(loaded)] == found


def test_a_password_of_a_proxy_is_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "pointsman.yaml"
    one = "{model: m, base_url: 'http://h/v1', proxy: 'http://%sproxy:3128'}"
    path.write_text(f"deployments:\n  a: {one % 'me:word@'}\n  b: {one % ''}\n")
    assert [place for place, _ in literal_secrets(load_placed(path, env={}))] == [
        "deployments.a.proxy"
    ]
