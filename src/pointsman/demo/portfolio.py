"""The configuration of the embedded portfolio: written as a file a person can read and keep."""

import io
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

from pointsman.embedded.cases import ANSWER_PATTERNS, PROMPTS, SCHEMAS, TASKS

_SMALL, _LARGE, _SPECIALIST = "small", "large", "specialist"
SPECIALIST_TASK = "sums"
_HEAD = """\
# The embedded portfolio: three models that come with Pointsman, and five narrow tasks.
#   pointsman serve -c {path}
#   pointsman ask -m task:sums $'12\\n7\\n30'
# A task can also be asked by another way than its own: task:ticket@large, task:ticket@cascade.
# Prices are measured CPU-seconds per token times one core-hour price; gates were set on cases
# that the demonstration never draws.
"""


def facts() -> dict[str, Any]:
    """What was measured of the shipped models: prices, accuracies, gates."""
    text = resources.files("pointsman.embedded").joinpath("models/MODELS.json").read_text()
    known: dict[str, Any] = json.loads(text)
    return known


def configuration(*, path: str, journal: str, known: Mapping[str, Any] | None = None) -> str:
    """The text of the portfolio's pointsman.yaml.

    Args: path is where it will stand (for its own comments); journal is where facts go; known
        stands in for the shipped facts.
    """
    known = known or facts()
    document = {
        "deployments": {
            name: _deployment(name, known["models"][name]) for name in (_SMALL, _LARGE, _SPECIALIST)
        },
        "prompts": {
            task: {
                "versions": {version: {"system": text} for version, text in versions.items()},
                "labels": {"live": list(versions)[-1]},
            }
            for task, versions in PROMPTS.items()
        },
        "tasks": {task: _task(task, known.get("gates", {}).get(task, -0.3)) for task in TASKS},
        "routes": {
            "portfolio": {
                "rules": [{"when": f"request.task == '{SPECIALIST_TASK}'", "steps": [_SPECIALIST]}],
                "steps": [_SMALL, _LARGE],
            },
            "cascade": {"steps": [_SMALL, _LARGE]},
            "learned": {
                "steps": [_SMALL, _SPECIALIST, _LARGE],
                "objective": {"value_usd": 0.000001},  # about five calls of the large model
                "learn": {
                    "explore": {"share": 0.3},
                    "session": {"enabled": False},
                    "least_outcomes": 10,
                },
            },
        },
        "aliases": {"gpt-4o-mini": "task:ticket"},
        "default": "task:ticket",
        "journal": {"path": journal},
    }
    out = io.StringIO()
    yaml = YAML(pure=True)
    yaml.default_flow_style = False
    yaml.width = 100
    yaml.dump(document, out)
    return _HEAD.format(path=path) + out.getvalue()


def _deployment(name: str, model: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": f"pointsman-{name}@{model['quant']}",
        "embedded": {
            "gguf": "embedded:" + model["file"].removesuffix(".gguf"),
            "threads": 1,
            "parallel": 4,
            "context": model["context"],
        },
        "price": dict(model["price"]),
    }


def _task(task: str, min_logprob: float | None) -> dict[str, Any]:
    check: dict[str, Any] = (
        {"json_schema": json.loads(json.dumps(SCHEMAS[task]))}
        if task in SCHEMAS
        else {"regex": ANSWER_PATTERNS[task]}
    )
    settings: dict[str, Any] = {
        "prompt": f"{task}@live",
        "route": "portfolio",
        "verify": [{"name": "shape", **check}],
        "acceptance": {
            "accepted": "outcome.kind == 'accepted'",
            "rejected": "outcome.kind == 'rejected'",
        },
    }
    if min_logprob is not None:
        settings["gate"] = {"min_logprob": min_logprob}
    return settings
