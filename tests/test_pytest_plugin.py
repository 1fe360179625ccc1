"""The pytest plugin: inert until its fixture is asked for; a gate that says no fails the test."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pointsman.testing import ScriptedUpstream, chat_answer

SOURCE = Path(__file__).parent.parent / "src"
CONFIG = """\
deployments: {{small: {{model: small, base_url: "{url}"}}}}
tasks: {{work: {{route: main}}}}
routes: {{main: {{steps: [small]}}}}
journal: {{path: journal}}
"""
SUITE = """\
name: echoes
subject: task:work
cases:
  - {id: a, input: alpha, expected: alpha}
  - {id: b, input: beta, expected: gamma}
scorers: [{exact: {match: contains}}]
gate: {accepted_at_least: %s}
"""
TESTS = """\
def test_passes(pointsman_eval):
    run = pointsman_eval("suite.yaml")
    assert run.status == "complete"

def test_fails(pointsman_eval):
    pointsman_eval("strict.yaml", fresh=True)
"""


def say_again(received):
    return chat_answer(json.loads(received.body)["messages"][-1]["content"])(received)


@pytest.fixture
def pytester(tmp_path):
    (tmp_path / "suite.yaml").write_text(SUITE % "0.01")
    (tmp_path / "strict.yaml").write_text(SUITE % "0.9")
    (tmp_path / "test_it.py").write_text(TESTS)

    def call(*words):
        environment = {
            **os.environ, "PYTHONPATH": str(SOURCE), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "pointsman.pytest_plugin", "-p",
             "no:cacheprovider", "-q", *words],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return call


def test_a_gate_that_says_no_fails_the_test_with_its_verdict(pytester, tmp_path):
    with ScriptedUpstream(default=say_again) as upstream:
        (tmp_path / "pointsman.yaml").write_text(CONFIG.format(url=upstream.base_url))
        done = pytester()
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "echoes on work: the gate is not passed" in done.stdout
    assert "rejected  b: exact" in done.stdout


def test_it_loads_nothing_until_it_is_asked_for():
    probe = (
        "import sys, pointsman.pytest_plugin; "
        "sys.exit(any(name.startswith(('pointsman.evals', 'pointsman.app', 'duckdb')) "
        "for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
