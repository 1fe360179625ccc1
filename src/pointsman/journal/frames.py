"""The bytes of a segment: its header, its frames, its closing mark; values only, no files.

header  magic 8 | version u16 | sequence u64 | writer 48 | chain at start 32 | crc32c u32
frame   length u32 | crc32c(payload) u32 | chain 32 | payload        (all little-endian)
chain   sha256(chain before || payload); the closing mark is a frame without payload
"""

import struct
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

import google_crc32c
import msgspec

from pointsman.domain.records import (
    AccessRecord,
    AcknowledgementRecord,
    Admission,
    AlarmRecord,
    AlertRecord,
    ConfigRecord,
    End,
    ErasureRecord,
    OutcomeRecord,
    Record,
    RetentionRecord,
    ReviewRecord,
    SamplingRecord,
    ServedRecord,
)
from pointsman.journal.layout import WRITER_MAX

MAGIC = b"PJSEGMT\x00"
VERSION = 1
MAX_RECORD_BYTES = 1024 * 1024  # on write and on read: a wild length never allocates more
NO_CHAIN = bytes(32)  # what the first record of a writer is chained to

_HEADER = struct.Struct("<8sHQ48s32s")
_CRC = struct.Struct("<I")
FRAME = struct.Struct("<II32s")
HEADER_BYTES = _HEADER.size + _CRC.size
FRAME_BYTES = FRAME.size

RECORD_TYPES = (
    Admission
    | End
    | OutcomeRecord
    | ConfigRecord
    | ServedRecord
    | ErasureRecord
    | RetentionRecord
    | AccessRecord
    | ReviewRecord
    | SamplingRecord
    | AlarmRecord
    | AcknowledgementRecord
    | AlertRecord
)

# The JSON of a record, as the chain hashes it.
encode_record: Callable[[Record], bytes] = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RECORD_TYPES).decode
_crc32c = google_crc32c.value
_pack_frame = FRAME.pack


class Header(NamedTuple):
    """Who wrote a segment, which of theirs it is, and the chain it goes on from."""

    writer: str
    seq: int
    chain: bytes


class Frame(NamedTuple):
    """One good record of a segment, where it lies, and the chain up to and with it."""

    ordinal: int  # 0 for the first record of the segment
    offset: int  # of the frame in the file, bytes
    payload: bytes  # the exact JSON that was appended
    chain: bytes


def decode_record(payload: bytes | str) -> Record:
    """The record of a payload. Raises: msgspec.ValidationError for a kind we do not know."""
    record: Record = _decode(payload)
    return record


def next_chain(chain: bytes, payload: bytes) -> bytes:
    return sha256(chain + payload).digest()


def encode_frame(chain: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """The whole frame of a payload, and the chain after it."""
    after = sha256(chain + payload).digest()
    return _pack_frame(len(payload), _crc32c(payload), after) + payload, after


def closing_mark(chain: bytes) -> tuple[bytes, bytes]:
    """The frame that ends a finished segment, and the chain after it.

    Without it a segment cut exactly between two records would look whole.
    """
    return encode_frame(chain, b"")


def encode_header(header: Header) -> bytes:
    writer = header.writer.encode("ascii")
    assert len(writer) <= WRITER_MAX, "a writer id fits the header"
    head = _HEADER.pack(MAGIC, VERSION, header.seq, writer, header.chain)
    return head + _CRC.pack(_crc32c(head))


def decode_header(data: bytes) -> Header | str:
    """The header, or what is wrong with it in one sentence."""
    if len(data) < HEADER_BYTES:
        return f"the header is {len(data)} of {HEADER_BYTES} bytes"
    head, (crc,) = data[: _HEADER.size], _CRC.unpack_from(data, _HEADER.size)
    if _crc32c(head) != crc:
        return "the checksum of the header does not match"
    magic, version, seq, writer, chain = _HEADER.unpack(head)
    if magic != MAGIC:
        return "this is not a segment of a journal"
    if version != VERSION:
        return f"the segment has format {version}, this version reads {VERSION}"
    return Header(writer.rstrip(b"\x00").decode("ascii", "replace"), seq, chain)


def crc_matches(payload: bytes, crc: int) -> bool:
    """Whether the bytes are those that were written with this checksum."""
    return bool(_crc32c(payload) == crc)


def check_payload(payload: bytes, crc: int, before: bytes, chain: bytes) -> str | None:
    """What is wrong with a payload: `crc`, `chain`, or None when it is good."""
    if _crc32c(payload) != crc:
        return "crc"
    return None if sha256(before + payload).digest() == chain else "chain"
