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


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]


@pytest.mark.parametrize("text", [text for page in PAGES for text in blocks(page, "yaml")])
def test_every_configuration_of_readme_and_how_tos_holds(text):
    assert parse(text).deployments


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
