"""How unlikely a text's characters are after each other: noise that was searched for stands out."""

from collections.abc import Sequence
from itertools import accumulate

_SIGNS = " abcdefghijklmnopqrstuvwxyz0.,;:!?'\"()[]{}<>/\\|-_=+*&%$#@^~`\n"
CLASSES = len(_SIGNS) + 3  # other letters, other scripts without spaces, anything else
_PLACE = {c: i for i, c in enumerate(_SIGNS)}
_OTHER_LETTER, _DENSE, _ANYTHING = range(len(_SIGNS), CLASSES)
SCALE = 16.0  # steps of a bit in the table
_WINDOW = 48


class _Classes(dict[int, int]):
    """Code points to classes, filled as characters are met: a memo of a pure function."""

    def __missing__(self, code: int) -> int:
        self[code] = found = _class(chr(code))
        return found


def _class(c: str) -> int:
    if c in _PLACE:
        return _PLACE[c]
    if c.isdigit():
        return _PLACE["0"]
    if c.isalpha():
        return _DENSE if c > "\u0e00" else _OTHER_LETTER
    return _ANYTHING


_CLASSES = _Classes()


def classes(text: str) -> bytes:
    """The class of every character of lower-case text, a byte each."""
    return text.translate(_CLASSES).encode("latin-1")


def surprise(table: Sequence[int], text: str) -> tuple[float, float, float]:
    """Bits a character: of the whole text, of its most surprising 48 characters, of its last 48.

    `table[(a * CLASSES + b) * CLASSES + c]` is the surprise of c after a and b, in 1/SCALE bits.
    """
    k = classes(text)
    if len(k) < 8:
        return 0.0, 0.0, 0.0
    n = CLASSES
    bits = [table[(a * n + b) * n + c] for a, b, c in zip(k, k[1:], k[2:], strict=False)]
    sums = [0, *accumulate(bits)]
    whole = sums[-1] / len(bits) / SCALE
    if len(bits) <= _WINDOW:
        return whole, whole, whole
    worst = max(map(int.__sub__, sums[_WINDOW:], sums)) / _WINDOW / SCALE
    last = (sums[-1] - sums[-1 - _WINDOW]) / _WINDOW / SCALE
    return whole, worst, last
