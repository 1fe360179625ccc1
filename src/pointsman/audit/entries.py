"""What the log says of one record: who wrote it, which of theirs it is, and the chain up to it."""

from hashlib import sha256
from typing import NamedTuple

from pointsman.audit.merkle import leaf_hash

_TAG = b"pointsman record 1\n"


class Place(NamedTuple):
    """Where a record stands in the journal, for ever: sealing and compacting do not change it."""

    writer: str
    seq: int  # of the segment
    ordinal: int  # in the segment

    def __str__(self) -> str:
        return f"{self.writer} {self.seq}/{self.ordinal}"


def entry_hash(place: Place, chain: bytes) -> bytes:
    """The leaf of a record whose chain hash this is: it commits to all its writer wrote before."""
    head = b"%b%b %d %d\n" % (_TAG, place.writer.encode(), place.seq, place.ordinal)
    return leaf_hash(head + chain)


def chain_of(before: bytes, payload: bytes) -> bytes:
    """The chain hash of a record after another."""
    return sha256(before + payload).digest()
