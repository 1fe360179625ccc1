"""The floors of the house as import contracts: imports go down only, deciding rooms do no I/O."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "pointsman"

# Rooms that decide: values in, values out.
DECIDING = ("domain", "stats", "expressions", "routing", "prompts", "analytics", "verifiers",
            "limits", "surfaces", "evidence/logs", "evidence/layout",
            "policy", "governing", "evals")  # fmt: skip
DECIDING_FILES = (
    "evidence/images/qwen.py", "evidence/images/fitting.py", "evidence/tokens/features.py",
    "evidence/tokens/calibrating.py", "evidence/provenance.py", "evidence/parts.py",
    "evidence/documents/document.py",
    "answering/machine.py", "answering/refusal.py", "answering/targets.py",
    "batches/lines.py", "batches/makers.py", "batches/status.py", "batches/turns.py",
    "batches/wishes.py",
)  # fmt: skip
WORLD = {
    "asyncio", "datetime", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random",
    "secrets", "shutil", "socket", "ssl", "subprocess", "tempfile", "threading", "time", "urllib",
    "uuid", "duckdb", "uvloop", "httptools",
}  # fmt: skip


def test_imports_go_down_the_floors_only():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def _files() -> list[Path]:
    files = [path for room in DECIDING for path in (SOURCE / room).rglob("*.py")]
    return files + [SOURCE / name for name in DECIDING_FILES]


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_deciding_rooms_touch_no_clock_chance_disk_or_network(path):
    tree = ast.parse(path.read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            imported.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "exec", "eval", "input", "print"), node.func.id
    assert not imported & WORLD, f"{path.name} reaches for {sorted(imported & WORLD)}"


def test_importing_the_package_loads_neither_the_server_nor_numpy():
    probe = (
        "import sys, pointsman; "
        "bad = [m for m in sys.modules if m.split('.')[0] in "
        "('numpy', 'duckdb', 'uvloop', 'httptools', 'jsonschema', 'msgspec', 'asyncio')]; "
        "sys.exit(','.join(bad) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_test_files_that_are_no_package_have_names_of_their_own():
    """Two of one name are one module to pytest, which then reads neither."""
    folders = [path.parent for path in (ROOT / "tests").rglob("test_*.py")]
    plain = {folder for folder in folders if not (folder / "__init__.py").exists()}
    names = [path.name for folder in plain for path in folder.glob("test_*.py")]
    assert sorted(names) == sorted(set(names))
