"""What a refused file says as JSON, and commands in hints that can be pasted."""

import os
import shlex
from pathlib import Path

import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.testing import ScriptedUpstream, chat_answer

BAD = """\
deployments:
  small:
    model: s
    base_ulr: "http://127.0.0.1:1/v1"
  small:
    model: 7
"""


def test_check_tells_every_problem_of_a_bad_file_as_json(run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(BAD)
    told = run("check", "-c", str(bad), "--json")
    assert told.code == run("check", "-c", str(bad)).code == 3
    assert (told.json["ok"], told.json["digest"]) == (False, None)
    places = [(each["line"], each["column"]) for each in told.json["problems"]]
    assert places == sorted(places)
    assert len(places) >= 2
    assert {each["file"] for each in told.json["problems"]} == {str(bad)}
    assert any("base_url" in each["what"] for each in told.json["problems"])
    for each in told.json["problems"]:
        assert f"{each['file']}:{each['line']}:{each['column']}: {each['what']}" in told.err


@pytest.mark.parametrize("text", [None, "", "[]", "deployments: {a: {model: ''}}"])
def test_a_file_that_does_not_hold_has_at_least_one_problem(run, tmp_path: Path, text) -> None:
    path = tmp_path / "x.yaml"
    if text is not None:
        path.write_text(text)
    told = run("check", "--json", "-c", str(path))
    assert told.code == 3
    assert [each["what"] for each in told.json["problems"]] != []


def test_a_problem_that_is_found_later_is_told_too(run, empty: Path) -> None:
    path = empty / "pointsman.yaml"
    path.write_text(path.read_text() + "server: {tls: {cert: nowhere.pem, key: nowhere.pem}}\n")
    told = run("check", "--offline", "--json")
    assert told.code == 3
    assert "nowhere.pem" in told.json["problems"][0]["what"]


def test_a_list_of_a_task_that_never_was_is_an_error(run, lived) -> None:
    for more in ((), ("--json",)):
        told = run("trace", "list", "--task", "nope", *more)
        assert (told.code, told.out) == (2, "")
        assert "tasks: work" in told.err


def test_a_task_that_the_file_lost_is_still_listed(run, lived) -> None:
    path = lived.folder / "pointsman.yaml"
    path.write_text(path.read_text().replace("  work:\n    route", "  other:\n    route"))
    assert len(run("trace", "list", "--task", "work", "--json").lines) == 5
    assert run("trace", "list", "--task", "other").code == 0


def test_a_hint_of_ask_finds_the_trace_when_pasted(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with ScriptedUpstream() as engine:
        config = a_config(tmp_path, [a_deployment("small", engine.base_url)])
        with RunningGateway(config) as gateway:
            port = gateway.url.removesuffix("/v1").rpartition(":")[2]
            path = tmp_path / "my file.yaml"
            path.write_text(
                f"server: {{host: 0.0.0.0, port: {port}}}\n"
                "keys: {me: {key: k}}\n"
                f"deployments: {{small: {{model: m, base_url: '{engine.base_url}'}}}}\n"
                f"journal: {{path: '{config.journal_path}'}}\n"
            )
            engine.then(chat_answer("42"))
            told = run("ask", "hello", "-c", str(path))
            assert told.code == 0, told.err
            words = shlex.split(told.err.rpartition("· pointsman")[2])
            assert run(*words).code == 0
            assert "hello" in run(*words).out
            engine.then(chat_answer("43"))
            unknown = run("ask", "hello", "--url", gateway.url)
            assert unknown.err.rstrip().endswith("-c THE_GATEWAYS_FILE")
            engine.then(chat_answer("44"))
            monkeypatch.setitem(os.environ, "POINTSMAN_CONFIG", str(path))
            known = run("ask", "hello", "--url", gateway.url)
            assert run(*shlex.split(known.err.rpartition("· pointsman")[2])).code == 0
