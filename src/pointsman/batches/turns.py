"""Which batches run side by side, so that no tenant waits for another's long one. Pure."""

from collections import Counter
from collections.abc import Sequence, Set

from pointsman.domain.batches import Batch

SIDE_BY_SIDE = 8


def chosen(
    waiting: Sequence[Batch], running: Sequence[Batch], *, not_now: Set[str] = frozenset()
) -> list[Batch]:
    """Those to begin now: of the tenant with the fewest first, the oldest of a tenant first.

    Args: waiting is in the order in which they were made; not_now are ids to leave out.
    """
    names = {batch.id for batch in running} | not_now
    left = [batch for batch in waiting if batch.id not in names]
    load = Counter(batch.tenant for batch in running)
    begun: list[Batch] = []
    while left and len(running) + len(begun) < SIDE_BY_SIDE:
        batch = min(left, key=lambda each: load[each.tenant])  # the first of equals is the oldest
        left.remove(batch)
        load[batch.tenant] += 1
        begun.append(batch)
    return begun
