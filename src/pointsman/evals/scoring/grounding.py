"""Answers that name documents: the ids they rank, and whether what they cite is there."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from pointsman.evals.case import ScorerSpec
from pointsman.evals.scoring.scorer import Looking, Options, Said, Scorer, Seen, answer_of, wanted
from pointsman.verifiers.answer import Found, Unjudged
from pointsman.verifiers.plain import compile_pattern

MAX_IDS = 10_000
_BRACKETED = r"\[([^\[\]\s]{1,128})\]"
_SENTENCE = re.compile(
    r"[^.!?\n]*[^.!?\n\s][^.!?\n]*(?:[.!?]+(?=\s|\[|$)|\n|$)(?:\s*\[[^\[\]]*\])*"
)
_QUOTED = re.compile(r"[\"“”«]([^\"“”«»]{12,2000})[\"“”»]")


class RetrievalOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ids in the answer, in their order, held against those expected."""

    measure: Literal["recall", "precision", "ndcg", "mrr"] = "recall"
    k: Annotated[int, Meta(ge=1, le=MAX_IDS)] = 10
    pattern: str = _BRACKETED
    read: Literal["text", "json"] = "text"


def retrieval(spec: ScorerSpec, options: RetrievalOptions) -> Scorer:
    """The measure over the first k ids of the answer, in [0, 1].

    Expected: a list of ids, or a mapping of id to grade (a gain of 2^grade - 1 for nDCG, as in
    Burges et al. (2005)). An id that the answer repeats counts once, where it stands first.
    """
    pattern = compile_pattern(options.pattern)

    def look(said: Said, expected: Any) -> Seen:
        grades = _grades(wanted(expected))
        ids = _listed(answer_of(said).json()) if options.read == "json" else _ids(pattern, said)
        first = list(dict.fromkeys(ids))[: options.k]
        return Seen(_measure(options.measure, first, grades, options.k), f"{len(first)} ids")

    return Looking(spec, look)


def _measure(measure: str, ids: list[str], grades: Mapping[str, float], k: int) -> float:
    hits = [identity for identity in ids if grades.get(identity, 0) > 0]
    relevant = sum(grade > 0 for grade in grades.values())
    if measure == "recall":
        return len(hits) / min(relevant, k)
    if measure == "precision":
        return len(hits) / len(ids) if ids else 0.0
    if measure == "mrr":
        return 1.0 / (ids.index(hits[0]) + 1) if hits else 0.0
    best = sorted((2**grade - 1 for grade in grades.values()), reverse=True)[:k]
    gained = [2 ** grades.get(identity, 0) - 1 for identity in ids]
    return _discounted(gained) / _discounted(best)


def _discounted(gains: list[float]) -> float:
    return math.fsum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains))


def _grades(expected: Any) -> dict[str, float]:
    if isinstance(expected, Mapping):
        grades = {
            str(identity): float(grade)
            for identity, grade in expected.items()
            if isinstance(grade, int | float) and 0 <= grade <= 30
        }
        if len(grades) < len(expected):
            raise Unjudged("a grade is a number from 0 to 30")
    elif isinstance(expected, list):
        grades = {str(identity): 1.0 for identity in expected}
    else:
        raise Unjudged("what is expected is no list of ids")
    if not any(grade > 0 for grade in grades.values()):
        raise Unjudged("no id is expected")
    return grades


def _listed(found: Any) -> list[str]:
    if not isinstance(found, list) or len(found) > MAX_IDS:
        raise Found("the answer is no JSON list of ids")
    return [str(each) for each in found if isinstance(each, str | int)]


def _ids(pattern: Any, said: Said) -> list[str]:
    found = []
    for match in pattern.finditer(said.text):
        found.append(match.group(1) if pattern.groups else match.group(0))
        if len(found) > MAX_IDS:
            raise Unjudged(f"more than {MAX_IDS} ids")
    return found


class CitationOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer cites, and only what there is: `expected` lists the sources."""

    pattern: str = _BRACKETED
    every_sentence: bool = False
    quotes: bool = False
    at_least: Annotated[int, Meta(ge=0)] = 1


def citation(spec: ScorerSpec, options: CitationOptions) -> Scorer:
    """The share of what is cited (or of sentences, or of quotes) that holds.

    Expected: a list of ids that may be cited, or a mapping of id to text. `every_sentence` counts
    sentences with a citation of a source that exists; `quotes` also wants each quoted passage of
    12 characters or more word for word in some source.
    """
    pattern = compile_pattern(options.pattern)

    def look(said: Said, expected: Any) -> Seen:
        sources = _sources(wanted(expected))
        cited = _ids(pattern, said)
        unknown = [each for each in cited if each not in sources]
        if len(cited) < options.at_least:
            raise Found(f"{len(cited)} citations, {options.at_least} wanted")
        right, total = len(cited) - len(unknown), len(cited)
        if options.every_sentence:
            sentences = [each.group() for each in _SENTENCE.finditer(said.text)]
            backed = [each for each in sentences if _backed(pattern, each, sources)]
            right, total = right + len(backed), total + len(sentences)
        if options.quotes:
            texts = [" ".join(text.split()) for text in sources.values()]
            quotes = [" ".join(each.split()) for each in _QUOTED.findall(said.text)]
            found = [each for each in quotes if any(each in text for text in texts)]
            right, total = right + len(found), total + len(quotes)
        value = right / total if total else 1.0
        return Seen(value, f"{right} of {total} hold" + _named(unknown))

    return Looking(spec, look)


def _sources(expected: Any) -> dict[str, str]:
    if isinstance(expected, Mapping):
        return {str(key): value for key, value in expected.items() if isinstance(value, str)}
    if isinstance(expected, list):
        return {str(each): "" for each in expected}
    raise Unjudged("what is expected is no list of sources")


def _backed(pattern: Any, sentence: str, sources: Mapping[str, str]) -> bool:
    groups = pattern.groups
    return any(
        (match.group(1) if groups else match.group(0)) in sources
        for match in pattern.finditer(sentence)
    )


def _named(unknown: list[str]) -> str:
    return f"; no such source: {', '.join(each[:32] for each in unknown[:4])}" if unknown else ""
