"""The lattice of verdicts, and redaction: a union of spans over the original text."""

from collections.abc import Iterable, Sequence

import msgspec

from pointsman.domain.policies import VERDICTS, Verdict

_SEVERITY = {verdict: place for place, verdict in enumerate(VERDICTS)}


class Span(msgspec.Struct, frozen=True, order=True):
    """Characters `start` to `end` (one past the last) of a text, and what stands there instead."""

    start: int
    end: int
    replacement: str = "[redacted]"


def severity(verdict: Verdict) -> int:
    """0 for `allow`; the most severe of several wins."""
    return _SEVERITY[verdict]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The most severe; `allow` of none."""
    return VERDICTS[max(map(_SEVERITY.__getitem__, verdicts), default=0)]


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans that do not overlap and cover what these cover, in order.

    Where some overlap, the one that begins first gives the replacement; of those the longest, then
    the first that was given: as a stream gate does. Spans that only touch stay two; empty ones
    cover nothing.
    """
    merged: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.start, -each.end)):
        if span.start >= span.end:
            continue
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Span(last.start, max(last.end, span.end), last.replacement)
        else:
            merged.append(span)
    return tuple(merged)


def redacted(text: str, spans: Sequence[Span]) -> str:
    """The text with each span's replacement in its place. Spans as `union` gives them."""
    parts, at = [], 0
    for span in spans:
        parts += [text[at : span.start], span.replacement]
        at = span.end
    parts.append(text[at:])
    return "".join(parts)
