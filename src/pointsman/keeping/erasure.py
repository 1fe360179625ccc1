"""Erasing what one person said, or one request: ordered in a record, then done, then seen to.

The order is written first and is durable; then the keys are destroyed, which is the moment from
which nobody reads; then bodies are overwritten. Whatever a kill leaves of that is finished by the
keeper, from the record.
"""

import os
from collections.abc import Callable, Sequence

import msgspec

from pointsman.domain.errors import NotFound
from pointsman.domain.ids import erasure_id
from pointsman.domain.ports import SubjectKeys
from pointsman.domain.records import (
    Admission,
    BodyRef,
    End,
    ErasureRecord,
    OutcomeRecord,
    ReviewRecord,
)
from pointsman.domain.subjects import subject_of
from pointsman.journal import (
    Erased,
    JournalReader,
    JournalWriter,
    erase_keys,
    erase_refs,
)

# A request that was running when its person was erased may still write under the destroyed key.
UNSETTLED_US = 3_600_000_000
_decode_erasure = msgspec.json.Decoder(ErasureRecord).decode


class ErasureReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure did, or would do."""

    done: bool
    keys: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    bodies: int = 0
    bytes: int = 0
    record: str | None = None  # its id
    unreadable: tuple[str, ...] = ()  # damaged packs: what lies behind the damage was not reached


class Eraser:
    """Erases on behalf of an operator. For a command, not for an event loop."""

    def __init__(
        self,
        root: str | os.PathLike[str],
        reader: JournalReader,
        keys: SubjectKeys | None,
        *,
        now_us: Callable[[], int],
        entropy: Callable[[int], bytes] = os.urandom,
        by: str = "cli",
    ) -> None:
        self._root, self._reader, self._keys = root, reader, keys
        self._now_us, self._entropy, self._by = now_us, entropy, by

    def plan_subject(self, tenant: str, subject: str) -> ErasureReport:
        """What erasing a person would do; nothing is changed. Raises: StateUnavailable."""
        assert self._keys is not None, "a person's bodies are found by their key"
        key = self._keys.key(tenant, subject_of(subject, 0))
        found = erase_keys(self._root, [key.id], only_count=True)
        return _report(found, done=False, keys=(key.id,))

    def erase_subject(self, tenant: str, subject: str) -> ErasureReport:
        """Destroy a person's keys and overwrite what lies under them. Safe to repeat.

        Raises: StateUnavailable, JournalUnavailable, OSError; run it again then.
        """
        assert self._keys is not None, "a person's bodies are found by their key"
        name = subject_of(subject, 0)
        key = self._keys.key(tenant, name)
        planned = erase_keys(self._root, [key.id], only_count=True)
        record = self._order(tenant, keys=(key.id,), bodies=planned.bodies)
        destroyed = self._keys.destroy(tenant, name)
        older = tuple(each for each in destroyed if each != key.id)
        if older:
            self._order(tenant, keys=older)
        done = erase_keys(self._root, [key.id, *older])
        return _report(done, done=True, keys=(key.id, *older), record=record.id)

    def plan_trace(self, trace: str) -> ErasureReport:
        """What erasing one request would do. Raises: NotFound."""
        _, refs = kept_of(self._reader, trace)
        size = sum(ref.size for ref in refs)
        return ErasureReport(done=False, traces=(trace,), bodies=len(refs), bytes=size)

    def erase_trace(self, trace: str) -> ErasureReport:
        """Overwrite the bodies of one request. Its digests stay, under a key that lives on.

        Raises: NotFound, JournalUnavailable, CheckFailed, OSError.
        """
        tenant, refs = kept_of(self._reader, trace)
        record = self._order(tenant, traces=(trace,), bodies=len(refs))
        done = erase_refs(self._root, refs)
        size = sum(ref.size for ref in refs)
        return ErasureReport(done=True, traces=(trace,), bodies=done, bytes=size, record=record.id)

    def _order(
        self,
        tenant: str,
        *,
        keys: tuple[str, ...] = (),
        traces: tuple[str, ...] = (),
        bodies: int = 0,
    ) -> ErasureRecord:
        at_us = self._now_us()
        record = ErasureRecord(
            id=erasure_id(at_us // 1000, self._entropy(10)),
            at_us=at_us,
            tenant=tenant,
            keys=keys,
            traces=traces,
            bodies=bodies,
            by=self._by,
        )
        with JournalWriter(self._root) as journal:  # leaving it flushes
            journal.append(record)
        return record


class Unfinished:
    """Sees to it that what was ordered erased is, also where a kill came between."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = root
        self._settled: set[str] = set()  # orders that nothing can write behind any more

    def finish(self, reader: JournalReader, keys: SubjectKeys, *, now_us: int) -> int:
        """Overwrite what is left of ordered erasures; how many bodies.

        A key that is still alive is left alone: whoever ordered was told that it failed.
        """
        orders = [_decode_erasure(row["payload"]) for row in reader.query("erasures")]
        fresh = [order for order in orders if order.id not in self._settled]
        if not fresh:
            return 0
        ids = sorted({key for order in fresh for key in order.keys})
        living = keys.find(ids) if ids else {}
        dead = [each for each in ids if each not in living]
        done = erase_keys(self._root, dead).bodies if dead else 0
        for trace in (trace for order in fresh for trace in order.traces):
            try:
                done += erase_refs(self._root, kept_of(reader, trace)[1])
            except NotFound:  # its records were dropped, its bodies long before
                continue
        self._settled |= {
            order.id
            for order in fresh
            if now_us - order.at_us > UNSETTLED_US and not living.keys() & set(order.keys)
        }
        return done


def kept_of(reader: JournalReader, trace: str) -> tuple[str, list[BodyRef]]:
    """The tenant of a request, and where its bodies lie. Raises: NotFound."""
    tenant, refs = None, []
    for row in reader.query("trace", {"trace": trace}):
        if row["kind"] == "admission":
            admission = msgspec.json.decode(row["payload"], type=Admission)
            tenant = admission.tenant
            refs.append(admission.request)
        elif row["kind"] == "end":
            response = msgspec.json.decode(row["payload"], type=End).response
            refs += [response] if response is not None else []
        elif row["kind"] == "outcome":
            said = msgspec.json.decode(row["payload"], type=OutcomeRecord).body
            refs += [said] if said is not None else []
        elif row["kind"] == "review":
            edited = msgspec.json.decode(row["payload"], type=ReviewRecord).answer
            refs += [edited] if edited is not None else []
    if tenant is None:
        raise NotFound(f"no trace {trace!r}", next="pointsman trace list")
    return tenant, [ref for ref in refs if ref.pack is not None]


def _report(
    found: Erased, *, done: bool, keys: Sequence[str], record: str | None = None
) -> ErasureReport:
    return ErasureReport(
        done=done,
        keys=tuple(keys),
        bodies=found.bodies,
        bytes=found.bytes,
        record=record,
        unreadable=found.unreadable,
    )
