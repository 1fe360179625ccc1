"""One text as detectors of patterns read it: a byte a character, so that offsets need no map."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import re2

from pointsman.policy.gating.normalising import ZEROS

# What people and attackers write for an ASCII character, one for one: offsets stay true.
_SAME = {
    **{0xFF01 + i: 0x21 + i for i in range(94)},  # full-width forms
    **{base + i: 0x30 + i for base in ZEROS for i in range(10)},
    **dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2212, 0xFE63), 0x2D),
    **dict.fromkeys((0xA0, 0x2002, 0x2003, 0x2007, 0x2009, 0x202F, 0x3000), 0x20),
    **dict.fromkeys((0x2018, 0x2019, 0x201B, 0x2032), 0x27),
    **dict.fromkeys((0x201C, 0x201D, 0x201F), 0x22),
    **dict.fromkeys((0x3002, 0xFF61, 0xFE52), 0x2E),
    0xFF20: 0x40,
}

_TRIAGE_BYTES = 128 << 20  # RE2's own default cannot hold the automaton of a hundred patterns


class View:
    """A text beside its folded form; `folded[i]` is about character `i` of `text`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = text if text.isascii() else text.translate(_SAME)

    @cached_property
    def octets(self) -> bytes:
        """A byte a character: Latin-1, `?` for everything that has none."""
        return self.folded.encode("latin-1", "replace")

    @staticmethod
    def folding(text: str) -> str:
        """What `octets` is, as characters."""
        folded = text if text.isascii() else text.translate(_SAME)
        return folded.encode("latin-1", "replace").decode("latin-1")

    @cached_property
    def lowered(self) -> str:
        """Lower case, still a character a character (a few letters grow when lowered)."""
        low = self.folded.lower()
        return low if len(low) == len(self.folded) else _lowered_one_for_one(self.folded)

    @cached_property
    def has_digit(self) -> bool:
        return any(digit in self.folded for digit in "0123456789")

    def around(self, start: int, end: int, *, before: int, after: int) -> str:
        """The lowered text near a span, without the span."""
        left = self.lowered[max(0, start - before) : start]
        return f"{left}\x00{self.lowered[end : end + after]}"

    def stands_alone(self, start: int, end: int, joiners: str = "") -> bool:
        """Neither a letter or digit touches it, nor a joiner with a letter or digit beyond it."""
        text = self.folded
        return not (_touched(text, start - 1, -1, joiners) or _touched(text, end, 1, joiners))


def compile_octets(pattern: str, *, ignore_case: bool = False) -> Any:
    """A pattern over `View.octets`; linear in the text. Raises: re2.error, for what RE2 refuses."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = not ignore_case
    options.log_errors = False
    return re2.compile(pattern.encode("latin-1"), options)


class Triage:
    """Which of many patterns stand in a text, in one pass over it."""

    def __init__(self, patterns: Sequence[str], *, ignore_case: bool = False) -> None:
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.case_sensitive = not ignore_case
        options.log_errors = False
        options.max_mem = _TRIAGE_BYTES
        self._set = re2.Set.SearchSet(options)
        for pattern in patterns:
            self._set.Add(pattern.encode("latin-1"))
        self._set.Compile()

    def which(self, octets: bytes) -> list[int]:
        """Places of the patterns that match somewhere, in order."""
        return sorted(self._set.Match(octets) or ())


def _touched(text: str, at: int, step: int, joiners: str) -> bool:
    if not 0 <= at < len(text):
        return False
    near = text[at]
    if near.isascii() and near.isalnum():
        return True
    beyond = at + step
    return near in joiners and 0 <= beyond < len(text) and text[beyond].isdigit()


def _lowered_one_for_one(text: str) -> str:
    return "".join(low if len(low := c.lower()) == 1 else c for c in text)
