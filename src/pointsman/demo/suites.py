"""Suites of the five tasks of the embedded models, as files a person can read and change."""

import io
import json
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml import YAML

from pointsman.embedded.cases import SCHEMAS, TASKS, cases

FOLDER = "suites"
SEED = 2026  # of the cases: the demonstration draws others
CASES = 200  # of each task, half of them hard

_HEAD = """\
# {n} cases of the task {task}, half of them hard; references are by construction.
#   pointsman eval run {path}
#   pointsman eval run {path} --subject task:{task}@small
#   pointsman eval run {path} --subject task:{task}@large
"""
# What the portfolio reaches with room to spare: a gate is for falls, not for noise.
_FLOORS = {"ticket": 0.8, "normalise": 0.7, "logline": 0.7, "evidence": 0.7, "sums": 0.6}


def write_suites(folder: Path) -> list[Path]:
    """A suite file and its cases for each task; files that are there stay as they are.

    Returns: the suite files, in the order of the tasks. Raises: OSError.
    """
    home = folder / FOLDER
    home.mkdir(parents=True, exist_ok=True)
    written = []
    for task in TASKS:
        path, rows = home / f"{task}.yaml", home / f"{task}.jsonl"
        if not rows.exists():
            rows.write_bytes(b"".join(_rows(task)))
        if not path.exists():
            path.write_text(_suite(task, path, rows.name))
        written.append(path)
    return written


def _rows(task: str) -> list[bytes]:
    return [
        msgspec.json.encode(
            {
                "id": case.id,
                "input": case.user,
                "expected": json.loads(case.reference) if task in SCHEMAS else case.reference,
                "tags": {"hard": "yes" if case.hard else "no"},
            }
        )
        + b"\n"
        for case in cases(SEED, CASES, tasks=[task])
    ]


def _suite(task: str, path: Path, rows: str) -> str:
    if task in SCHEMAS:
        scorers: list[dict[str, Any]] = [
            {"json_schema": {"schema": json.loads(json.dumps(SCHEMAS[task]))}},
            {"json_fields": {}},
        ]
    else:
        scorers = [{"exact": {}}]
    document = {
        "name": task,
        "subject": f"task:{task}",
        "cases": [{"file": rows}],
        "scorers": scorers,
        "fields": {"temperature": 0, "max_tokens": 96},
        "gate": {"accepted_at_least": _FLOORS[task], "missing_at_most": 0.01},
    }
    out = io.StringIO()
    yaml = YAML(pure=True)
    yaml.default_flow_style = False
    yaml.width = 100
    yaml.dump(document, out)
    return _HEAD.format(n=CASES, task=task, path=path) + out.getvalue()
