# ruff: noqa: E501, SIM905 - a list of words reads better as words
"""What is written in code within a text: found, undone, and handed back to be judged in the open."""

import base64
import binascii
import codecs
import re
from dataclasses import dataclass

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,8000}={0,2}")
_HEX = re.compile(r"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ ,:]?){10,4000}")
_BINARY = re.compile(r"(?:[01]{8}[ ,]?){5,1000}")
_DECIMAL = re.compile(r"(?:\b\d{2,3}[ ,]{1,2}){8,1000}\d{2,3}\b")
_ESCAPES = re.compile(r"(?:\\u[0-9A-Fa-f]{4}|&#x?[0-9A-Fa-f]{2,5};){5,1000}")
_PERCENT = re.compile(r"(?:[A-Za-z0-9_.-]{0,20}%[0-9A-Fa-f]{2}){5,400}[A-Za-z0-9_.-]{0,20}")
_ESCAPED_BYTE = re.compile(rb"%([0-9A-Fa-f]{2})")
_MORSE = re.compile(r"(?:[.\-·–—]{1,6}[ /|]{1,3}){8,1000}[.\-·–—]{1,6}")
_SPACED = re.compile(r"(?:\b[A-Za-z][ .\-_*]{1,3}){8,400}[A-Za-z]\b")
_LEET = re.compile(r"\b(?=\w*[A-Za-z@$])(?=\w*[013457@$!])[A-Za-z013457@$!|]{3,20}\b")
_WORDS = re.compile(r"[A-Za-z]{2,20}")
_LEET_TABLE = str.maketrans("0134578@$!|", "oieastbasil")
_MORSE_TABLE = {
    ".-": "a", "-...": "b", "-.-.": "c", "-..": "d", ".": "e", "..-.": "f", "--.": "g", "....": "h",
    "..": "i", ".---": "j", "-.-": "k", ".-..": "l", "--": "m", "-.": "n", "---": "o", ".--.": "p",
    "--.-": "q", ".-.": "r", "...": "s", "-": "t", "..-": "u", "...-": "v", ".--": "w", "-..-": "x",
    "-.--": "y", "--..": "z",
}  # fmt: skip
# The most frequent words of a few languages: enough to know text from noise.
_COMMON = frozenset(
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which"
    " one you were all her she there would their we him been has when who will no more if out so up said what its about"
    " than into them can only other time new some could these two may first then do any like my now over such our man me"
    " even most made after also did many must before back see through way where get much go well your know should down"
    " how make use write give tell say instructions previous ignore system prompt please create print step answer der die"
    " das und nicht le les des est que pas el los una por para como".split()
)
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Payload:
    """A stretch of the text that says something else once undone. Offsets count characters."""

    how: str
    start: int
    end: int
    plain: str


def payloads(text: str) -> list[Payload]:
    """Every encoded stretch that gives readable text; at most 16 of them, the first ones."""
    found: list[Payload] = []
    for how, pattern, undo in _WAYS:
        for match in pattern.finditer(text):
            plain = undo(match.group())
            if plain is not None and len(plain) >= 4:
                found.append(Payload(how, match.start(), match.end(), plain[:_LONGEST]))
            if len(found) >= 16:
                return found
    return found + _whole(text)


def _whole(text: str) -> list[Payload]:
    """Ways that write the text as a whole: ROT13, backwards, digits for letters."""
    head = text[:_LONGEST]
    seen = _known(head)
    out = []
    if seen < 0.2:
        for how, undone in (("rot13", codecs.decode(head, "rot13")), ("reversed", head[::-1])):
            if _known(undone) > max(0.22, 2 * seen):
                out.append(Payload(how, 0, len(head), undone))
    if len(_LEET.findall(head)) >= 3:
        plain = _LEET.sub(lambda m: m.group().translate(_LEET_TABLE), head)
        if _known(plain) >= seen and plain != head:
            out.append(Payload("leet", 0, len(head), plain))
    return out


def _known(text: str) -> float:
    words = [w.lower() for w in _WORDS.findall(text)]
    return sum(w in _COMMON for w in words) / len(words) if len(words) >= 4 else 0.0


def _readable(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    plain = sum(c.isalpha() or c in " ,.!?'\"\n" for c in text)
    return text if len(text) >= 4 and plain >= 0.85 * len(text) and " " in text.strip() else None


def _base64(value: str) -> str | None:
    body = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _readable(base64.b64decode(body + "=" * (-len(body) % 4)))
    except (binascii.Error, ValueError):
        return None


def _hex(value: str) -> str | None:
    digits = re.sub(r"0x|\\x|[ ,:]", "", value)
    return _readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _binary(value: str) -> str | None:
    digits = re.sub(r"[ ,]", "", value)
    return _readable(bytes(int(digits[i : i + 8], 2) for i in range(0, len(digits) - 7, 8)))


def _decimal(value: str) -> str | None:
    codes = [int(n) for n in re.findall(r"\d+", value)]
    return _readable(bytes(codes)) if all(c < 128 for c in codes) else None


def _escapes(value: str) -> str | None:
    codes = re.findall(r"\\u([0-9A-Fa-f]{4})|&#x([0-9A-Fa-f]{2,5});|&#(\d{2,5});", value)
    return "".join(chr(int(a or b, 16) if a or b else int(c)) for a, b, c in codes) or None


def _percent(value: str) -> str | None:
    return _readable(_ESCAPED_BYTE.sub(lambda m: bytes([int(m[1], 16)]), value.encode()))


def _morse(value: str) -> str | None:
    value = re.sub("[–—]", "-", value).replace("·", ".")
    words = re.split(r" ?[/|] ?| {3,}", value)
    letters = [[_MORSE_TABLE.get(sign, "") for sign in word.split()] for word in words]
    flat = "".join("".join(word) for word in letters)
    return " ".join("".join(word) for word in letters) if len(flat) >= 8 else None


def _spaced(value: str) -> str | None:
    words = re.split(r"[ .\-_*]{2,3}", value)
    plain = " ".join(re.sub(r"[ .\-_*]", "", word) for word in words)
    return plain if len(plain) >= 8 else None


_WAYS = (
    ("base64", _BASE64, _base64),
    ("binary", _BINARY, _binary),
    ("hex", _HEX, _hex),
    ("decimal", _DECIMAL, _decimal),
    ("escapes", _ESCAPES, _escapes),
    ("percent", _PERCENT, _percent),
    ("morse", _MORSE, _morse),
    ("spaced", _SPACED, _spaced),
)
