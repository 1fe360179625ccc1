"""`init` writes a file that loads for what runs here, asks before it does, and keeps secrets."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.cli.engines import an_engine, ports_of
from tests.discovery.engines import LM_STUDIO, OLLAMA, POINTSMAN, SGLANG, VLLM

from pointsman.config import load
from pointsman.discovery.providers import PROVIDERS


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Any) -> Path:
    """An empty working folder and an environment without credentials."""
    for each in PROVIDERS:
        monkeypatch.delitem(os.environ, each.variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def set_variables(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setitem(os.environ, name, value)


def test_a_file_for_two_engines_passes_check(run) -> None:
    with an_engine(OLLAMA) as ollama, an_engine(SGLANG) as sglang:
        made = run("init", "--yes", *ports_of(ollama=ollama.port, vllm=sglang.port))
        checked = run("check")
    assert made.code == 0
    assert made.out == ""
    assert "found  Ollama at" in made.err
    assert "found  SGLang at" in made.err
    assert "next   pointsman check\n" in made.err
    config = load(Path("pointsman.yaml"), env={})
    assert config.routes["thrifty"].steps == ("qwen3-4b", "qwen3-32b")
    assert config.deployments["qwen3-32b"].engine == "sglang"
    assert checked.code == 0
    assert "warning: tasks" not in checked.err
    assert "nomic-embed-text" in Path("pointsman.yaml").read_text()


def test_a_dry_run_prints_the_file_and_writes_nothing(run, folder: Path) -> None:
    with an_engine(VLLM) as vllm:
        ran = run("init", "--dry-run", *ports_of(vllm=vllm.port))
    assert ran.code == 0
    assert "engine: vllm" in ran.out
    assert list(folder.iterdir()) == []


def test_a_file_that_is_there_stays_unless_forced(run) -> None:
    Path("pointsman.yaml").write_text("mine")
    with an_engine(VLLM) as vllm:
        refused = run("init", "--yes", *ports_of(vllm=vllm.port))
        assert (refused.code, Path("pointsman.yaml").read_text()) == (2, "mine")
        assert "--force" in refused.err
        assert vllm.requests == []
        assert run("init", "--yes", "--force", *ports_of(vllm=vllm.port)).code == 0
    assert "vllm" in Path("pointsman.yaml").read_text()


def test_nobody_to_ask_and_no_yes_is_a_wrong_use(run, folder: Path) -> None:
    ran = run("init", *ports_of())
    assert (ran.code, ran.out) == (2, "")
    assert "--yes" in ran.err
    assert list(folder.iterdir()) == []


def test_a_person_is_asked_for_the_file_and_for_hosted_routes(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_variables(monkeypatch, OPENROUTER_API_KEY="secret-value")
    said: list[str] = []

    def ask(text: str, **_: Any) -> Any:
        said.append(text)
        return "mine.yaml" if text == "Write it to" else True

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", ask)
    monkeypatch.setattr("click.confirm", ask)
    with an_engine(VLLM) as vllm:
        ran = run("init", *ports_of(vllm=vllm.port))
    assert ran.code == 0
    assert said == ["May routes send requests to hosted services?", "Write it to"]
    config = load(Path("mine.yaml"), env={"OPENROUTER_API_KEY": "x"})
    assert config.routes["thrifty"].steps == ("qwen3-4b", "openrouter")
    assert "pointsman check -c mine.yaml" in ran.err


@pytest.mark.parametrize("option", [[], ["--no-hosted"]])
def test_nothing_leaves_this_machine_unasked_and_no_value_is_written(
    run, monkeypatch: pytest.MonkeyPatch, option: list[str]
) -> None:
    set_variables(monkeypatch, DASHSCOPE_API_KEY="secret-value", GROQ_API_KEY="other-secret")
    with an_engine(VLLM) as vllm:
        ran = run("init", "--yes", *option, *ports_of(vllm=vllm.port))
        text = Path("pointsman.yaml").read_text()
        document = run("init", "--yes", "--force", "--json", *ports_of(vllm=vllm.port))
    assert "api_key: ${DASHSCOPE_API_KEY}" in text
    assert document.json["credentials"] == ["DASHSCOPE_API_KEY", "GROQ_API_KEY"]
    for said in (ran.out, ran.err, text, document.out, document.err):
        assert "secret" not in said
    config = load(Path("pointsman.yaml"), env=dict(os.environ))
    assert config.default == "qwen3-4b"
    assert not config.routes


def test_an_engine_that_wants_a_key_is_named_and_its_key_is_a_reference(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with an_engine(VLLM, key="secret-value") as vllm, an_engine(OLLAMA) as ollama:
        ports = ports_of(vllm=vllm.port, ollama=ollama.port)
        locked = run("init", "--dry-run", *ports)
        set_variables(monkeypatch, VLLM_API_KEY="secret-value")
        opened = run("init", "--dry-run", *ports)
    assert "wants a key: set VLLM_API_KEY" in locked.err
    assert "vllm" not in locked.out
    assert "api_key: ${VLLM_API_KEY}" in opened.out
    assert "secret" not in opened.out + opened.err


def test_an_engine_without_logprobs_first_is_told_in_the_file(run) -> None:
    with an_engine(LM_STUDIO) as studio, an_engine(SGLANG) as sglang:
        ran = run("init", "--dry-run", *ports_of(lmstudio=studio.port, sglang=sglang.port))
    assert "logprobs: false" in ran.out
    assert "give a task `verify:`" in ran.out
    assert "mean_logprob" not in ran.out


def test_a_gateway_of_ours_is_not_put_behind_itself(run, monkeypatch) -> None:
    with an_engine(POINTSMAN) as ours, an_engine(VLLM) as vllm:
        ran = run("init", "--dry-run", *ports_of(llamacpp=ours.port, vllm=vllm.port))
    assert "not put behind itself" in ran.err
    assert "task:ticket" not in ran.out.partition("# A task")[0]


@pytest.mark.needs_engine
def test_where_nothing_runs_the_embedded_portfolio_is_offered(run) -> None:
    ran = run("init", "--yes", *ports_of())
    assert ran.code == 0
    config = load(Path("pointsman.yaml"), env={})
    assert all(each.embedded for each in config.deployments.values())


def test_where_nothing_runs_and_nothing_is_installed_it_says_what_to_do(
    run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ran = run("init", "--yes", *ports_of())
    assert (ran.code, ran.out) == (5, "")
    assert 'pip install "pointsman[local]"' in ran.err
    assert list(folder.iterdir()) == []


def test_an_engine_with_no_model_that_chats_is_no_portfolio(run) -> None:
    with an_engine({"/v1/models": {"object": "list", "data": [{"id": "bge-m3"}]}}) as vllm:
        ran = run("init", "--yes", *ports_of(vllm=vllm.port))
    assert ran.code == 5
    assert "no model that chats" in ran.err


@pytest.mark.parametrize("word", ["vllm", "vllm=", "vllm=0", "vllm=99999", "nosuch=1", "=1"])
def test_a_port_of_nothing_is_a_wrong_use(run, word: str) -> None:
    ran = run("init", "--yes", "--port-of", word)
    assert ran.code == 2
    assert "as in --port-of vllm=8001" in ran.err


def test_another_host_is_looked_at_only_when_named(run) -> None:
    with an_engine(VLLM) as vllm:
        ran = run("init", "--dry-run", "--host", "localhost", *ports_of(vllm=vllm.port))
    assert f"base_url: http://localhost:{vllm.port}/v1" in ran.out


def test_a_silent_port_does_not_hold_it_up(run) -> None:
    from time import monotonic

    from pointsman.testing import silence

    with an_engine(VLLM) as vllm, an_engine({}) as other:
        other.default = silence()
        started = monotonic()
        ran = run("init", "--dry-run", *ports_of(vllm=vllm.port, ollama=other.port))
    assert ran.code == 0
    assert monotonic() - started < 20
