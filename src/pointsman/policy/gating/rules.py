"""A rule of the gate, and what became of it when it was compiled."""

from typing import Literal

import msgspec

Mode = Literal["exact", "endless", "refused"]


class SpanRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pattern and what of its match is protected.

    Protected is every character that lies in the protected part of any way the pattern can match,
    not of the leftmost match alone. Where an endless lazy repeat (`x*?`) stands in that part or
    after it, a span ends at its first end.
    """

    id: str
    pattern: str  # RE2's syntax, which is Go's
    kind: str = "secret"
    group: int | None = None  # of the protected part; None: the outermost groups, or all; 0: all
    keywords: tuple[str, ...] = ()  # one must have ended by the end of the match; any case
    entropy: float | None = None  # bits a character; overlapping spans with no more do not count


class SpanLiteral(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fixed text that is protected whole: a canary, a known secret, a piece of a prompt."""

    id: str
    text: str
    kind: str = "canary"
    ignore_case: bool = False


class RuleReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one rule is kept.

    exact: no character of a span is let through, and none is held for it that could not be in one.
    endless: the same, and what stays undecided past the limit is taken for a span (`why`).
    refused: the rule is not in the set (`why`).
    """

    id: str
    mode: Mode
    hold: int | None = None  # the most characters one span of it may stay undecided
    states: int = 0
    why: str = ""
    notes: tuple[str, ...] = ()
