"""`pointsman report` over time: its JSON, its tables, its pictures, its refusals."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "journal"))
from click.testing import CliRunner
from journal_days import days
from journal_facts import write

from pointsman.cli.report import command

CONFIG = """
deployments:
  small: {base_url: "http://127.0.0.1:9/v1", model: m}
tasks:
  support: {segments: [language]}
  ticket: {}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("report")
    (made / "pointsman.yaml").write_text(CONFIG)
    write(made / ".pointsman", days(21, count=3, requests_a_day=60))
    return made


def ask(folder: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, ["--config", str(folder / "pointsman.yaml"), *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def test_a_trend_is_told_as_a_table_and_as_json(folder: Path) -> None:
    code, text = ask(folder, "--trend", "day", "--by", "segment")
    assert code == 0
    assert "support · segment language=de" in text
    assert "closed" in text
    code, text = ask(folder, "--trend", "week", "--json")
    said = json.loads(text)
    assert said["period"] == "week"
    assert {each["task"] for each in said["tasks"]} == {"", "support", "ticket"}


def test_the_waterfall_and_versions(folder: Path) -> None:
    assert ask(folder, "--waterfall")[1].count("all in") == 3
    text = ask(folder, "--compare-versions", "p@v1", "p@v2", "--json")[1]
    assert {each["verdict"]["verdict"] for each in json.loads(text)["tasks"]} <= {
        "better", "worse", "same", "not enough data",
    }  # fmt: skip
    assert "cases alike" in ask(folder, "--by", "config", "--compare-versions", "c1", "c2")[1]


@pytest.mark.parametrize("kind", [("--trend", "day", "--by", "prompt"), ("--waterfall",)])
def test_pictures_are_drawn(folder: Path, tmp_path: Path, kind: tuple[str, ...]) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "picture.svg"
    assert ask(folder, *kind, "--plot", str(path))[0] == 0
    assert "</svg>" in path.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--trend", "day", "--waterfall"), "three reports"),
        (("--trend", "day", "--full"), "leave it out"),
        (("--plot", "x.png"), "add --trend"),
        (("--compare-versions", "p@v1", "nowhere"), "no request was served"),
        (("--by", "tenant", "--compare-versions", "a", "b"), "are not versions"),
        (("--trend", "day", "--task", "none"), "no task"),
        (("--trend", "day", "--plot", "x.nothing"), "cannot draw"),
    ],
)
def test_what_cannot_be_told_is_refused(folder: Path, words: tuple[str, ...], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pointsman.cli", "report", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
