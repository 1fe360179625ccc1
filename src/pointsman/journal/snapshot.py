"""A view of the whole journal at one moment, in which every record stands exactly once."""

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType

from pointsman.domain.errors import JournalUnavailable
from pointsman.journal.disk import shared_lock
from pointsman.journal.layout import Layout
from pointsman.journal.manifest import Manifest, read_manifest
from pointsman.journal.recovery import Position, SegmentReader

_TRIES = 100  # a seal publishes seldom; losing this many races in a row is a fault


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A manifest and the open segments it does not cover, each writer's in order.

    The files stay readable until it is closed, even when a seal removes their names meanwhile.
    """

    manifest: Manifest
    tail: tuple[SegmentReader, ...]
    _stack: ExitStack = field(repr=False)

    def __enter__(self) -> "Snapshot":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stack.close()


def take_snapshot(layout: Layout, known: dict[str, Position] | None = None) -> Snapshot:
    """The journal as it stands now; segments in `known` go on from where they were read to.

    A seal publishes its manifest before it removes a segment. So if the manifest did not change
    while the segments were listed and opened, nothing is missing and nothing stands twice.
    Raises: CheckFailed when the manifest cannot be read; JournalUnavailable when the sealer kept
    winning the race or too many files are open.
    """
    for _ in range(_TRIES):
        with ExitStack() as stack:
            stack.enter_context(shared_lock(layout.readers_lock))
            manifest = read_manifest(layout)
            tail = _open_tail(layout, manifest, stack, known or {})
            if tail is not None and read_manifest(layout).generation == manifest.generation:
                return Snapshot(manifest, tail, stack.pop_all())
    raise JournalUnavailable(
        "The journal kept changing while it was read",
        why=f"a seal was published during each of {_TRIES} tries",
        next="run one sealer only, and less often",
    )


def _open_tail(
    layout: Layout, manifest: Manifest, stack: ExitStack, known: dict[str, Position]
) -> tuple[SegmentReader, ...] | None:
    covered = manifest.covered()
    names = [name for name in layout.segment_names() if name not in covered]
    tail: list[SegmentReader] = []
    for name in names:
        try:
            reader = SegmentReader(layout.segments / name, after=known.get(name))
        except FileNotFoundError:
            return None  # sealed between the listing and here
        except OSError as error:
            raise JournalUnavailable(
                f"The segment {name} could not be opened",
                why=f"{os.strerror(error.errno or 0)}, with {len(tail)} of {len(names)} open",
                next="seal the journal (pointsman journal seal), or raise the limit of open files",
            ) from error
        tail.append(stack.enter_context(reader))
    return tuple(tail)
