"""What a prompt says of itself before any model saw it: hashed words, shape, markers. Pure."""

import math
import re
from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

BUCKETS = 1 << 16  # of hashed words and pairs of neighbouring words
MOST_CHARS = 12_000  # of one prompt: its start and its end; the rest says little and costs time
_MASK = 0x7FFFFFFF
_REMEMBERED = 100_000  # words whose hash is kept; there are no more than different words
_WORD = re.compile(r"[A-Za-z_]+|[0-9]+|[^\sA-Za-z_0-9]")
_QUOTED = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"")
_UPPER = bytes(range(65, 91))
_PLAIN = bytes([*range(48, 58), *range(65, 91), *range(97, 123), *b" \n\t\r"])
_HASHES: dict[str, int] = {}

# Words and signs of what is asked for, counted: code, mathematics, questions, layout.
MARKERS = (
    "for", "while", "if", "elif", "else", "return", "def", "lambda", "sort", "sorted", "join",
    "split", "replace", "find", "index", "count", "append", "pop", "insert", "remove", "items",
    "get", "keys", "update", "lower", "upper", "strip", "range", "enumerate", "zip", "len", "str",
    "int", "list", "dict", "set", "sum", "max", "min", "isalpha", "isdigit", "startswith",
    "format", "not", "in", "and", "or", "true", "false", "none", "break", "continue", "try",
    "class", "import", "select", "from", "where", "function", "sequence", "matrix", "vector",
    "integer", "prime", "base", "digit", "remainder", "probability", "triangle", "area",
    "polynomial", "root", "circle", "angle", "frac", "sqrt", "begin", "log", "sin", "cos",
    "compute", "how", "many", "which", "following", "except", "explain", "write", "example",
    "best", "step", "what", "why", "who", "when", "summarize", "translate", "story", "code",
    "python", "json", "table", "image", "#1", "#2", "#3", "#4", "?", "$", "\\", "(", "[", "{",
    "=", ".", ",", "^", "%", "*", "+", "-", "/", "|", "`", ":", ";", "<", ">", "!", "'", '"', "_",
)  # fmt: skip
SHAPE = (
    "log_chars", "log_words", "lines", "word_length", "number_length", "log_largest", "quoted",
    "quoted_longest", "quoted_chars", "indent_deepest", "indent_mean", "last_chars",
    "last_commas", "last_brackets", "last_parentheses", "last_digits", "upper", "signs",
    "distinct_words", "not_ascii", "blank_lines",
)  # fmt: skip


def shortened(prompt: str) -> str:
    """The prompt, or the start and the end of a long one."""
    if len(prompt) <= MOST_CHARS:
        return prompt
    return f"{prompt[: MOST_CHARS * 2 // 3]}\n{prompt[-MOST_CHARS // 3 :]}"


def read(text: str) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Buckets of all words and then of all pairs of neighbours, with repetition; and the dense
    features, `SHAPE` and then how often each of `MARKERS` stands there.

    A number is a word of its length in digits (#1, #2, ...), any other sign a word of its own.
    """
    words = _WORD.findall(text)
    found = [_HASHES.get(word) for word in words]
    if None in found:
        found = [_remembered(word) for word in words]
    one = np.array(found, dtype=np.int64)
    single = one & (BUCKETS - 1)
    pairs = (one[:-1] * 40_503 + one[1:] * 30_103 + 1) & (BUCKETS - 1)
    dense = np.empty(len(SHAPE) + len(MARKERS), dtype=np.float32)
    dense[: len(SHAPE)] = _shape(text, words)
    dense[len(SHAPE) :] = np.bincount(_MARKER_OF[single], minlength=len(MARKERS) + 1)[1:]
    return np.concatenate([single, pairs]).astype(np.uint16), dense


def _remembered(word: str) -> int:
    this = _HASHES.get(word)
    if this is None:
        this = _hash(word)
        if len(_HASHES) < _REMEMBERED:
            _HASHES[word] = this
    return this


def _hash(word: str) -> int:
    name = f"#{min(len(word), 20)}" if word.isdecimal() else word.lower()
    return crc32(name.encode(errors="replace")) & _MASK


def _shape(text: str, words: list[str]) -> list[float]:
    lines = text.split("\n")
    numbers = [word for word in words if word.isdecimal()]
    quoted = [len(a or b) for a, b in _QUOTED.findall(text)] if "'" in text or '"' in text else []
    indents = [len(line) - len(line.lstrip()) for line in lines if line and not line.isspace()]
    last = _last_telling(lines)
    data = text.encode(errors="replace")
    size = max(1, len(data))
    digits = sum(map(len, numbers))
    return [
        math.log1p(len(text)),
        math.log1p(len(words)),
        len(lines),
        len(text) / (len(words) + 1.0),
        digits / len(numbers) if numbers else 0.0,
        math.log1p(max([float(n[:12]) for n in numbers])) if numbers else 0.0,
        len(quoted),
        max(quoted, default=0),
        sum(quoted),
        max(indents, default=0),
        sum(indents) / len(indents) if indents else 0.0,
        len(last),
        last.count(","),
        last.count("["),
        last.count("("),
        sum(map(str.isdigit, last[-400:])),
        1.0 - len(data.translate(None, _UPPER)) / size,
        len(data.translate(None, _PLAIN)) / size,
        len(set(words)) / max(1, len(words)),
        (size - len(text)) / size,
        text.count("\n\n"),
    ]


def _last_telling(lines: Sequence[str]) -> str:
    """The last line that is more than a closing mark."""
    for line in reversed(lines):
        inner = line.strip()
        if inner and not (inner[0] in "[`<" and len(inner) < 12):
            return line
    return ""


def _marker_of() -> NDArray[np.int64]:
    """[BUCKETS] the marker that a word of this bucket is, from 1; 0: none."""
    found = np.zeros(BUCKETS, dtype=np.int64)
    for i, word in enumerate(MARKERS):
        known = crc32(word.encode()) & _MASK  # as `_hash` has it: #1 stands for any digit
        found[known & (BUCKETS - 1)] = i + 1
    return found


_MARKER_OF = _marker_of()
