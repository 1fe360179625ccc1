"""The documents tell the truth about the code: generated pages, README blocks, error codes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pointsman.config import parse

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "pointsman"


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL)


def test_the_generated_reference_is_what_the_code_says():
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_key_of_the_file_is_on_the_reference_page():
    from pointsman.config.json_schema import json_schema

    schema = json_schema()
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text()
    rows = set(re.findall(r"^\| `([^`]+)` \|.*\| (?!\|)\S.* \|$", page, re.MULTILINE))
    tables = [schema, *schema["$defs"].values()]
    missing = {name for table in tables for name in table["properties"]} - rows
    assert not missing, f"without a row, or without a sentence: {sorted(missing)}"
    anchors = {
        "".join(c for c in title.lower() if c.isalnum() or c in "_-")
        for title in re.findall(r"^## `(.+)`$", page, re.MULTILINE)
    }
    assert len(anchors) == len(schema["$defs"])
    assert set(re.findall(r"\(#([^)]+)\)", page)) <= anchors


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]


@pytest.mark.parametrize("text", [text for page in PAGES for text in blocks(page, "yaml")])
def test_every_configuration_of_readme_and_how_tos_holds(text):
    variables = re.findall(r"\$\{([A-Z0-9_]+)\}", text)
    assert parse(text, env={name: f"the-{name}" for name in variables}).deployments


@pytest.mark.parametrize("text", [text for page in PAGES for text in blocks(page, "yaml policy")])
def test_every_policy_of_the_how_tos_runs_and_passes_its_own_tests(text):
    from pointsman.config.policies import parse_policy
    from pointsman.governing.testing import run_tests

    told = run_tests(parse_policy(text), day="2026-11-24")
    assert [each for each in told if not each.passed] == []


def test_the_suites_of_the_how_to_hold(tmp_path):
    from pointsman.evaluating.suite_files import load_suite, parse_suite

    page = ROOT / "docs" / "how-to" / "evaluate-a-task.md"
    [own] = blocks(page, "yaml suite")
    assert len(parse_suite(own).cases) == 2
    (tmp_path / "questions.csv").write_text(
        "nr,documents,question,answer,document,language\n1,a,b,3,d1,en\n"
    )
    (tmp_path / "suite.yaml").write_text(blocks(page, "yaml suite files")[0])
    [case] = load_suite(tmp_path / "suite.yaml").cases
    assert (case.cluster, case.messages[0]["content"]) == ("d1", "Documents: a\n\nQuestion: b")
    from pointsman.evals.case import Case

    journal = blocks(page, "yaml suite journal")[0]
    (tmp_path / "suite.yaml").write_text(journal)
    given = [Case(id="t", messages=({"role": "user", "content": "x"},), expected={"a": 1})]
    assert load_suite(tmp_path / "suite.yaml", journal=lambda query, limit: given).cases


def test_the_configuration_of_the_policies_page_binds_its_first_policy(tmp_path):
    from pointsman.config import load

    page = ROOT / "docs" / "how-to" / "policies.md"
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "codes.yaml").write_text(blocks(page, "yaml policy")[0])
    (tmp_path / "pointsman.yaml").write_text(blocks(page, "yaml config")[0])
    [binding] = load(tmp_path / "pointsman.yaml", env={}).policies
    assert [policy.id for policy in binding.policies] == ["staff-codes"]


def test_every_command_of_the_readme_exists():
    from click.testing import CliRunner

    from pointsman.cli import cli

    table = re.findall(r"^\| (`pointsman.*?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    lines = [words for row in table for words in re.findall(r"`([a-z ]+)`", row)]
    commands = {line.removeprefix("pointsman ").strip() for line in lines}
    assert len(commands) >= 12
    for line in commands:
        result = CliRunner().invoke(cli, [*line.split(), "--help"])
        assert result.exit_code == 0, line


def test_every_specific_error_code_is_documented_and_used():
    text = "\n".join(path.read_text() for path in SOURCE.rglob("*.py"))
    used = set(re.findall(r'code="([a-z_]+)"', text))
    page = (ROOT / "docs" / "reference" / "errors.md").read_text()
    missing = {code for code in used if f"`{code}`" not in page}
    assert not missing, f"not in docs/reference/errors.md: {sorted(missing)}"


def test_the_architecture_names_files_that_exist():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    named = set(re.findall(r"`([a-z_]+/[a-z_]+\.py)`", text))
    assert named
    for name in named:
        assert (SOURCE / name).exists() or (ROOT / name).exists(), name
    tests = set(re.findall(r"`(tests/[a-z_/]+\.py)`", text))
    for name in tests:
        assert (ROOT / name).exists(), name


def test_no_two_decisions_have_one_number():
    names = sorted(path.name for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert len({name[:4] for name in names}) == len(names)
