"""The vocabulary of the embedded models, and a tokenizer equal to the engine's.

Control tokens, JSON fragments, frequent whole words, then one token per byte: names and numbers
are spelled byte by byte, so that copying is easy, and prompts stay short.
"""

from __future__ import annotations

import collections
import random
import re

from pointsman.embedded.cases import (
    FORMATS,
    INSTRUCTIONS,
    TASKS,
    courteous,
    training_drafts,
)

PAD, END, SYSTEM, USER, ASSISTANT = range(5)
CONTROLS = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
FRAGMENTS = (
    '{"customer":"',
    '","order":"',
    '","issue":"',
    '","priority":"',
    '{"service":"',
    '","line":"',
    '"}',
    *(f"L{digit}" for digit in range(1, 10)),
)
_WORDS = 384
_ROW = 64  # the size is padded to a multiple of this


def byte_symbols() -> list[str]:
    """GPT-2's printable symbol for each of the 256 bytes."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols, spare = {}, 256
    for byte in range(256):
        if byte in kept:
            symbols[byte] = chr(byte)
        else:
            symbols[byte], spare = chr(spare), spare + 1
    return [symbols[byte] for byte in range(256)]


def frequent_words() -> list[str]:
    """Whole words, most with their leading space, that the training texts repeat."""
    rng = random.Random("pointsman-vocabulary")
    found: collections.Counter[str] = collections.Counter()
    for task in TASKS:
        for hard in (False, True):
            drafts = training_drafts(rng, task, hard=hard)
            for _ in range(1500):
                draft = next(drafts)
                for text in (courteous(rng, draft.body), draft.reference, draft.loose):
                    found.update(re.findall(r" ?[A-Za-z_]{3,}", text))
        for text in (*INSTRUCTIONS[task], *FORMATS[task]):
            found.update({word: 1000 for word in re.findall(r" ?[A-Za-z_]{3,}", text)})
    common = [word for word, count in found.most_common() if count >= 30 and len(word) >= 4]
    return sorted(common[:_WORDS])


class Vocabulary:
    """Token ids, fixed by the order: controls, fragments, words, bytes, padding."""

    def __init__(self) -> None:
        self.fixed = [*FRAGMENTS, *(w for w in frequent_words() if w not in FRAGMENTS)]
        self.first_byte = len(CONTROLS) + len(self.fixed)
        used = self.first_byte + 256
        self.size = -(-used // _ROW) * _ROW
        self.unused = self.size - used
        # The engine splits on the longest fixed string first, over the whole text.
        self._by_length = sorted(
            ((text, len(CONTROLS) + place) for place, text in enumerate(self.fixed)),
            key=lambda pair: -len(pair[0].encode()),
        )

    def encode(self, text: str) -> list[int]:
        parts: list[str | int] = [text]
        for fixed, token in self._by_length:
            if fixed in text:
                parts = [piece for part in parts for piece in _split(part, fixed, token)]
        ids: list[int] = []
        for part in parts:
            ids += [part] if isinstance(part, int) else [self.first_byte + b for b in part.encode()]
        return ids

    def prompt(self, system: str, user: str) -> list[int]:
        """The chat template: role, content, end for each message, then the assistant's turn."""
        return [SYSTEM, *self.encode(system), END, USER, *self.encode(user), END, ASSISTANT]


def _split(part: str | int, fixed: str, token: int) -> list[str | int]:
    if isinstance(part, int) or fixed not in part:
        return [part]
    pieces: list[str | int] = []
    for piece in part.split(fixed):
        pieces += [piece, token] if piece else [token]
    return pieces[:-1]
