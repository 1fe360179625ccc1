"""A text as the classifier reads it: hidden characters out, look-alikes folded, lower case."""

import re
import unicodedata
from dataclasses import dataclass

# Letters of other scripts that are drawn as Latin ones; folded only in words that mix scripts.
_LOOK_ALIKE = str.maketrans(
    "аеорсухіјѕһԁԛԝьвкмнтАВЕКМНОРСТХУІЈЅαβεικνορτυχωΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijshdqwbbkmhtABEKMHOPCTXYIJSabeiknoptuxwABEZHIKMNOPTYX",
)
_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0100-\U000e01ef]"
)
_TAGS = re.compile("[\U000e0000-\U000e007f]+")
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u20d0-\u20ff]")
_MIXED = re.compile(r"[^\W\d_]*(?:[A-Za-z][\u0370-\u052f]|[\u0370-\u052f][A-Za-z])[^\W\d_]*")
_SPACES = re.compile(r"[ \t\u00a0]{2,}")


@dataclass(frozen=True, slots=True)
class Normal:
    """The folded text and what had to be taken out of it or undone."""

    text: str
    hidden: int = 0  # zero-width and direction characters
    tagged: str = ""  # what was written in tag characters (U+E0000 and on), decoded
    mixed: int = 0  # words that mixed scripts
    marks: int = 0  # combining marks beyond what languages stack


def normal(text: str) -> Normal:
    """Compatibility forms composed, hidden characters removed, look-alikes folded, lower case."""
    if text.isascii():
        return Normal(_SPACES.sub(" ", text).lower())
    tagged = "".join(
        chr(ord(c) - 0xE0000)
        for run in _TAGS.findall(text)
        for c in run
        if 0xE0020 <= ord(c) < 0xE007F
    )
    text = _TAGS.sub("", text)
    text, hidden = _HIDDEN.subn("", text)
    text = unicodedata.normalize("NFKC", text)
    marks = len(_MARKS.findall(text))
    if marks:
        text = _MARKS.sub("", text)
    mixed = 0
    if _MIXED.search(text):
        text, mixed = _MIXED.subn(lambda m: m.group().translate(_LOOK_ALIKE), text)
    return Normal(_SPACES.sub(" ", text).lower(), hidden, tagged, mixed, marks)
