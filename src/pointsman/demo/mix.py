"""The traffic of the demonstration: which cases, how many hard ones, in which order."""

import random

from pointsman.demo.portfolio import SPECIALIST_TASK
from pointsman.embedded.cases import TASKS, Case, cases

# Traffic that needs both models: hard cases beside easy ones, one request in ten a specialist's.
# Chosen so that the small model's shortfall shows whatever the seed.
HARD_SHARE = 0.55
SPECIALIST_SHARE = 0.1


def draw(seed: int, n: int) -> list[Case]:
    """Fresh cases of all tasks in mixed order, the same for the same seed and n."""
    special = round(n * SPECIALIST_SHARE)
    others = [task for task in TASKS if task != SPECIALIST_TASK]
    drawn = cases(seed, n - special, tasks=others, hard_share=HARD_SHARE)
    drawn += cases(seed, special, tasks=[SPECIALIST_TASK], hard_share=HARD_SHARE)
    random.Random(seed).shuffle(drawn)  # noqa: S311  # an order, not a secret
    return drawn
