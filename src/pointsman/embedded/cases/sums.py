"""Sums: a short column of small numbers -> its total."""

from __future__ import annotations

import random

from pointsman.embedded.cases.draft import Draft

PATTERN = r"\d{1,3}"

# Easy columns have three lines and hard ones four or five.
_LARGEST = 39


def draft(rng: random.Random, hard: bool) -> Draft:
    """A column with one number a line."""
    lines = rng.choice((4, 5)) if hard else 3
    numbers = [rng.randint(1, _LARGEST) for _ in range(lines)]
    total = str(sum(numbers))
    return Draft("\n".join(map(str, numbers)), total, f"The total is {total}.", hard)
