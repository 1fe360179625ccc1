"""Made-up outcomes with a known truth, and files of them."""

import json
from pathlib import Path
from random import Random
from typing import Any

MODELS = ("small", "middle", "large")
COSTS = {"small": 1e-5, "middle": 4e-5, "large": 2e-4}
_EASY = ["please", "add", "these", "two", "short", "numbers", "for", "my", "shopping", "list"]
_HARD = ["prove", "that", "the", "integral", "over", "the", "manifold", "converges", "uniformly"]


def rows(n: int, *, seed: int = 0, gap: float = 0.7) -> list[dict[str, Any]]:
    """Half of the prompts easy (every model is right), half hard (the small one loses `gap`)."""
    random = Random(seed)
    found = []
    for i in range(n):
        hard = random.random() < 0.5
        vocabulary = _HARD if hard else _EASY
        prompt = " ".join(random.choice(vocabulary) for _ in range(8)) + f" {i}"
        for model in MODELS:
            loss = {"small": gap, "middle": gap / 2, "large": 0.1}[model] if hard else 0.05
            right = random.random() >= loss
            found.append(
                {
                    "prompt_id": f"p{seed}-{i}",
                    "prompt": prompt,
                    "task": "proofs" if hard else "sums",
                    "model": model,
                    "sample_idx": 0,
                    "score": 1.0 if right else 0.0,
                    "accepted": right,
                    "input_tokens": 10,
                    "output_tokens": 200 if hard else 20,
                    "cost_usd": COSTS[model] * (2.0 if hard else 1.0),
                    "split": "train" if i % 3 else "test",
                    "answer": "42" if right else None,
                }
            )
    return found


def write(path: Path, found: list[dict[str, Any]]) -> Path:
    """The rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return path
