"""Sets of characters as sorted, disjoint ranges of code points, and the sets that have names."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from functools import cache
from math import log2

Ranges = tuple[tuple[int, int], ...]  # inclusive, sorted, neither touching nor overlapping

LAST = 0x10FFFF
ANY: Ranges = ((0, LAST),)
NOTHING: Ranges = ()
_UPPER, _LOWER, _DIGIT = (0x41, 0x5A), (0x61, 0x7A), (0x30, 0x39)

PERL: dict[str, Ranges] = {
    "d": (_DIGIT,),
    "s": ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)),
    "w": (_DIGIT, _UPPER, (0x5F, 0x5F), _LOWER),
}
POSIX: dict[str, Ranges] = {
    "alnum": (_DIGIT, _UPPER, _LOWER),
    "alpha": (_UPPER, _LOWER),
    "ascii": ((0, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0, 0x1F), (0x7F, 0x7F)),
    "digit": (_DIGIT,),
    "graph": ((0x21, 0x7E),),
    "lower": (_LOWER,),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "upper": (_UPPER,),
    "word": PERL["w"],
    "xdigit": (_DIGIT, (0x41, 0x46), (0x61, 0x66)),
}


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The set of everything in any of the ranges, which may touch, overlap and be in any order."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)


def negate(ranges: Ranges) -> Ranges:
    """Every character that is not in the set."""
    left: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if low > start:
            left.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        left.append((start, LAST))
    return tuple(left)


def contains(ranges: Ranges, code: int) -> bool:
    """Whether a code point is in the set."""
    at = bisect_right(ranges, (code, LAST)) - 1
    return at >= 0 and code <= ranges[at][1]


def size(ranges: Ranges) -> int:
    """How many characters are in the set."""
    return sum(high - low + 1 for low, high in ranges)


def told(ranges: Ranges) -> float:
    """Bits that one character out of a set tells, of the 64 that most text is made of."""
    return max(0.0, 6.0 - log2(max(size(ranges), 1)))


def fold(ranges: Ranges) -> Ranges:
    """The set with every character that differs from one of it only by case (simple folding)."""
    more: list[tuple[int, int]] = list(ranges)
    for low, high in ranges:
        for code in range(max(low, 0x41), min(high, 0x7A) + 1):
            more += [(other, other) for other in _ascii_orbit(code)]
        if high > 0x7F:
            more += [
                (other, other)
                for code, orbit in _orbits().items()
                if low <= code <= high
                for other in orbit
            ]
    return union(more)


def _ascii_orbit(code: int) -> tuple[int, ...]:
    character = chr(code)
    if not character.isalpha():
        return ()
    # The two characters outside ASCII that fold into it: the long s and the Kelvin sign.
    beyond = {"s": (0x17F,), "k": (0x212A,)}.get(character.lower(), ())
    return (ord(character.lower()), ord(character.upper()), *beyond)


@cache
def _orbits() -> dict[int, tuple[int, ...]]:
    """For each character with other cases: all of them. Read once, when first asked for."""
    groups: dict[int, set[int]] = {}
    for code in range(LAST + 1):
        lower = chr(code).lower()
        if len(lower) != 1:
            continue
        upper = lower.upper()
        key = ord(upper.lower()) if len(upper) == 1 and len(upper.lower()) == 1 else ord(lower)
        if key != code:
            groups.setdefault(key, {key}).add(code)
    return {code: tuple(sorted(group)) for group in groups.values() for code in group}


@cache
def category(name: str) -> Ranges | None:
    """The characters of a Unicode general category (`L`, `Lu`, ...); None for other names."""
    if name not in _CATEGORIES:
        return None
    ranges: list[tuple[int, int]] = []
    for code in range(LAST + 1):
        if unicodedata.category(chr(code)).startswith(name):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1] = (ranges[-1][0], code)
            else:
                ranges.append((code, code))
    return tuple(ranges)


_CATEGORIES = frozenset(
    major + minor
    for major, minors in (
        ("C", "cfos"), ("L", "lmotu"), ("M", "cen"), ("N", "dlo"),
        ("P", "cdefios"), ("S", "ckmo"), ("Z", "lps"),
    )
    for minor in ("", *minors)
)  # fmt: skip
