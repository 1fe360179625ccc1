"""The wheel in an empty environment: what it holds, what it weighs, and that it works there."""

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from benchmarks.footprint import FOUR_LINES, ROOT, build, install, installed_bytes

from pointsman import __version__
from tests.support.processes import environment

pytestmark = [pytest.mark.deep, pytest.mark.timeout(600)]
MODELS = ("small-f16.gguf", "specialist-f16.gguf", "MODELS.json")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(wheel, tmp_path_factory.mktemp("empty") / "environment")


def pointsman(python: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python.parent / "pointsman"), *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_wheel_holds_the_package_its_models_types_and_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (*(f"embedded/models/{name}" for name in MODELS), "py.typed"):
        assert f"pointsman/{wanted}" in names
    assert any(re.search(r"\.dist-info/.*LICENSE$", name) for name in names)
    assert any(re.fullmatch(r"pointsman/embedded/models/large-.*\.gguf", name) for name in names)


def test_every_model_that_is_named_is_in_the_wheel(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    named = set(re.findall(rb'"file": "([^"]+)"', archive.read(
        "pointsman/embedded/models/MODELS.json")))  # fmt: skip
    held = {name.rpartition("/")[2].encode() for name in archive.namelist() if ".gguf" in name}
    assert named <= held


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"pointsman", f"pointsman-{__version__}.dist-info"}
    data = re.compile(
        r"pointsman/(policy/(packs/[\w-]+\.yaml|detectors/injection/weights\.bin)"
        r"|evaluating/exporting/viewer\.(css|js))"
    )
    code = {".py", ".typed", ".gguf", ".json", "", ".txt", ".sql"}
    for name in names:
        assert Path(name).suffix in code or data.fullmatch(name), name
        assert not re.search(r"(^|/)(tests?|training|golden|benchmarks|__pycache__)(/|$)", name)
    assert wheel.stat().st_size < 25e6


def test_the_source_archive_builds_a_wheel_of_its_own(tmp_path: Path) -> None:
    source = build(tmp_path / "source", kind="sdist")
    with tarfile.open(source) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path / "unpacked", filter="data")
    top = f"pointsman-{__version__}"
    for wanted in ("LICENSE", "README.md", "Makefile", "tests/conftest.py", "pyproject.toml"):
        assert f"{top}/{wanted}" in names
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "again"),
         str(tmp_path / "unpacked" / top)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    [wheel] = (tmp_path / "again").glob("*.whl")
    assert "pointsman/embedded/models/MODELS.json" in zipfile.ZipFile(wheel).namelist()


def test_the_core_weighs_at_most_120_megabytes(python: Path) -> None:
    sizes = installed_bytes(python)
    assert sum(sizes.values()) <= 120e6, sizes
    assert not {"openai", "xllamacpp", "numpy", "pandas"} & set(sizes)


def test_the_command_says_its_version(python: Path, tmp_path: Path) -> None:
    ran = pointsman(python, "--version", folder=tmp_path)
    assert (ran.returncode, ran.stdout) == (0, f"pointsman, version {__version__}\n")


def test_four_lines_are_a_working_file(python: Path, tmp_path: Path) -> None:
    (tmp_path / "pointsman.yaml").write_text(FOUR_LINES)
    assert FOUR_LINES in (ROOT / "README.md").read_text()
    ran = pointsman(python, "check", "--offline", folder=tmp_path)
    assert ran.returncode == 0
    assert "pointsman.yaml holds" in ran.stdout
    for verb in (("report",), ("trace", "list"), ("journal", "verify"), ("journal", "seal")):
        ran = pointsman(python, *verb, folder=tmp_path)
        assert ran.returncode == 0, ran.stderr


def test_the_demonstration_without_its_extra_names_it(python: Path, tmp_path: Path) -> None:
    ran = pointsman(python, "demo", folder=tmp_path)
    assert (ran.returncode, ran.stdout) == (3, "")
    assert 'pip install "pointsman[local]"' in ran.stderr
    assert not any(tmp_path.iterdir())


def test_types_are_seen_by_a_user_of_the_package(python: Path, tmp_path: Path) -> None:
    user = tmp_path / "user.py"
    user.write_text(
        "from pointsman import Client, Workspace\n"
        "answer: dict[str, object] = Client().ask('hello')\n"
        "count: int = Workspace.open().expire()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--python-executable",
         str(python), str(user)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
