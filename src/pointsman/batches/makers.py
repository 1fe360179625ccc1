"""Who made a batch, and whether that key still opens the door: without it no line is asked."""

from collections.abc import Callable
from typing import NamedTuple

from pointsman.domain.batches import Batch, LineProblem, Maker
from pointsman.domain.limits import Bounds
from pointsman.domain.task import Configuration, Key, VirtualKey


class Caller(NamedTuple):
    """In whose name lines are asked."""

    tenant: str
    principal: str
    key: Key | None
    bounds: Bounds | None


def maker_of(principal: str, key: Key | None) -> Maker:
    """What is stored of the caller who makes a batch."""
    if key is None:
        return Maker(kind="open", name=principal)
    return Maker(kind="file" if key.sha256 else "state", name=key.name)


def caller_of(
    batch: Batch, config: Configuration, living: Callable[[str], VirtualKey | None]
) -> Caller | LineProblem:
    """The caller as the door would know it now, or why it would not.

    Args: living looks up a virtual key. Raises: StateUnavailable from it.
    """
    maker, key = batch.made_by, _key(batch, config, living)
    if maker.kind == "open":
        if not config.keys and not config.virtual_keys.enabled:
            return Caller(batch.tenant, maker.name, None, None)
        return _gone("The batch was made without a key, and keys are needed now.")
    if key is None or key.tenant != batch.tenant:
        return _gone(f"The key {maker.name!r} that made the batch is revoked, expired or gone.")
    if key.team is not None and all(key.team != team.name for team in config.teams):
        return _gone(f"The team {key.team!r} of the key that made the batch is not known any more.")
    return Caller(batch.tenant, maker.name, key, config.bounds_of(key))


def _key(
    batch: Batch, config: Configuration, living: Callable[[str], VirtualKey | None]
) -> Key | None:
    name = batch.made_by.name
    if batch.made_by.kind == "file":
        return next((key for key in config.keys if key.name == name), None)
    if batch.made_by.kind == "state" and config.virtual_keys.enabled:
        found = living(name)
        return None if found is None else found.key
    return None


def _gone(what: str) -> LineProblem:
    return LineProblem(
        code="key_not_valid", message=f"{what} Lines that were not answered by then were not asked."
    )
