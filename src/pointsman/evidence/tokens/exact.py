"""Tokens counted by a model's own tokenizer, where its vocabulary is at hand."""

import base64
import re
import unicodedata
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from pointsman.domain.errors import ExtraMissing, UsageError

# Qwen to Qwen3, text or sight; Qwen3.5 and later have another vocabulary
_QWEN = re.compile(r"qwen(?!-?3[._][5-9]|-?[4-9])|qwq|qvq", re.I)
_QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN_RANKS = 151_643
_MOST_VOCABULARY = 64 << 20  # bytes
_PIECE = 200_000  # characters that are cut together


class Counter(Protocol):
    """Counts the tokens of a text."""

    def tokens(self, text: str) -> int:
        """Tokens, without any template; special tokens in the text are plain text."""
        ...


class _Counting:
    def __init__(self, count: Callable[[str], int]) -> None:
        self._count = count

    def tokens(self, text: str) -> int:
        return sum(self._count(piece) for piece in pieces(text))


def qwen_vocabulary() -> Path | None:
    """Qwen's vocabulary as the package `dashscope` ships it; None where that is not installed."""
    spec = find_spec("dashscope")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / "resources" / "qwen.tiktoken"
        if path.is_file():
            return path
    return None


def exact_for(model: str) -> Counter | None:
    """The counter of a model by its name, where its vocabulary is installed; else None."""
    path = qwen_vocabulary() if _QWEN.search(model) else None
    return qwen_counter(path) if path is not None else None


def qwen_counter(path: Path) -> Counter:
    """Counts by a vocabulary of Qwen's kind, `qwen.tiktoken`.

    Raises: UsageError where the file is none; ExtraMissing without tiktoken.
    """
    try:
        import tiktoken
    except ImportError as error:
        raise _missing(error) from error
    ranks: dict[bytes, int] = {}
    for line in _read(path).splitlines():
        token, _, rank = line.partition(b" ")
        try:
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except ValueError as error:
            raise UsageError(
                f"{path} is no vocabulary of tiktoken's kind", why=str(error)
            ) from error
    if len(ranks) != _QWEN_RANKS:
        raise UsageError(f"{path} is not Qwen's vocabulary",
                         why=f"it has {len(ranks)} tokens, Qwen's {_QWEN_RANKS}")  # fmt: skip
    encoding = tiktoken.Encoding("qwen", pat_str=_QWEN_SPLIT, mergeable_ranks=ranks,
                                 special_tokens={})  # fmt: skip
    return _Counting(lambda text: len(encoding.encode_ordinary(unicodedata.normalize("NFC", text))))


def tokenizer_counter(path: Path) -> Counter:
    """Counts by a model's `tokenizer.json`. Raises: UsageError; ExtraMissing without tokenizers."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise _missing(error) from error
    try:
        tokenizer = Tokenizer.from_str(_read(path).decode("utf-8"))
    except Exception as error:  # tokenizers raises Exception itself
        raise UsageError(f"{path} is no tokenizer.json", why=str(error)[:200]) from error
    return _Counting(lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids))


def pieces(text: str) -> Iterator[str]:
    """A text in pieces that no token goes over: each ends with a line, the next begins with a sign.

    A text without such a place is one piece, however long.
    """
    at = 0
    while len(text) - at > _PIECE:
        found = _LINE_END.search(text, at + _PIECE)
        if found is None:
            break
        yield text[at : found.end()]
        at = found.end()
    yield text[at:]


_LINE_END = re.compile(r"\n(?=\S)")


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_VOCABULARY:
            raise UsageError(f"{path} is too large for a vocabulary")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=str(error)) from error


def _missing(error: ImportError) -> ExtraMissing:
    return ExtraMissing("counting exactly needs a tokenizer's library", why=str(error),
                        next='pip install "pointsman[tokens]"')  # fmt: skip
