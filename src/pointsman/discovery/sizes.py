"""How large a model is, as far as its name tells: `qwen3-0.6b`, `30b-a3b`, `mixtral-8x7b`."""

import re
from typing import NamedTuple

_NUMBER = r"(\d{1,4}(?:\.\d{1,3})?)"
_EXPERTS = re.compile(rf"(?<![a-z0-9.])(\d{{1,3}})x{_NUMBER}b(?![a-z0-9])")
_MIXTURE = re.compile(rf"(?<![a-z0-9.]){_NUMBER}b[-_.]?a{_NUMBER}b(?![a-z0-9])")
_DENSE = re.compile(rf"(?<![a-z0-9.])e?{_NUMBER}([bmt])(?![a-z0-9])")
_BILLIONS = {"m": 0.001, "b": 1.0, "t": 1000.0}


class Size(NamedTuple):
    """Parameters in billions: all of them, and those that work on one token."""

    total_b: float
    active_b: float

    def __str__(self) -> str:
        if self.active_b < self.total_b:
            return f"{self.total_b:g}B, {self.active_b:g}B active"
        return f"{self.total_b:g}B" if self.total_b >= 1 else f"{self.total_b * 1000:g}M"


def size_of(name: str) -> Size | None:
    """The size that a model's name tells, or None.

    Of a mixture written `8x7b` only the sum is told; its experts share parts, so it is a bound.
    """
    text = name.lower()
    if found := _MIXTURE.search(text):
        return Size(float(found[1]), float(found[2]))
    if found := _EXPERTS.search(text):
        total = int(found[1]) * float(found[2])
        return Size(total, total)
    if found := _DENSE.search(text):
        total = float(found[1]) * _BILLIONS[found[2]]
        return Size(total, total) if total else None
    return None
