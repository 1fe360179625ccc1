"""What a drafter makes, the courtesies around it, and the law that splits texts in two sides."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

OPENERS = (
    "Hi, please look at this:\n",
    "Hello, could you check this:\n",
    "Good morning, please read:\n",
    "Dear team, please see:\n",
)
CLOSERS = ("\nThanks!", "\nThank you very much.", "\nCould you tell me?", "\nKind regards")

# One text in eight is for evaluation, whatever seed drew it.
HELD_OUT_FIRST_BYTES = frozenset(range(0, 256, 8))


@dataclass(frozen=True)
class Draft:
    """One text with its strict answer and the looser answer of a model that was not told a form."""

    body: str
    reference: str
    loose: str
    hard: bool


def courteous(rng: random.Random, body: str) -> str:
    """The body with a polite opener or closer around it."""
    if rng.random() < 0.5:
        return rng.choice(OPENERS) + body
    return body + rng.choice(CLOSERS)


def plain_body(user: str) -> str:
    """The text without its courtesies, so that both forms fall on the same side."""
    for opener in OPENERS:
        user = user.removeprefix(opener)
    for closer in CLOSERS:
        user = user.removesuffix(closer)
    return user


def held_out(user: str) -> bool:
    """Whether a text is for evaluation only, decided by the first byte of its SHA-256."""
    return hashlib.sha256(plain_body(user).encode()).digest()[0] in HELD_OUT_FIRST_BYTES
