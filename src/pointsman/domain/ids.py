"""Prefixed, time-sortable identifiers; the clock and the chance come in as arguments."""

import struct
from functools import lru_cache
from typing import NewType

TraceId = NewType("TraceId", str)
OutcomeId = NewType("OutcomeId", str)

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base 32: sortable, no I L O U
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_HALVES = struct.Struct(">BIBI")  # of 80 bits: twice 40


def ulid(at_ms: int, entropy: bytes) -> str:
    """26 characters: 48 bits of milliseconds since 1970, then 80 bits of entropy.

    Args: at_ms in [0, 2**48); entropy is exactly 10 bytes.
    Source: the ULID specification (Crockford base 32, lexicographic order is time order).
    """
    high, more, low, rest = _HALVES.unpack(entropy)
    first, second = high << 32 | more, low << 32 | rest
    return (
        f"{_time_part(at_ms)}{_PAIRS[first >> 30]}{_PAIRS[first >> 20 & 1023]}"
        f"{_PAIRS[first >> 10 & 1023]}{_PAIRS[first & 1023]}{_PAIRS[second >> 30]}"
        f"{_PAIRS[second >> 20 & 1023]}{_PAIRS[second >> 10 & 1023]}{_PAIRS[second & 1023]}"
    )


@lru_cache(maxsize=4)  # many are minted in one millisecond
def _time_part(at_ms: int) -> str:
    return "".join([_PAIRS[(at_ms >> shift) & 1023] for shift in range(40, -1, -10)])


def trace_id(at_ms: int, entropy: bytes) -> TraceId:
    """`tr_` and a ULID: the name of one request, from its arrival to its last outcome."""
    return TraceId("tr_" + ulid(at_ms, entropy))


def outcome_id(at_ms: int, entropy: bytes) -> OutcomeId:
    """`oc_` and a ULID: the name of one fact about a trace."""
    return OutcomeId("oc_" + ulid(at_ms, entropy))


def held_id(at_ms: int, entropy: bytes) -> str:
    """`held_` and a ULID: the name of one answer that waits for people."""
    return "held_" + ulid(at_ms, entropy)


def erasure_id(at_ms: int, entropy: bytes) -> str:
    """`er_` and a ULID: the name of one order to erase."""
    return "er_" + ulid(at_ms, entropy)


def retention_id(at_ms: int, entropy: bytes) -> str:
    """`rt_` and a ULID: the name of one record of what was kept long enough."""
    return "rt_" + ulid(at_ms, entropy)


def draw_id(at_ms: int, entropy: bytes) -> str:
    """`dw_` and a ULID: the name of one draw of requests to label."""
    return "dw_" + ulid(at_ms, entropy)


def alarm_id(at_ms: int, entropy: bytes) -> str:
    """`al_` and a ULID: the name of one alarm."""
    return "al_" + ulid(at_ms, entropy)


def file_id(at_ms: int, entropy: bytes) -> str:
    """`file-` and a ULID: the name of one file that a client left, or that a batch wrote."""
    return "file-" + ulid(at_ms, entropy)


def batch_id(at_ms: int, entropy: bytes) -> str:
    """`batch_` and a ULID: the name of one batch."""
    return "batch_" + ulid(at_ms, entropy)


def run_id(at_ms: int, entropy: bytes) -> str:
    """`run_` and a ULID: the name of one run of a suite."""
    return "run_" + ulid(at_ms, entropy)


def minted_ms(name: str) -> int | None:
    """When a `tr_`, `oc_` or `er_` id was made, milliseconds since 1970; None: not such an id."""
    text = name[3:13]
    if len(name) != 29 or any(character not in _ALPHABET for character in text):
        return None
    value = 0
    for character in text:
        value = value * 32 + _ALPHABET.index(character)
    return value
