"""The classifier: heads that sum weights of what stands in a text, and one scale for all of them.

A head's score is a sum over slots (`tokens.py`) and patterns (`concepts.py`). What it says is how
rare that score is among honest texts: -log10 of the share of them that scores as high, from the
tail of texts the head had not learned from. The text's own rarity is that of its rarest head.
"""

import json
import math
import struct
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from pointsman.policy.detectors.injection import features, tokens
from pointsman.policy.detectors.injection.surprisal import CLASSES

PATTERN_WEIGHT = 0.3
TAIL_SHARE = 0.08  # of honest texts that make the tail
_MAGIC = b"pointsman-injection-1\n"
_CENTRE = 128
_NOTHING = -99.0  # the score of what is not there
_NEXT = 0.3  # of a further concept: of 0.3 to 1 the best on sources left out


@dataclass(frozen=True, slots=True)
class Tail:
    """How scores fall off among honest texts: P(Z > z) = share * exp(-(z - start) / fall)."""

    start: float
    fall: float
    share: float
    offset: float  # taken from its rarity: heads that are wrong more often must be rarer

    def rarity(self, score: float) -> float:
        """-log10 of the share of honest texts that score as high; 0 where most do."""
        if score <= self.start:
            return 0.0
        return (
            (score - self.start) / self.fall / math.log(10) - math.log10(self.share) - self.offset
        )


@dataclass(frozen=True, slots=True)
class Head:
    """Weights as bytes around 128, in steps of `step`; the tail of its scores on honest texts."""

    name: str
    words: bytes
    signs: bytes
    patterns: tuple[float, ...]
    step: float
    bias: float

    def score(self, by_word: Collection[int], by_sign: Collection[int]) -> float:
        """The head's score of a stretch, without patterns."""
        total = tokens.WORD_WEIGHT * (
            sum(map(self.words.__getitem__, by_word)) - _CENTRE * len(by_word)
        )
        total += sum(map(self.signs.__getitem__, by_sign)) - _CENTRE * len(by_sign)
        return total * self.step / math.sqrt(len(by_sign) + tokens.PRIOR) + self.bias


@dataclass(frozen=True, slots=True)
class Model:
    """All heads, the tails of all that is scored, and the rarity from which a text is flagged."""

    heads: Mapping[str, Head]
    tails: Mapping[str, Tail]  # also of `noise` and `signs`, which have no slots
    noise: tuple[float, ...]  # a weight for each of features.NOISE, then the bias
    signs: tuple[float, ...]  # a weight for each pattern
    surprise: bytes
    flagged: float
    digest: str


def packed(model: Model) -> bytes:
    """The model as one file: a line of JSON, then tables, compressed, with their digest before."""
    header = {
        "heads": [[h.name, h.patterns, h.step, h.bias] for h in model.heads.values()],
        "tails": {n: [t.start, t.fall, t.share, t.offset] for n, t in model.tails.items()},
        "noise": model.noise,
        "signs": model.signs,
        "flagged": model.flagged,
    }
    tables = b"".join(head.words + head.signs for head in model.heads.values()) + model.surprise
    text = json.dumps(header, separators=(",", ":")).encode()
    body = struct.pack("<I", len(text)) + text + zlib.compress(tables, 9)
    return _MAGIC + sha256(body).digest() + body


def unpacked(data: bytes) -> Model:
    """The model from its file. Raises: ValueError where it is another kind of file, or damaged."""
    if not data.startswith(_MAGIC):
        raise ValueError("this is no file of injection weights")
    digest, body = data[len(_MAGIC) : len(_MAGIC) + 32], data[len(_MAGIC) + 32 :]
    if sha256(body).digest() != digest:
        raise ValueError("the injection weights are damaged: their digest is another")
    (length,) = struct.unpack_from("<I", body)
    header = json.loads(body[4 : 4 + length])
    tables = zlib.decompress(body[4 + length :])
    words, signs = 1 << tokens.WORD_BITS, 1 << tokens.SIGN_BITS
    known = {0, features.WEIGHED}
    if (
        len(tables) != len(header["heads"]) * (words + signs) + CLASSES**3
        or len(header["signs"]) != features.PATTERNS
        or any(len(row[1]) not in known for row in header["heads"])
    ):
        raise ValueError("the injection weights are for another version of the classifier")
    heads = {}
    for place, (name, patterns, step, bias) in enumerate(header["heads"]):
        at = place * (words + signs)
        heads[name] = Head(name, tables[at : at + words], tables[at + words : at + words + signs],
                           tuple(patterns), step, bias)  # fmt: skip
    return Model(
        heads,
        {name: Tail(*row) for name, row in header["tails"].items()},
        tuple(header["noise"]), tuple(header["signs"]),
        tables[len(heads) * (words + signs) :], header["flagged"], digest.hex()[:12],
    )  # fmt: skip


def signs_score(found: Sequence[float], weights: Sequence[float]) -> float:
    """The strongest pattern of each concept in the text: the strongest whole, each next a part.

    A long honest text shows many weak signs; an attack shows one that honest texts do not have.
    """
    strongest = sorted(
        (
            max((weights[p] for p in places if found[p]), default=0.0)
            for places in features.BY_CONCEPT
        ),
        reverse=True,
    )
    return sum(weight * _NEXT**place for place, weight in enumerate(strongest[:4]))


def rarities(model: Model, reading: features.Reading) -> dict[str, float]:
    """How rare the text's score on each head is among honest ones; nothing below 0."""
    found = features.concepts(reading)
    numbers = features.noise(reading, model.surprise)
    scores = {
        "signs": signs_score(found, model.signs),
        "noise": sum(a * b for a, b in zip(numbers, model.noise, strict=False)) + model.noise[-1],
    }
    beside = {
        name: sum(a * b for a, b in zip(found, head.patterns, strict=False) if a)
        for name, head in model.heads.items()
    }
    for variant in reading.variants:
        spread = tokens.Spread(tokens.words(variant)[: tokens.MOST_WORDS] or ["0"])
        by_word, by_sign = spread.whole()
        for name, head in model.heads.items():
            if head.patterns:
                score = head.score(by_word, by_sign) + beside[name]
                scores[name] = max(scores.get(name, score), score)
        scores["stretch"] = max(scores.get("stretch", _NOTHING), strongest(model, spread)[0])
    return {name: max(0.0, model.tails[name].rarity(score)) for name, score in scores.items()}


def strongest(model: Model, spread: tokens.Spread) -> tuple[float, int]:
    """The best score of a stretch of a longer text, and the word it begins at."""
    head, best, at = model.heads["stretch"], _NOTHING, 0
    for start, end in spread.stretches():
        score = head.score(*spread.gathered(start, end))
        if score > best:
            best, at = score, start
    return best, at
