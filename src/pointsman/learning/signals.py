"""What a reply says of itself once it was paid for: readable, how long, hedging, repeating; and
which replies say the same. Pure; nothing here knows a score."""

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pointsman.learning.outcomes import Outcomes

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
UNREADABLE: Final = -1
SIGNS: Final = ("unreadable", "length", "longer", "hedging", "repeating", "cut")

_SURROUND = re.compile(r"\\boxed|\\text|\\mathrm|\\left|\\right|[\s$,`\"'{}]+")
_HEDGES = re.compile(
    r"\b(?:wait|however|actually|maybe|perhaps|possibly|probably|approximately|assum\w+|unclear"
    r"|not sure|cannot|can't|unable|mistake|error|incorrect|re-?check|alternatively|seems?)\b",
    re.IGNORECASE,
)
_FINISHED = tuple(".!?)]}`>\"'")
_READ = 8_000  # characters of a reply that are looked at, from its end


@dataclass(frozen=True, slots=True)
class Replies:
    """What is read in the replies of one model to n prompts.

    `said[n]` is equal for equal answers and `UNREADABLE` where there is none; `log_tokens[n]` the
    logarithm of the length, nan where unknown; `read[n, 3]` hedging, repeating and cut.
    """

    said: NDArray[np.int64]
    log_tokens: Floats
    read: Floats
    cost_usd: Floats

    @classmethod
    def of(
        cls,
        answers: NDArray[np.object_],
        responses: NDArray[np.object_],
        output_tokens: Floats,
        cost_usd: Floats,
    ) -> "Replies":
        """Read the replies; an answer or a response may be None."""
        read = [_read(response) for response in responses]
        return cls(
            np.array([_code(answer) for answer in answers], dtype=np.int64),
            np.log(np.maximum(output_tokens, 0.0) + 5.0),
            np.array(read, dtype=float).reshape(len(read), 3),
            cost_usd,
        )

    def rows(self, at: Rows) -> "Replies":
        """Some of the prompts."""
        return Replies(self.said[at], self.log_tokens[at], self.read[at], self.cost_usd[at])


def replies_of(outcomes: Outcomes) -> dict[int, Replies]:
    """The replies of each model, by its position."""
    return {
        j: Replies.of(outcomes.answers[:, j], outcomes.responses[:, j],
                      outcomes.output_tokens[:, j], outcomes.cost_usd[:, j])
        for j in range(len(outcomes.models))
    }  # fmt: skip


def canonical(answer: str | None) -> str | None:
    """An answer in a form in which two that mean the same are most often equal; None: nothing.

    Case, spaces, thousands separators, quotes and LaTeX wrapping do not count; numbers compare
    by value.
    """
    if answer is None:
        return None
    bare = _SURROUND.sub("", answer).strip(".").lower()
    try:
        return repr(float(bare))
    except ValueError:
        return bare or None


def signs(replies: Replies, expected_tokens: Floats, usual: float) -> Floats:
    """The signals of each reply, [n, len(SIGNS)], each of order one; 0 where nothing is known.

    Args: expected_tokens is the length expected of each before the call; usual the mean of the
        model's `log_tokens` in training.
    """
    tokens = np.where(np.isnan(replies.log_tokens), usual, replies.log_tokens)
    longer = tokens - np.log(np.maximum(expected_tokens, 0.0) + 5.0)
    unreadable = (replies.said == UNREADABLE).astype(float)
    return np.column_stack(
        [unreadable, np.clip(tokens - usual, -3, 3), np.clip(longer, -3, 3), replies.read]
    )


def alike(one: Replies, other: Replies) -> Floats:
    """1 where both say the same and can be read, else 0."""
    same: Floats = ((one.said == other.said) & (one.said != UNREADABLE)).astype(np.float64)
    return same


def _code(answer: Any) -> int:
    bare = canonical(answer) if isinstance(answer, str) else None
    if bare is None:
        return UNREADABLE
    return int.from_bytes(blake2b(bare.encode(), digest_size=8).digest()) >> 2


def _read(response: Any) -> tuple[float, float, float]:
    if not isinstance(response, str) or not response.strip():
        return 0.0, 0.0, 0.0
    text = response[-_READ:]
    hedges = len(_HEDGES.findall(text))
    lines = [line.strip() for line in text.splitlines() if len(line.strip()) > 10]
    repeated = 1.0 - len(set(lines)) / len(lines) if lines else 0.0
    cut = not text.rstrip().endswith(_FINISHED)
    return float(np.log1p(hedges)), repeated, float(cut)
