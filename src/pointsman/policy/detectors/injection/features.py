"""A text read once: its variants, the signs in it, and the numbers the last stage weighs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman.policy.detectors.injection import signs
from pointsman.policy.detectors.injection.concepts import CONCEPTS
from pointsman.policy.detectors.injection.normalising import Normal, normal
from pointsman.policy.detectors.injection.payloads import Payload, payloads
from pointsman.policy.detectors.injection.surprisal import surprise

_HOW = ("base64", "binary", "hex", "decimal", "escapes", "percent", "morse", "spaced", "rot13",
        "reversed", "leet")  # fmt: skip
_SHAPE = tuple(sorted(signs.shape("x", Normal("x"))))
_CONCEPT_OF = tuple(name for name, _ in signs.patterns())
_MOST_VARIANTS = 6
_MOST_SURPRISED = 20_000  # characters
NAMES: tuple[str, ...] = (
    *(f"pattern:{name}:{i}" for i, name in enumerate(_CONCEPT_OF)),
    *(f"concept:{name}" for name in CONCEPTS),
    "concepts",
    *(f"shape:{name}" for name in _SHAPE),
    *(f"payload:{how}" for how in _HOW),
    "payload",
    "surprise:whole", "surprise:worst", "surprise:last", "surprise:gap",
)  # fmt: skip
NOISE = ("surprise:worst", "surprise:last", "surprise:whole", "surprise:gap", "shape:glued",
         "shape:braces", "shape:caps", "shape:not_latin")  # fmt: skip
PATTERNS = len(_CONCEPT_OF)
# Places of each concept's patterns.
CONCEPT_PLACES = tuple(
    tuple(place for place, other in enumerate(_CONCEPT_OF) if other == name) for name in CONCEPTS
)
# The same; what is only a topic is left to the head of harm.
BY_CONCEPT = tuple(
    tuple(place for place, other in enumerate(_CONCEPT_OF) if other == name)
    for name in CONCEPTS
    if not name.startswith("harm")
)
WEIGHED = len(_CONCEPT_OF) + len(CONCEPTS) + 1  # of these, a head weighs the first so many


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as judged: the normalised text first, then what was undone in it."""

    raw: str
    text: Normal
    variants: tuple[str, ...]
    payloads: tuple[Payload, ...]
    present: frozenset[int]  # patterns found in any variant


def read(raw: str) -> Reading:
    """The text, and everything encoded in it, each normalised."""
    text = normal(raw)
    undone = payloads(raw)
    plain = [normal(payload.plain).text for payload in undone]
    if len(text.tagged) >= 4:
        plain.append(text.tagged.lower())
    variants = (text.text, *plain[: _MOST_VARIANTS - 1])
    present = frozenset(place for variant in variants for place in signs.present(variant))
    return Reading(raw, text, variants, tuple(undone), present)


def dense(reading: Reading, table: Sequence[int] | None = None) -> list[float]:
    """The numbers of `NAMES`, in their order; without a table of surprise, surprise is 0."""
    shape = signs.shape(reading.raw, reading.text)
    ways = {payload.how for payload in reading.payloads}
    return [
        *concepts(reading),
        *(shape[name] for name in _SHAPE),
        *(float(how in ways) for how in _HOW),
        float(bool(ways)),
        *surprises(reading, table),
    ]


def concepts(reading: Reading) -> list[float]:
    """Which patterns stand in the text, how many of each concept, and of how many concepts."""
    found = [0.0] * len(_CONCEPT_OF)
    counts = dict.fromkeys(CONCEPTS, 0)
    for place in reading.present:
        found[place] = 1.0
        counts[_CONCEPT_OF[place]] += 1
    return [
        *found,
        *(math.log2(1 + counts[name]) for name in CONCEPTS),
        math.log2(1 + sum(count > 0 for count in counts.values())),
    ]


def surprises(reading: Reading, table: Sequence[int] | None) -> tuple[float, float, float, float]:
    """Bits a character: whole, worst stretch, last stretch, and how far the worst stands out."""
    if table is None:
        return 0.0, 0.0, 0.0, 0.0
    whole, worst, last = surprise(table, reading.text.text[:_MOST_SURPRISED])
    return whole, worst, last, worst - whole


def noise(reading: Reading, table: Sequence[int]) -> list[float]:
    """The numbers that tell searched-for noise from text, in the order of NOISE."""
    shape = signs.loud(reading.raw)
    whole, worst, last, gap = surprises(reading, table)
    found = {
        "surprise:whole": whole,
        "surprise:worst": worst,
        "surprise:last": last,
        "surprise:gap": gap,
    }
    return [found[name] if name in found else shape[name.removeprefix("shape:")] for name in NOISE]
