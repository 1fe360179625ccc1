"""The writer: one process appends its facts to its own segments; nothing is read here."""

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Literal

from pointsman.domain.errors import JournalUnavailable
from pointsman.domain.ids import ulid
from pointsman.domain.ports import SubjectKey
from pointsman.domain.records import BodyRef, Record
from pointsman.domain.task import JournalSettings
from pointsman.journal.bodies import MAX_BODY_BYTES, PACK_MAGIC, encode_entry
from pointsman.journal.disk import Disk
from pointsman.journal.encryption import Cipher, open_cipher
from pointsman.journal.envelopes import digest_of, wrap
from pointsman.journal.fitness import check_in_place, check_room
from pointsman.journal.frames import (
    MAX_RECORD_BYTES,
    NO_CHAIN,
    Header,
    closing_mark,
    encode_frame,
    encode_header,
    encode_record,
)
from pointsman.journal.fsync import Batch, GroupSync
from pointsman.journal.growing import GrowingFile, unavailable
from pointsman.journal.layout import UNBORN_SUFFIX, layout, pack_name, segment_name


class JournalWriter:
    """Implements the port `Journal`. Belongs to one process, and `append` to one thread of it.

    Args: durability "power" flushes at once instead of in groups of a window; either way
    `durable` says when. segment_bytes bounds segments and packs (bytes), softly by one entry.
    clock_ms gives milliseconds since 1970; entropy(n) gives n random bytes. With a cipher, bodies
    that have a subject's key are encrypted. A segment that is older than max_segment_age_s is
    finished by the next append, so that a quiet process does not keep its day from being sealed.
    Raises: JournalUnavailable when the first segment cannot be created.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        durability: Literal["window", "power"] = "window",
        fsync_window_s: float = 0.05,
        segment_bytes: int = 64 * 1024 * 1024,
        disk: Disk | None = None,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        entropy: Callable[[int], bytes] = os.urandom,
        cipher: Cipher | None = None,
        max_segment_age_s: float = 3600.0,
    ) -> None:
        self.durability = durability
        self._cipher = cipher
        self._entropy = entropy
        self._own_secret = entropy(32)
        self._failed = False  # the latest write went wrong
        self._forked = False  # set in a child of ours, where this writer may not write
        os.register_at_fork(after_in_child=_forget(self))
        self.writer = f"{ulid(clock_ms(), entropy(10))}-{os.getpid()}"
        self._disk = disk or Disk()
        self._segment_bytes = segment_bytes
        self._segment_limit = segment_bytes  # 0 once the segment is old: the next append rotates
        self._max_segment_age_s = max_segment_age_s
        self._layout = layout(root)
        try:
            self._layout.create()
        except OSError as error:
            raise unavailable("could not create", self._layout.home, error) from error
        self._written = 0
        self._chain = NO_CHAIN
        self._seq = 0
        self._finished = False  # the current segment bears its closing mark
        self._closed = False
        self._pack: GrowingFile | None = None
        self._pack_seq = 0
        # Held to change which files are open and to list them for a flush; never by an append.
        self._files = threading.Lock()
        self._retired_packs: list[GrowingFile] = []
        self._retired_segments: list[GrowingFile] = []
        self._created = [self._layout.root, self._layout.home, self._layout.segments]
        self._segment_begun_s = time.monotonic()
        self._segment = self._begin_segment(0, NO_CHAIN)
        self._publish(self._segment, 0)
        self._sync = GroupSync(
            self._batch,
            window_s=0.0 if durability == "power" else fsync_window_s,
            disk=self._disk,
        )

    def append(self, record: Record) -> None:
        """Write one record; returns when the kernel has it, so kill -9 cannot lose it.

        Raises: JournalUnavailable when it could not be written, when it is over 1 MiB, or when
        an earlier flush failed; the journal then holds no part of it.
        """
        if self._sync.fault is not None or self._closed or self._forked:
            self._check()
        payload = encode_record(record)
        if len(payload) > MAX_RECORD_BYTES:
            raise _too_large("A record", len(payload), MAX_RECORD_BYTES)
        if self._finished or self._segment.length >= self._segment_limit:
            self._rotate()
        frame, after = encode_frame(self._chain, payload)
        self._failed = True
        self._segment.append(frame)
        self._failed = False
        self._chain = after
        self._written += 1
        if not self._sync.awake:
            self._sync.touched()

    def put_body(
        self,
        body: bytes,
        *,
        features: bytes = b"",
        key: SubjectKey | None = None,
        until_us: int | None = None,
    ) -> BodyRef:
        """Keep a body in the pack of this process. Raises: JournalUnavailable, as `append`."""
        if self._sync.fault is not None or self._closed or self._forked:
            self._check()
        if len(body) + len(features) > MAX_BODY_BYTES:
            raise _too_large("A body", len(body), MAX_BODY_BYTES)
        pack = self._pack
        if pack is None or pack.length >= self._segment_bytes:
            pack = self._next_pack()
        wrapped = wrap(body, features=features, key=key, cipher=self._cipher, entropy=self._entropy)
        name = key.id if key is not None else None
        self._failed = True
        offset = pack.append_parts(encode_entry(wrapped, key=name, until_us=until_us), wrapped.rest)
        self._failed = False
        self._written += 1
        if not self._sync.awake:
            self._sync.touched()
        return BodyRef(
            digest=wrapped.digest.hex(),
            size=len(body),
            key=name,
            pack=pack.name,
            offset=offset,
            until_us=until_us,
        )

    def digest_body(self, body: bytes, *, key: SubjectKey | None = None) -> BodyRef:
        """What a body is called, without keeping it.

        Without a key the digest is under a secret of this process, and means nothing after it.
        """
        secret = key.secret if key is not None else self._own_secret
        named = key.id if key is not None else None
        return BodyRef(digest=digest_of(body, secret).hex(), size=len(body), key=named)

    def check_fitness(self) -> None:
        """Whether the next fact could be written. Raises: JournalUnavailable where it could not.

        A full disk is one until there is room again; a fault of a flush or a lost file is final.
        """
        if not self._closed:  # before the flush that fails of it: the cause, not what followed
            check_in_place(self._segment.fd, self._segment.path)
        self._check()
        check_room(self._layout.home, failed=self._failed)

    async def durable(self) -> None:
        """Return once everything written so far is on the disk. Raises: JournalUnavailable."""
        self._check()
        await self._sync.reached(self._written)

    def close(self) -> None:
        """Finish the segment, flush, and let go of it. Safe to repeat.

        Raises: JournalUnavailable when what was appended could not be flushed.
        """
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(JournalUnavailable):  # a full disk: the segment stays unfinished
            self._finish_segment()
        self._sync.stop()
        for file in (self._pack, self._segment, *self._retired_packs, *self._retired_segments):
            if file is not None:
                file.close()
        self._sync.check()

    def __enter__(self) -> "JournalWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _check(self) -> None:
        assert not self._forked, "a journal writer belongs to the process that opened it"
        if self._sync.fault is not None:
            self._sync.check()
        if self._closed:
            raise JournalUnavailable(
                "The journal is closed",
                why="this process is shutting down",
                next="send the request to a process that is running",
            )

    def _rotate(self) -> None:
        """Go on in the next segment. The old one bears its closing mark before the new is seen."""
        _, after = closing_mark(self._chain)
        fresh = self._begin_segment(self._seq + 1, self._chain if self._finished else after)
        try:
            self._finish_segment()
            self._publish(fresh, self._seq + 1)
        except JournalUnavailable:
            self._discard(fresh)
            raise
        with self._files:
            self._retired_segments.append(self._segment)
            self._created.append(self._layout.segments)
            self._segment = fresh
            self._segment_limit, self._segment_begun_s = self._segment_bytes, time.monotonic()
        self._seq += 1
        self._finished = False

    def _finish_segment(self) -> None:
        if not self._finished:
            mark, after = closing_mark(self._chain)
            self._segment.append(mark)
            self._chain = after
            self._finished = True
            self._written += 1

    def _begin_segment(self, seq: int, chain: bytes) -> GrowingFile:
        """A segment under a name that nobody looks at, until it is locked and its header whole."""
        path = self._layout.segments / (segment_name(self.writer, seq) + UNBORN_SUFFIX)
        fresh = GrowingFile.create(path, disk=self._disk)
        try:
            fresh.append(encode_header(Header(self.writer, seq, chain)))
        except JournalUnavailable:
            self._discard(fresh)
            raise
        return fresh

    def _publish(self, fresh: GrowingFile, seq: int) -> None:
        path = self._layout.segments / segment_name(self.writer, seq)
        try:
            os.rename(fresh.path, path)
        except OSError as error:
            raise unavailable("could not create", path, error) from error
        fresh.path, fresh.name = path, path.name

    def _next_pack(self) -> GrowingFile:
        name = pack_name(self.writer, self._pack_seq)
        fresh = GrowingFile.create(self._layout.bodies / name, disk=self._disk)
        try:
            fresh.append(PACK_MAGIC)
        except JournalUnavailable:
            self._discard(fresh)
            raise
        with self._files:
            if self._pack is not None:
                self._retired_packs.append(self._pack)
            self._created.append(self._layout.bodies)
            self._pack = fresh
        self._pack_seq += 1
        return fresh

    def _discard(self, file: GrowingFile) -> None:
        file.close()
        with contextlib.suppress(OSError):
            file.path.unlink()

    def _batch(self) -> Batch:
        """Everything open, and how many writes that covers; on the thread that flushes."""
        with self._files:
            if time.monotonic() - self._segment_begun_s > self._max_segment_age_s:
                self._segment_limit = 0
            check_in_place(self._segment.fd, self._segment.path)
            upto = self._written
            packs, segments = self._retired_packs, self._retired_segments
            created = self._created
            self._retired_packs, self._retired_segments, self._created = [], [], []
            current = [] if self._pack is None else [self._pack]
            return Batch(
                upto=upto,
                packs=[*packs, *current],
                segments=[*segments, self._segment],
                directories=list(dict.fromkeys(created)),
                retired=[*packs, *segments],
            )


def open_journal(
    settings: JournalSettings, *, path: str | os.PathLike[str] | None = None
) -> JournalWriter:
    """The writer that settings ask for, at their path or another.

    Raises: JournalUnavailable; ExtraMissing where bodies are to be encrypted and cannot be.
    """
    return JournalWriter(
        path if path is not None else settings.path,
        durability=settings.durability,
        fsync_window_s=settings.fsync_window_s,
        segment_bytes=settings.segment_bytes,
        cipher=open_cipher(settings),
    )


def _too_large(what: str, size: int, most: int) -> JournalUnavailable:
    return JournalUnavailable(
        f"{what} of {size} bytes is too large for the journal",
        why=f"the bound is {most} bytes",
        next="send less, or set capture: digests for this task",
    )


def _forget(writer: JournalWriter) -> Callable[[], None]:
    """What a forked child does with its copy of the writer; holds it weakly."""
    reference = weakref.ref(writer)

    def after_fork() -> None:
        copy = reference()
        if copy is not None:
            copy._forked = True

    return after_fork
