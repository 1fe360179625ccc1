"""Prefixed, time-sortable identifiers; the clock and the chance come in as arguments."""

from typing import NewType

TraceId = NewType("TraceId", str)
OutcomeId = NewType("OutcomeId", str)

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base 32: sortable, no I L O U
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)


def ulid(at_ms: int, entropy: bytes) -> str:
    """26 characters: 48 bits of milliseconds since 1970, then 80 bits of entropy.

    Args: at_ms in [0, 2**48); entropy is exactly 10 bytes.
    Source: the ULID specification (Crockford base 32, lexicographic order is time order).
    """
    value = (at_ms << 80) | int.from_bytes(entropy, "big")
    head = _ALPHABET[value >> 125] + _ALPHABET[(value >> 120) & 31]
    return head + "".join([_PAIRS[(value >> shift) & 1023] for shift in range(110, -1, -10)])


def trace_id(at_ms: int, entropy: bytes) -> TraceId:
    """`tr_` and a ULID: the name of one request, from its arrival to its last outcome."""
    return TraceId("tr_" + ulid(at_ms, entropy))


def outcome_id(at_ms: int, entropy: bytes) -> OutcomeId:
    """`oc_` and a ULID: the name of one fact about a trace."""
    return OutcomeId("oc_" + ulid(at_ms, entropy))


def erasure_id(at_ms: int, entropy: bytes) -> str:
    """`er_` and a ULID: the name of one order to erase."""
    return "er_" + ulid(at_ms, entropy)


def minted_ms(name: str) -> int | None:
    """When a `tr_`, `oc_` or `er_` id was made, milliseconds since 1970; None: not such an id."""
    text = name[3:13]
    if len(name) != 29 or any(character not in _ALPHABET for character in text):
        return None
    value = 0
    for character in text:
        value = value * 32 + _ALPHABET.index(character)
    return value
