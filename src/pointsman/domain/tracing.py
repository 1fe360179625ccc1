"""One request in W3C trace context: who asked in which trace, and what engines are told of it.

Our trace id is 128 bits, as theirs is: where the client names no trace, ours is the trace. The ids
of spans follow from our trace id, so that whoever exports a span later finds what was sent.
"""

import re
from typing import NamedTuple

# From Crockford's digits of base 32 to Python's; what is no digit becomes none.
_CROCKFORD, _PYTHON = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", "0123456789abcdefghijklmnopqrstuv"
_TO_BASE_32 = {code: "!" for code in range(128)} | str.maketrans(_CROCKFORD, _PYTHON)
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?")
_TRACESTATE = re.compile(rb"[ -~\t]{1,512}")  # printable; more than this need not be passed on
_SAMPLED = 0x01
_KNOWN_FLAGS = 0x03  # sampled, random
_MASK = 2**64 - 1
_STRIDE = 0x9E3779B97F4A7C15  # 2**64 by the golden ratio: multiples of it lie far apart
_RANDOM = (1 << 56) - 1  # the bits by which a trace is sampled alike everywhere (W3C level 2)
Lines = tuple[tuple[bytes, bytes], ...]


class Parent(NamedTuple):
    """What a client's `traceparent` and `tracestate` say."""

    trace: int  # 128 bits, not 0
    span: int  # 64 bits, not 0
    flags: int
    state: bytes = b""

    @property
    def sampled(self) -> bool:
        """Whether the client records this trace."""
        return bool(self.flags & _SAMPLED)


def parent_of(traceparent: bytes | None, tracestate: bytes | None = None) -> Parent | None:
    """The client's trace; None where it names none, or nothing that could be one.

    Source: W3C Trace Context, level 2. Of later versions the fields of this one are read.
    """
    if traceparent is None:
        return None
    found = _TRACEPARENT.fullmatch(traceparent.strip())
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    parent = Parent(int(trace, 16), int(span, 16), int(flags, 16) & _KNOWN_FLAGS)
    if not parent.trace or not parent.span:
        return None
    if tracestate is not None and _TRACESTATE.fullmatch(tracestate):
        return parent._replace(state=tracestate.strip())
    return parent


def trace_bits(trace: str) -> int:
    """The 128 bits of a `tr_` id, never 0. Raises: ValueError for anything else."""
    try:
        value = int(trace[3:].translate(_TO_BASE_32), 32)
    except ValueError:
        value = -1
    if len(trace) != 29 or value < 0 or value >> 128 or not trace.isascii():
        raise ValueError(f"not a trace id: {trace!r}")
    return value or 1


def span_bits(trace: int, attempt: int | None = None) -> int:
    """The 64 bits of the span of a request, or of its attempt of this number from 0; never 0.

    Args: trace is our own, by `trace_bits`, whatever trace the span is in.
    """
    number = 0 if attempt is None else attempt + 1
    return ((trace + number * _STRIDE) & _MASK) or 1


def recorded(trace: int, parent: Parent | None, *, share: float) -> bool:
    """Whether spans of this request are recorded: as its client does; else this share of all."""
    if parent is not None:
        return parent.sampled
    return trace & _RANDOM < share * (_RANDOM + 1)


def onward(trace: str, parent: Parent | None, attempt: int, *, share: float | None) -> Lines:
    """The header lines that tell an engine which trace its attempt is in.

    Args: share of traces that we record spans of; None: of none, and a client's trace is passed
        on as it came.
    """
    if share is None:
        return () if parent is None else _lines(parent.trace, parent.span, parent)
    own = trace_bits(trace)
    if not recorded(own, parent, share=share):
        if parent is not None:
            return _lines(parent.trace, parent.span, parent)
        return ((b"traceparent", b"00-%032x-%016x-00" % (own, span_bits(own, attempt))),)
    if parent is not None:
        return _lines(parent.trace, span_bits(own, attempt), parent)
    return ((b"traceparent", b"00-%032x-%016x-01" % (own, span_bits(own, attempt))),)


def _lines(trace: int, span: int, parent: Parent) -> Lines:
    said = (b"traceparent", b"00-%032x-%016x-%02x" % (trace, span, parent.flags))
    return (said, (b"tracestate", parent.state)) if parent.state else (said,)
