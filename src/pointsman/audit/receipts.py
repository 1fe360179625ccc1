"""Receipts: the records of one answer with proof that they are in the log; checked offline."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from pointsman.audit.entries import Place, chain_of, entry_hash
from pointsman.audit.log import AuditLog
from pointsman.audit.merkle import (
    HASH_BYTES,
    consistency_proof,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from pointsman.audit.notes import Checkpoint, NoteError, parse_checkpoint
from pointsman.audit.signing import Verifier
from pointsman.domain.errors import CheckFailed, NotFound
from pointsman.domain.identity import FIELDS, identity_id
from pointsman.domain.records import Admission, ConfigRecord, End, ReviewRecord, ServedRecord
from pointsman.journal.frames import NO_CHAIN, decode_record
from pointsman.journal.holders import is_writing
from pointsman.journal.layout import Layout, layout, parse_segment_name
from pointsman.journal.sealed import read_sealed
from pointsman.journal.snapshot import take_snapshot

FORMAT = "pointsman/receipt.v1"
_MOST_RECORDS = 1000
_NO_END = (
    "the receipt has no record of how the request ended: its process died before it wrote one, or "
    "the record was left out; what was delivered is not known"
)


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """One record, exactly as it lies in the journal, and its path to the root."""

    writer: str
    seq: int
    ordinal: int
    index: int  # of its entry
    before: str  # the chain hash before it, hex
    record: str  # its JSON, byte for byte
    path: tuple[str, ...]  # base64, from the leaf upwards


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided and done for one answer, bound to a checkpoint."""

    format: str
    trace: str
    checkpoint: str  # the note that the paths lead to
    records: tuple[Proven, ...]


