"""What nobody needs any more: left by a kill, or taken out of the manifest."""

import os
import shutil

from pointsman.journal.bodies import remove_empty_packs
from pointsman.journal.disk import try_lock
from pointsman.journal.layout import UNBORN_SUFFIX, Layout
from pointsman.journal.manifest import Manifest

_SCRATCH = "pointsman-"  # see scratch_directory
_UNBORN_S = 60.0
_READ_FOR_S = 6 * 3600.0  # readers that overlap without end keep a file this long, no longer


def remove_leftovers(where: Layout, manifest: Manifest, *, now_s: float) -> tuple[str, ...]:
    """Remove them, and say which; for the one process that may change the manifest.

    A file that left the manifest stays until nobody reads: who opened the journal before the
    change may still come to it.
    """
    return (
        *_remove_sealed(where, manifest, now_s),
        *_remove_segments(where, manifest, now_s),
        *remove_empty_packs(where),
    )


def _remove_sealed(where: Layout, manifest: Manifest, now_s: float) -> list[str]:
    named = {file.name for file in manifest.files} | {each.name for each in manifest.rollups}
    removed = []
    lock = os.open(where.readers_lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        unread = try_lock(lock)
        for path in sorted([*where.sealed.iterdir(), *where.rollups.iterdir()]):
            if path.name.startswith(_SCRATCH):
                shutil.rmtree(path)
            elif path.suffix == ".parquet" and path.name not in named:
                if not unread and now_s - path.stat().st_ctime < _READ_FOR_S:
                    continue
                path.unlink()
            else:
                continue
            removed.append(path.name)
    finally:
        os.close(lock)
    return removed


def _remove_segments(where: Layout, manifest: Manifest, now_s: float) -> list[str]:
    covered, removed = manifest.covered(), []
    for path in sorted(where.segments.iterdir()):
        unborn = path.name.endswith(UNBORN_SUFFIX)
        if path.name in covered or (unborn and _older(path, now_s, _UNBORN_S)):
            path.unlink(missing_ok=True)
            removed.append(path.name)
    return removed


def _older(path: os.PathLike[str], now_s: float, than_s: float) -> bool:
    """True for what was written long enough ago to be sure that whoever did is gone."""
    try:
        return now_s - os.stat(path).st_mtime > than_s
    except FileNotFoundError:
        return False
