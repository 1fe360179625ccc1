"""Words of a text and the n-grams of them that the classifier has weights for."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, pairwise
from zlib import crc32

# Scripts written without spaces count a character a word.
_DENSE = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_DENSE}]|[^\W\d_{_DENSE}]+|\d+|[^\w\s]")
WORD_BITS, SIGN_BITS = 17, 17
_WORD_MASK, _SIGN_MASK = (1 << WORD_BITS) - 1, (1 << SIGN_BITS) - 1
STRETCH = 32  # words judged by themselves in a longer text
PRIOR = 16.0  # slots added before a sum is divided by the root of their number
WORD_WEIGHT = 0.15  # of a word or pair, beside a sign within a word: words generalise less
_LONGEST = 24
MOST_WORDS = 20_000  # a text is judged up to here; beyond it is `unjudged`


def extent(text: str, first: int) -> tuple[int, int]:
    """Where the stretch that begins at a word stands in the text, in characters."""
    places = [match.span() for match in _WORD.finditer(text)][first : first + STRETCH]
    return (places[0][0], places[-1][1]) if places else (0, len(text))


def is_dense(word: str) -> bool:
    """A character of a script that is written without spaces."""
    return len(word) == 1 and word > "\u0dff"


def words(text: str) -> list[str]:
    """Lower-case words, digits as one `0`, signs of punctuation one by one."""
    return ["0" if w[0].isdigit() else w[:_LONGEST] for w in _WORD.findall(text)]


@lru_cache(maxsize=1 << 16)  # a memo of a pure function; words repeat
def word_slots(word: str) -> tuple[int, tuple[int, ...]]:
    """Slots of what a word brings by itself: of the word, and of the signs within it."""
    low = crc32(word.encode()) & _WORD_MASK
    framed = f"<{word}>"
    if len(word) < 3:
        return low, (crc32(framed.encode()) & _SIGN_MASK,)
    grams = {framed[i : i + n] for n in (3, 4, 5) for i in range(len(framed) - n + 1)}
    return low, tuple({crc32(g.encode()) & _SIGN_MASK for g in grams})


def pair_slot(left: str, right: str) -> int:
    """Slot of two words that follow each other."""
    return crc32(f"{left} {right}".encode()) & _WORD_MASK


def dense_slot(left: str, right: str) -> int:
    """Slot, among signs, of two characters of a script without spaces."""
    return crc32(f"{left}{right}".encode()) & _SIGN_MASK


def skip_slot(left: str, right: str) -> int:
    """Slot of two words with one between them."""
    return crc32(f"{left} _ {right}".encode()) & _WORD_MASK


class Spread:
    """The words of a text with their slots, each computed once; any stretch is gathered from it."""

    def __init__(self, text_words: Sequence[str]) -> None:
        self.words = text_words
        pairs = list(pairwise(text_words))
        own = [word_slots(word) for word in text_words]
        self._word = [word for word, _ in own]
        self._signs = [signs for _, signs in own]
        self._pair = [pair_slot(left, right) for left, right in pairs]
        self._skip = [skip_slot(a, b) for a, b in zip(text_words, text_words[2:], strict=False)]
        self._dense = [
            dense_slot(left, right) if is_dense(left) and is_dense(right) else -1
            for left, right in pairs
        ]

    def gathered(self, start: int, end: int) -> tuple[set[int], set[int]]:
        """Slots of the words from start to end: of words and pairs, and of signs within words.

        Each once, so that what is repeated weighs no more than what is said.
        """
        by_word = set(self._word[start:end])
        by_word.update(self._pair[start : end - 1])
        by_word.update(self._skip[start : end - 2])
        by_sign = set(chain.from_iterable(self._signs[start:end]))
        by_sign.update(self._dense[start : end - 1])
        by_sign.discard(-1)
        return by_word, by_sign

    def whole(self) -> tuple[set[int], set[int]]:
        """Slots of the whole text."""
        return self.gathered(0, len(self.words))

    def stretches(self) -> list[tuple[int, int]]:
        """Stretches of STRETCH words, each half over the last; none for a text of one stretch."""
        n, step = len(self.words), STRETCH // 2
        if n <= STRETCH * 3 // 2:
            return []
        return [(start, min(n, start + STRETCH)) for start in range(0, n - step, step)]