class Statement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a receipt says in words of its records; digests are keyed, so that erasing erases."""

    trace: str
    request_digest: str
    principal: str
    tenant: str
    task: str | None = None
    prompt: str | None = None
    config: str = ""
    version: str = ""  # of Pointsman
    route: str = ""
    reason: str = ""
    attempts: tuple[dict[str, Any], ...] = ()  # each answer with what was `served`; null: unknown
    status: str  # how it ended; unknown: the receipt has no end
    response_digest: str | None = None
    reviews: tuple[dict[str, Any], ...] = ()  # of a held answer, each with the digest it was about
    missing: str = ""  # why that is no whole story; empty where it is


class Kept(msgspec.Struct, frozen=True):
    """One record as it lies in the journal."""

    place: Place
    before: bytes
    payload: bytes


def make_receipt(
    log: AuditLog, root: Any, trace: str, *, checkpoint: Checkpoint | None = None
) -> Receipt:
    """The records of a trace and of its configuration, proven under the latest checkpoint.

    Args: checkpoint is another one, that the holder has; it must be of this log.
    Of a request whose process died before it ended there is one, which says so.
    Raises: NotFound where the journal has no such trace; CheckFailed where it has not ended yet,
    its records are not under the checkpoint yet, or the checkpoint is of another log.
    """
    where = layout(root)
    found = list(_records_of(where, trace))
    if not found:
        raise NotFound(f"There is no trace {trace}", next="look with `pointsman trace list`")
    _check_over(where, trace, found)
    kept = log.files.kept_checkpoints()
    made = checkpoint or (kept[-1] if kept else None)
    if made is None:
        raise _not_yet(trace, "the log has no checkpoint")
    tree = log.tree()
    if made.size > tree.size or root_at(tree, made.size) != made.root:
        raise CheckFailed(
            "That checkpoint is not of this log",
            why=f"the first {made.size} entries have another root",
            next="run `pointsman audit verify --checkpoint FILE`",
        )
    proven = []
    for each in found:
        index = log.index_of(each.place)
        if index is None or index >= made.size:
            raise _not_yet(trace, f"record {each.place} is not among its {made.size} entries")
        path = inclusion_proof(tree, index, made.size)
        proven.append(
            Proven(
                writer=each.place.writer,
                seq=each.place.seq,
                ordinal=each.place.ordinal,
                index=index,
                before=each.before.hex(),
                record=each.payload.decode(),
                path=tuple(base64.b64encode(part).decode() for part in path),
            )
        )
    return Receipt(format=FORMAT, trace=trace, checkpoint=made.text, records=tuple(proven))


def _check_over(where: Layout, trace: str, found: Sequence[Kept]) -> None:
    """Raises: CheckFailed where the request is still being answered: its end is yet to come."""
    kinds = {each.payload[9:].split(b'"', 1)[0]: each for each in found}
    admission = kinds.get(b"admission")
    if b"end" in kinds or admission is None:
        return
    if is_writing(where.root, admission.place.writer):
        raise CheckFailed(
            f"{trace} has not ended yet",
            why="a receipt says how a request ended",
            next="ask again once it has",
        )


def parse_receipt(data: bytes) -> Receipt:
    """The receipt of a file. Raises: CheckFailed."""
    try:
        receipt = msgspec.json.decode(data, type=Receipt)
    except msgspec.DecodeError as error:
        raise CheckFailed("That is no receipt", why=str(error)) from error
    if receipt.format != FORMAT:
        raise CheckFailed("That is no receipt", why=f"its format is {receipt.format[:60]!r}")
    return receipt


def verify_receipt(
    receipt: Receipt,
    *,
    checkpoint: Checkpoint | None = None,
    keys: Iterable[str] = (),
    consistency: Sequence[bytes] = (),
) -> tuple[Checkpoint, Statement]:
    """Check a receipt with nothing but itself, and say what it proves.

    Args: checkpoint is one kept elsewhere: the receipt's own must be it, or `consistency` must
    show that the smaller is the larger's beginning. keys: public keys, one of which must have
    signed the checkpoint that is believed.
    Raises: CheckFailed with what does not hold.
    """
    try:
        own = parse_checkpoint(receipt.checkpoint)
        believed = checkpoint or own
        trusted = list(keys)
        if trusted and not Verifier(trusted).signers(believed):
            raise CheckFailed("The checkpoint bears no signature of a given key")
    except NoteError as error:
        raise CheckFailed("The receipt does not hold", why=str(error)) from error
    if checkpoint is not None:
        _check_same_log(own, checkpoint, consistency)
    for each in receipt.records:
        try:
            before, path = bytes.fromhex(each.before), [_decoded(part) for part in each.path]
        except (ValueError, binascii.Error) as error:
            raise CheckFailed("The receipt does not hold", why=str(error)) from error
        if len(before) != HASH_BYTES:  # else the record's beginning could be moved into it
            raise CheckFailed(
                "The receipt does not hold", why=f"a chain hash has {len(before)} bytes"
            )
        place = Place(each.writer, each.seq, each.ordinal)
        leaf = entry_hash(place, chain_of(before, each.record.encode()))
        if not verify_inclusion(leaf, each.index, own.size, path, own.root):
            raise CheckFailed(
                "The receipt does not hold",
                why=f"record {place} is not entry {each.index} of the log under this checkpoint",
                next="compare it with the journal it is said to be from",
            )
    return believed, _statement(receipt)


def consistency_between(log: AuditLog, a: Checkpoint, b: Checkpoint) -> list[bytes]:
    """The proof that the smaller of two checkpoints is the other's beginning."""
    old, new = sorted((a.size, b.size))
    return consistency_proof(log.tree(), old, new) if old else []


def _check_same_log(own: Checkpoint, other: Checkpoint, consistency: Sequence[bytes]) -> None:
    if own.size == other.size:
        if own.root == other.root:
            return
        raise CheckFailed("The receipt is of another log", why="the roots differ at one size")
    old, new = sorted((own, other), key=lambda each: each.size)
    if not consistency:
        raise CheckFailed(
            f"The receipt is under a checkpoint of {own.size} entries, the one given has "
            f"{other.size}",
            why="without the log nothing shows that one goes on from the other",
            next="make it anew for that one: `pointsman audit prove TRACE --checkpoint FILE`",
        )
    if not verify_consistency(old.size, new.size, old.root, new.root, consistency):
        raise CheckFailed("The receipt is of another log", why="its beginning is another one")


def _statement(receipt: Receipt) -> Statement:
    admission: Admission | None = None
    end: End | None = None
    config: ConfigRecord | None = None
    known: dict[str, ServedRecord] = {}
    reviews: list[ReviewRecord] = []
    for each in receipt.records:
        try:
            record = decode_record(each.record)
        except msgspec.DecodeError as error:
            raise CheckFailed(
                "The receipt holds a record that this version cannot read", why=str(error)
            ) from error
        if isinstance(record, Admission) and record.trace == receipt.trace:
            admission = record
        elif isinstance(record, End) and record.trace == receipt.trace:
            end = record
        elif isinstance(record, ConfigRecord):
            config = record
        elif isinstance(record, ServedRecord):
            known[record.id] = record
        elif isinstance(record, ReviewRecord) and record.trace == receipt.trace:
            reviews.append(record)
    if admission is None:
        raise CheckFailed("The receipt does not hold the request's admission")
    return Statement(
        trace=admission.trace,
        request_digest=admission.request.digest,
        principal=admission.principal,
        tenant=admission.tenant,
        task=admission.task,
        prompt=admission.prompt,
        config=admission.config,
        version=config.version if config is not None else "",
        route=admission.decision.route,
        reason=admission.decision.reason,
        attempts=tuple(_attempts(end, known)) if end is not None else (),
        status=end.status if end is not None else "unknown",
        response_digest=end.response.digest if end is not None and end.response else None,
        reviews=tuple(_review(each) for each in reviews),
        missing="" if end is not None else _NO_END,
    )


