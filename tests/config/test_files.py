"""A configuration in several files: includes, prompts and schemas beside it."""

from pathlib import Path

import pytest

from pointsman.config import load
from pointsman.domain.errors import ConfigurationError

SMALL = "deployments:\n  small: {model: m, base_url: 'http://h'}\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / next(iter(files))


def problems(folder: Path, files: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(write(folder, files), env={})
    return [line.strip().replace(f"{folder}/", "") for line in caught.value.why.split("\n")]


def test_included_files_are_read_as_one(tmp_path: Path) -> None:
    files = {
        "pointsman.yaml": "include: [models/*.yaml, tasks/**/*.yaml]\nserver: {port: 1}\n",
        "models/small.yaml": SMALL,
        "models/large.yaml": "deployments:\n  large: {model: m, base_url: 'http://h'}\n",
        "tasks/a/t.yaml": "tasks:\n  t: {prompt: p}\nprompts:\n  p: {file: p.txt}\n"
        "server: {host: h}\n",
        "tasks/a/p.txt": "Be brief.\n",
    }
    config = load(write(tmp_path, files), env={})
    assert list(config.deployments) == ["large", "small"]
    assert config.prompts["p@v1"].system == "Be brief."
    assert (config.server.port, config.server.host) == (1, "h")


def test_a_name_in_two_files_is_refused_at_both_places(tmp_path: Path) -> None:
    files = {"p.yaml": "include: a.yaml\n" + SMALL, "a.yaml": "version: pointsman/v1\n" + SMALL}
    assert problems(tmp_path, files) == [
        "a.yaml:3:3: deployments.small is doubled: p.yaml:3:3 has it already"
    ]


def test_a_setting_in_two_files_is_refused(tmp_path: Path) -> None:
    files = {"p.yaml": f"include: a.yaml\ndefault: small\n{SMALL}", "a.yaml": "default: small\n"}
    assert problems(tmp_path, files) == [
        "a.yaml:1:1: 'default' is doubled: p.yaml:2:1 has it already"
    ]


def test_a_problem_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    files = {"p.yaml": "include: [sub/a.yaml]\n" + SMALL, "sub/a.yaml": "tasks:\n  t: {rout: x}\n"}
    assert problems(tmp_path, files) == [
        "sub/a.yaml:2:7: tasks.t: unknown key 'rout' (did you mean 'route'?)"
    ]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"p.yaml": "include: ['*.yaml']\n" + SMALL},
            "p.yaml:1:11: include: p.yaml includes itself",
        ),
        (
            {"p.yaml": "include: [a.yaml]\n" + SMALL, "a.yaml": "include: [p.yaml]\n"},
            "a.yaml:1:11: include: p.yaml includes itself",
        ),
        (
            {"p.yaml": "include: [a.yaml, a.yaml]\n" + SMALL, "a.yaml": "server: {port: 1}\n"},
            "p.yaml:1:19: include: a.yaml is included already at p.yaml:1:11",
        ),
        ({"p.yaml": "include: [none/*.yaml]\n" + SMALL}, "p.yaml:1:11: include: no file matches"),
        ({"p.yaml": "include: [none.yaml]\n" + SMALL}, "p.yaml:1:11: include: no such file"),
        (
            {"p.yaml": "include: {a: b}\n" + SMALL},
            "p.yaml:1:10: include: wants a list of paths, as in [tasks/*.yaml]",
        ),
        ({"p.yaml": "include: [a.yaml]\n" + SMALL, "a.yaml": ""}, "a.yaml:1:1: an empty file"),
    ],
)
def test_includes_that_cannot_be(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    assert problems(tmp_path, files) == [expected]


def test_includes_go_only_so_deep(tmp_path: Path) -> None:
    files = {"0.yaml": "include: [1.yaml]\n" + SMALL}
    files |= {f"{n}.yaml": f"include: [{n + 1}.yaml]\n" for n in range(1, 20)}
    assert problems(tmp_path, files) == ["8.yaml:1:11: include: more than 8 levels deep"]


def test_a_schema_may_lie_in_its_own_file(tmp_path: Path) -> None:
    task = "tasks:\n  t:\n    verify:\n      - json_schema: {file: s.json}\n"
    path = write(tmp_path, {"p.yaml": SMALL + task, "s.json": '{"type": "object"}'})
    assert load(path, env={}).tasks["t"].verifiers[0].spec == {"type": "object"}


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("s.json", "{", "not JSON: Input data was truncated"),
        ("s.json", "12", "a JSON Schema is a mapping"),
        ("s.json", '{"type": 1}', "not a JSON Schema (draft 2020-12) at /type"),
        ("other.json", "{}", "no such file"),
    ],
)
def test_a_schema_file_that_is_wrong(tmp_path: Path, name: str, text: str, what: str) -> None:
    task = "tasks:\n  t:\n    verify:\n      - json_schema: {file: s.json}\n"
    found = problems(tmp_path, {"p.yaml": SMALL + task, name: text})
    assert len(found) == 1
    assert found[0].startswith("p.yaml:6:")
    assert found[0].endswith(what)


def test_a_prompt_file_that_is_wrong(tmp_path: Path) -> None:
    prompts = "prompts:\n  a: {file: a.txt}\n  b: {file: b.txt}\n  c: {file: c.txt}\n"
    path = write(tmp_path, {"p.yaml": SMALL + prompts, "a.txt": "\n"})
    (tmp_path / "b.txt").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError) as caught:
        load(path, env={})
    assert [line.strip().partition(": ")[2] for line in caught.value.why.split("\n")] == [
        "prompts.a.file: an empty file",
        "prompts.b.file: the file is not UTF-8 text of at most 4 MB",
        "prompts.c.file: no such file",
    ]
