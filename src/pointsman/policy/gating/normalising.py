"""What a character is compared as: compatibility forms, look-alikes, hidden and tag characters.

One character at a time, so that it does not depend on how a text is cut: a letter and a combining
mark after it stay two. The text itself is never changed.
"""

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple

# Letters of other scripts that are drawn as a Latin one, in the order of their Latin letters.
_LOOKS_LIKE = {
    "A": "ΑАᎪ", "B": "ΒВᏴ", "C": "СᏟϹ", "D": "Ꭰ", "E": "ΕЕᎬ", "F": "Ϝ", "G": "ԌᏀ", "H": "ΗНᎻ",
    "I": "ΙІӀᏆ", "J": "ЈᎫ", "K": "ΚКᏦ", "L": "Ꮮ", "M": "ΜМᎷ", "N": "Ν", "O": "ΟОՕ", "P": "ΡРᏢ",
    "Q": "Ԛ", "R": "Ꮢ", "S": "ЅՏᏚ", "T": "ΤТᎢ", "U": "Ս", "V": "ѴᏙ", "W": "ԜᎳ", "X": "ΧХ",
    "Y": "ΥҮ", "Z": "ΖᏃ", "a": "аɑ", "c": "сϲ", "d": "ԁ", "e": "еҽ", "g": "ɡց", "h": "һհ",
    "i": "іιı", "j": "јϳ", "k": "κ", "l": "ӏ", "m": "м", "n": "ո", "o": "оοօ", "p": "рρ", "q": "ԛ",
    "s": "ѕ", "u": "սυ", "v": "νѵ", "w": "ԝա", "x": "хχ", "y": "уү",
    "-": "‐‑‒–—−﹣", "_": "‿", ":": "։׃", ".": "․", "/": "⁄∕", "@": "﹫",
}  # fmt: skip
_FOLDED = {look: plain for plain, looks in _LOOKS_LIKE.items() for look in looks}
# Where the digits of each script begin, ten in a row (Unicode, general category Nd).
ZEROS = (
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6,
    0xE50, 0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50,
    0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0,
    0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0,
    0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE,
    0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
)  # fmt: skip
_FOLDED |= {chr(zero + value): str(value) for zero in ZEROS for value in range(10)}
_HIDDEN = frozenset(
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b"
    "\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\u206a\u206b\u206c"
    "\u206d\u206e\u206f\u3164\ufeff\uffa0\u180b\u180c\u180d\u180f\u2065"
    "\ufff0\ufff1\ufff2\ufff3\ufff4\ufff5\ufff6\ufff7\ufff8\ufff9\ufffa\ufffb"
    "\U0001bca0\U0001bca1\U0001bca2\U0001bca3\U0001d173\U0001d174\U0001d175\U0001d176"
    "\U0001d177\U0001d178\U0001d179\U0001d17a"
)

# Every character but those of common ranges that are compared as themselves.
_OTHERS = re.compile("[^\x00-\x7fÀ-ÖØ-öø-ÿ‘-”ぁ-ゖァ-ヺ一-鿿가-힣б-дж-лнптфц-я]")
_ESCAPE = r'\\u[0-9a-fA-F]{4}|\\["\\/bfnrt]'
_ESCAPES_AND_OTHERS = re.compile(f"{_ESCAPE}|{_OTHERS.pattern}")
_BEGUN = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "/": "/"}


@lru_cache(maxsize=4_096)
def compared(character: str) -> str:
    """The characters that one counts as; none for what cannot be seen. Digits of any script are
    those of ASCII.

    Tag characters (U+E0020 to U+E007E) count as the letters they repeat unseen; variation selectors
    as nothing.
    """
    code = ord(character)
    if code < 0x80:
        return character
    if character in _HIDDEN or 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:
        return ""
    if 0xE0000 <= code <= 0xE0FFF:
        return chr(code - 0xE0000) if 0xE0020 <= code <= 0xE007E else ""
    plain = unicodedata.normalize("NFKC", character)
    return "".join(_FOLDED.get(one, one) for one in plain)


def as_compared(text: str) -> str:
    """A whole text as it is compared."""
    return text if text.isascii() else _OTHERS.sub(_compared, text)


def first_other(text: str) -> int | None:
    """Where the first character is that is compared as something else."""
    for match in _OTHERS.finditer(text):
        if compared(match[0]) != match[0]:
            return match.start()
    return None


class Mark(NamedTuple):
    """Characters of a text that are read as something else."""

    at: int  # in the text as it is read
    size: int  # characters there
    start: int  # in the text itself
    end: int


class Reading(NamedTuple):
    """A text as it is read, and where each character of that stands in the text itself."""

    text: str
    marks: tuple[Mark, ...]
    length: int  # of the text itself that was read; less where an escape has only begun

    def start(self, at: int) -> int:
        """Where the character at an offset begins in the text itself."""
        mark = self._before(at)
        if mark is None:
            return at
        return mark.start if at < mark.at + mark.size else mark.end + at - mark.at - mark.size

    def end(self, at: int) -> int:
        """Where the character at an offset ends in the text itself."""
        mark = self._before(at)
        return mark.end if mark and at < mark.at + mark.size else self.start(at) + 1

    def _before(self, at: int) -> Mark | None:
        count = bisect_right(self.marks, at, key=_place)
        return self.marks[count - 1] if count else None


def _place(mark: Mark) -> int:
    return mark.at


def reading(text: str, *, normalise: bool, escapes: bool, ends: bool) -> Reading:
    """A text as it is compared, with the escapes of JSON strings resolved, or both.

    `ends`: no more follows, so that an escape which has begun is none.
    """
    pieces: list[str] = []
    marks: list[Mark] = []
    last = read = 0
    for match in (_ESCAPES_AND_OTHERS if escapes else _OTHERS).finditer(text):
        start, end = match.span()
        plain = match[0]
        if plain[0] == "\\":
            plain = chr(int(plain[2:], 16)) if plain[1] == "u" else _SHORT[plain[1]]
        plain = "".join(map(compared, plain)) if normalise else plain
        read += start - last
        marks.append(Mark(read, len(plain), start, end))
        pieces += [text[last:start], plain]
        read += len(plain)
        last = end
    until = len(text)
    if escapes and not ends:
        begun = _BEGUN.search(text, last)
        until = begun.start() if begun else until
    pieces.append(text[last:until])
    return Reading("".join(pieces), tuple(marks), until)


def _compared(match: re.Match[str]) -> str:
    return compared(match[0])