def _review(record: ReviewRecord) -> dict[str, Any]:
    """What was decided, by whom, about which answer; null where an older version did not say."""
    return {
        "action": record.action,
        "status": record.status,
        "at_us": record.at_us,
        "by": record.by,
        "principal": record.principal,
        "digest": record.answer.digest if record.answer is not None else None,
    }


def _attempts(end: End, known: dict[str, ServedRecord]) -> Iterable[dict[str, Any]]:
    """Each attempt; one that answered with what its deployment was, as far as anybody knew."""
    for attempt in end.attempts:
        told: dict[str, Any] = msgspec.to_builtins(attempt)
        if attempt.failure is None:
            id = end.served.get(attempt.deployment)
            told["served"] = None if id is None else _served(attempt.deployment, id, known)
        yield told


def _served(deployment: str, id: str, known: dict[str, ServedRecord]) -> dict[str, Any]:
    record = known.get(id)
    if record is None:  # it was cut off, or retention took it
        return {"id": id, "record": None}
    if record.deployment != deployment or identity_id(deployment, record.identity) != id:
        raise CheckFailed(
            "The receipt does not hold", why=f"{id} is not the digest of what {deployment} was"
        )
    unknown: dict[str, Any] = dict.fromkeys(FIELDS)
    return {"id": id, **unknown, **msgspec.to_builtins(record.identity)}


def _records_of(where: Layout, trace: str) -> Iterable[Kept]:
    """The admission, end and outcomes of a trace, the configuration it ran under, and what was
    served. Of records with the same digest the first found is taken: they say the same.
    """
    wanted, config = trace.encode(), None
    configs: dict[str, Kept] = {}
    served: dict[str, Kept] = {}
    named: list[str] = []
    found: list[Kept] = []
    for each in kept_records(where):
        if b'"kind":"config"' in each.payload[:16]:
            record = decode_record(each.payload)
            if isinstance(record, ConfigRecord):
                configs.setdefault(record.digest, each)
        elif b'"kind":"served"' in each.payload[:16]:
            record = decode_record(each.payload)
            if isinstance(record, ServedRecord):
                served.setdefault(record.id, each)
        elif wanted in each.payload and len(found) < _MOST_RECORDS:
            record = decode_record(each.payload)
            if getattr(record, "trace", None) == trace:
                found.append(each)
                if isinstance(record, Admission):
                    config = record.config
                elif isinstance(record, End):
                    named = list(dict.fromkeys(record.served.values()))
    if found and config in configs:
        yield configs[config]
    yield from (served[id] for id in named if id in served)
    yield from found


def kept_records(where: Layout) -> Iterable[Kept]:
    """Every record of a journal with the chain before it, each once."""
    with take_snapshot(where) as snapshot:
        firsts = {
            segment.name: bytes.fromhex(segment.first)
            for file in snapshot.manifest.files
            for segment in file.segments
        }
        for file in snapshot.manifest.files:
            name, before = "", b""
            for row in read_sealed(where.sealed / file.name):
                if row.segment != name:
                    name, before = row.segment, firsts.get(row.segment, NO_CHAIN)
                yield Kept(Place(*parse_segment_name(name), row.ordinal), before, row.payload)
                before = row.chain
        for reader in snapshot.tail:
            if reader.header is None:
                continue
            writer, seq = parse_segment_name(reader.name)
            before = reader.header.chain
            for frame in reader:
                yield Kept(Place(writer, seq, frame.ordinal), before, frame.payload)
                before = frame.chain


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _not_yet(trace: str, why: str) -> CheckFailed:
    return CheckFailed(
        f"{trace} is not under a checkpoint yet",
        why=why,
        next="wait for the keeper's next round, or run `pointsman audit checkpoint`",
    )
