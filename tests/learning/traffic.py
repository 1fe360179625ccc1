"""A file of traffic that explored: one answer a request, with its propensity."""

import csv
import random
from pathlib import Path


def a_file(path: Path, n: int, *, propensity: bool = True) -> Path:
    source = random.Random(4)
    head = ["prompt_id", "prompt", "task", "model", "accepted", "cost_usd"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*head, "propensity"] if propensity else head)
        for i in range(n):
            large = source.random() >= 0.3
            right = source.random() < (0.9 if large else 0.6)
            row = [f"p{i}", f"do {i}", "work", "large" if large else "small", right,
                   1e-4 if large else 1e-5]  # fmt: skip
            writer.writerow([*row, 0.7 if large else 0.3] if propensity else row)
    return path
