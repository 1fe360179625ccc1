"""`import litellm`, `config schema` and `config show --origins` as commands."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

LITELLM = Path(__file__).parent.parent / "importing" / "whole.yaml"
SMALL = "model_list: [{model_name: a, litellm_params: {model: openai/x, api_base: http://h/v1}}]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_goes_to_stdout_and_the_notes_to_stderr(run) -> None:
    ran = run("import", "litellm", str(LITELLM))
    assert ran.code == 0
    assert "deployments:" in ran.out
    assert "no equivalent:\n" in ran.err
    assert "model_list[4].litellm_params.model: 'azure'" in ran.err
    assert "variables to set: SECOND_BASE" in ran.err
    for secret in ("sk-a-literal-key", "sk-master-literal", "hunter2"):
        assert secret not in ran.out + ran.err


def test_it_is_written_where_told_and_then_holds(run) -> None:
    Path("config.yaml").write_text(SMALL)
    ran = run("import", "litellm", "config.yaml", "--out", "pointsman.yaml")
    assert (ran.code, ran.out) == (0, "")
    assert "next  pointsman check -c pointsman.yaml" in ran.err
    assert run("check", "--offline").code == 0
    again = run("import", "litellm", "config.yaml", "--out", "pointsman.yaml")
    assert again.code == 2
    assert run("import", "litellm", "config.yaml", "--out", "pointsman.yaml", "--force").code == 0


def test_as_json_it_is_one_document(run) -> None:
    document = run("import", "litellm", str(LITELLM), "--json").json
    assert set(document) == {"file", "text", "variables", "notes"}
    assert {each["fate"] for each in document["notes"]} == {"none", "approximated", "moved"}
    assert set(document["notes"][0]) == {"path", "fate", "said"}


@pytest.mark.parametrize(
    ("text", "code"), [(None, 2), (b"\xff\xfe", 2), (b"a: [", 3), (b"model_list: []", 3)]
)
def test_what_cannot_be_imported_says_why(run, text: bytes | None, code: int) -> None:
    if text is not None:
        Path("config.yaml").write_bytes(text)
    ran = run("import", "litellm", "config.yaml")
    assert (ran.code, ran.out) == (code, "")
    assert "next  " in ran.err


def test_the_schema_is_printed_and_checks_a_file(run) -> None:
    Path("config.yaml").write_text(SMALL)
    schema = run("config", "schema").json
    Draft202012Validator.check_schema(schema)
    text = run("import", "litellm", "config.yaml").out
    assert Draft202012Validator(schema).is_valid(YAML(typ="safe", pure=True).load(text))


def test_origins_are_a_table_or_json(run) -> None:
    Path("pointsman.yaml").write_text(
        "deployments:\n  a:\n    model: m\n    base_url: http://h/v1\n    api_key: literal-secret\n"
    )
    table = run("config", "show", "--origins").out.splitlines()
    assert table[0].split() == ["value", "in", "force", "from"]
    assert any(line.split() == ["deployments.a.model", "m", "pointsman.yaml:3"] for line in table)
    assert any(line.split() == ["server.port", "4100", "default"] for line in table)
    document = run("config", "show", "--origins", "--json")
    places = {each["place"]: each for each in document.json["origins"]}
    assert places["deployments.a.model"]["line"] == 3
    assert places["server.port"]["source"] == "default"
    assert "literal-secret" not in document.out + "".join(table)


@pytest.mark.parametrize(
    "verb",
    [("init",), ("doctor",), ("import",), ("import", "litellm"), ("config", "schema")],
    ids=" ".join,
)
def test_help_opens_with_two_examples(run, verb: tuple[str, ...]) -> None:
    ran = run(*verb, "--help")
    assert ran.code == 0
    assert ran.out.partition("Options:")[0].count("\n    pointsman") >= 2
