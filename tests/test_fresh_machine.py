"""On a machine with nothing but Python: install, init, check, serve, and one answered request."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from benchmarks.footprint import build, install

from pointsman.discovery.providers import PROVIDERS
from tests.cli.engines import an_engine, ports_of
from tests.discovery.engines import OLLAMA, SGLANG, VLLM
from tests.support.processes import environment

pytestmark = [pytest.mark.deep, pytest.mark.timeout(600)]

# What a person would type, in one script. Engines are on ports of their own, since whatever
# listens on the usual ones of this machine is none of this test's business.
SCRIPT = """\
set -eu
export PATH="$(dirname "$1"):$PATH"; shift
cd "$1"; shift
pointsman init --yes "$@"
pointsman check
pointsman serve --port 0 2> serving.txt &
gateway=$!
trap 'kill $gateway; wait $gateway || true' EXIT
until grep -q 'serving on' serving.txt; do kill -0 $gateway; sleep 0.1; done
url=$(grep -o 'http://[^ ]*/v1' serving.txt | head -1)
pointsman ask "Good morning?" --url "$url" -m auto --json > answer.json
pointsman doctor --json > doctor.json
pointsman trace list --json > traces.json
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and what it needs, and nothing else."""
    wheel = build(tmp_path_factory.mktemp("dist"))
    return install(wheel, tmp_path_factory.mktemp("fresh") / "environment")


@pytest.fixture
def options() -> Iterator[list[str]]:
    """Where the engines of this machine are."""
    with ExitStack() as stack:
        vllm, ollama, sglang = (
            stack.enter_context(an_engine(engine)) for engine in (VLLM, OLLAMA, SGLANG)
        )
        yield ports_of(vllm=vllm.port, ollama=ollama.port, sglang=sglang.port)


def bare() -> dict[str, str]:
    """The environment without anyone's credentials or this project's paths."""
    dropped = {each.variable for each in PROVIDERS} | {"PYTHONPATH", "VIRTUAL_ENV"}
    return {name: value for name, value in environment().items() if name not in dropped}


def test_a_fresh_machine_answers_its_first_request(
    python: Path, options: list[str], tmp_path: Path
) -> None:
    script = tmp_path / "script.sh"
    script.write_text(SCRIPT)
    folder = tmp_path / "machine"
    folder.mkdir()
    ran = subprocess.run(
        ["sh", str(script), str(python), str(folder), *options],
        env=bare(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    text = (folder / "pointsman.yaml").read_text()
    assert {"engine: vllm", "engine: ollama", "engine: sglang"} <= set(
        re.findall(r"engine: \w+", text)
    )
    assert "pointsman.yaml holds" in ran.stdout
    answer = json.loads((folder / "answer.json").read_text())
    assert answer["choices"][0]["message"]["content"] == "Good morning"
    assert answer["x_deployment"] == "qwen3-4b"
    assert json.loads((folder / "doctor.json").read_text())["ok"] is True
    [trace] = (folder / "traces.json").read_text().splitlines()
    assert json.loads(trace)["status"] == "delivered"
    assert not any(line.startswith("Traceback") for line in ran.stderr.splitlines())
    assert os.stat(folder / "pointsman.yaml").st_size > 500
