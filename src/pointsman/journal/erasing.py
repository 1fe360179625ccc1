"""Overwriting bodies where they lie: those that are due, those of a key, those of one request."""

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from pointsman.domain.errors import CheckFailed
from pointsman.domain.records import BodyRef
from pointsman.journal.bodies import Entry, erase_bodies, erase_entries, pack_paths, walk_pack
from pointsman.journal.layout import layout


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did, or would do."""

    bodies: int = 0
    bytes: int = 0
    unreadable: tuple[str, ...] = ()  # packs with something else in them than entries


class Packs:
    """The packs of a journal, walked again only where they changed."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._layout = layout(root)
        self._due: dict[str, tuple[int, int | None]] = {}  # size, and the next body that is due

    def erase_due(self, *, now_us: int, pause: Callable[[], None] = lambda: None) -> Erased:
        """Erase what is kept no longer. `pause` is called after each pack, to let others work."""
        done = Erased()
        names = set()
        for path in pack_paths(self._layout):
            names.add(path.name)
            size = _size(path)
            known = self._due.get(path.name)
            if known is not None and known[0] == size and (known[1] or now_us + 1) > now_us:
                continue
            done = _erase(path, lambda entry: (entry.until_us or now_us + 1) <= now_us, done)
            if path.name not in done.unreadable:
                left = [each.until_us for each in walk_pack(path) if not each.erased]
                self._due[path.name] = (size, min(filter(None, left), default=None))
            pause()
        self._due = {name: seen for name, seen in self._due.items() if name in names}
        return done


def erase_due(root: str | os.PathLike[str], *, now_us: int) -> Erased:
    """Erase the bodies that were to be kept until now. Raises: OSError."""
    return Packs(root).erase_due(now_us=now_us)


def count_due(root: str | os.PathLike[str], *, now_us: int) -> Erased:
    """What `erase_due` would erase; nothing is changed. Raises: OSError."""
    done = Erased()
    for path in pack_paths(layout(root)):
        done = _erase(
            path, lambda entry: (entry.until_us or now_us + 1) <= now_us, done, only_count=True
        )
    return done


def erase_keys(
    root: str | os.PathLike[str], keys: Collection[str], *, only_count: bool = False
) -> Erased:
    """Erase every body under these keys, also those of requests that never were recorded.

    Raises: OSError. May be killed and repeated.
    """
    wanted, done = frozenset(keys), Erased()
    for path in pack_paths(layout(root)):
        done = _erase(path, lambda entry: entry.key in wanted, done, only_count=only_count)
    return done


def erase_refs(root: str | os.PathLike[str], refs: Iterable[BodyRef]) -> int:
    """Erase the bodies of some records; how many were not erased before.

    Raises: CheckFailed, OSError.
    """
    return erase_bodies(layout(root), refs)


def _erase(
    path: Path, wanted: Callable[[Entry], bool], before: Erased, *, only_count: bool = False
) -> Erased:
    found: list[Entry] = []
    unreadable = before.unreadable
    try:
        found += (each for each in walk_pack(path) if not each.zeroed and wanted(each))
    except FileNotFoundError:
        return before
    except CheckFailed:
        unreadable = (*unreadable, path.name)
    fresh = [entry for entry in found if not entry.erased]
    if found and not only_count:
        erase_entries(path, found)
    return Erased(
        before.bodies + len(fresh), before.bytes + sum(each.size for each in fresh), unreadable
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1
