# ruff: noqa: E501 - a pattern or a row is one line
"""Numbers that describe a text as a whole, for the last stage of the classifier."""

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pointsman.policy.detectors.injection.concepts import CONCEPTS
from pointsman.policy.detectors.injection.normalising import Normal

_AT_ONCE = 3  # patterns a pass: more makes automata that never settle, fewer costs passes
_TURNS = re.compile(
    r"(?:^|\n)\s{0,3}(?:human|user|assistant|ai|q|a|system|bot|[a-z]{2,12}gpt|dan) ?:"
)
_IMPERATIVE = re.compile(
    r"(?:^|[.!?\n:|>•\-*)] {0,3})(?:please |now |then |also |next |kindly |just |you must |you should )?"
    r"(?:write|give|tell|explain|create|list|show|make|describe|generate|translate|summari[sz]e|provide|add|include|append"
    r"|send|ignore|forget|print|output|say|answer|respond|reply|repeat|find|analy[sz]e|calculate|convert|modify|insert"
    r"|integrate|use|do not|don't|act|pretend|recommend|suggest|promote|encourage|determine|identify|compare|what|who|how|why"
    r"|when|where|which|can you|could you|is there|are there)\b"
)
_DOCUMENT = re.compile(
    r"^\W{0,4}(?:subject|from|to|date|received|email_from|title|dear|hi|hello|abstract|article|context|document|passage|text|url|source|name|<html|<!doctype|<div|<p>|\{|\[)\b ?[:|,]?"
    r"|\|(?:content|email_from|received)|best regards|kind regards|sincerely|unsubscribe|all rights reserved|privacy policy"
)
_QUOTE = re.compile(r"[\"“'`«「](.{4,80}?)[\"”'`»」]")
_LINE_RULE = re.compile(r"(?:^|\n)\s{0,4}(?:\d{1,2}[.):-]|[-*•])\s")
_CAPS = re.compile(r"\b[A-Z]{3,}\b")
_GLUED = re.compile(r"[a-z][A-Z]|[A-Za-z][()\[\]{}\\|<>*\"+=]{1,3}[A-Za-z]|[^\w\s]{3,}")
_YOU = re.compile(
    r"\b(?:you|your|yourself|du|dein\w*|tu|vous|votre|usted|você|ты|вы|твой)\b|你|您|あなた|당신|너는|أنت|आप|तुम"
)
_SECOND_NAMES = re.compile(r"\b(?:user|chatgpt|assistant|ai|bot|gpt)\b")


@cache
def patterns() -> tuple[tuple[str, str], ...]:
    """(concept, pattern) of every sign, in the order of the features."""
    return tuple((name, pattern) for name, group in CONCEPTS.items() for pattern in group)


@cache
def _sets() -> tuple[Any, ...]:
    import re2

    out = []
    every = [pattern for _, pattern in patterns()]
    for start in range(0, len(every), _AT_ONCE):
        options = re2.Options()
        options.max_mem = 64 << 20
        options.log_errors = False
        group = re2.Set.SearchSet(options)
        for pattern in every[start : start + _AT_ONCE]:
            group.Add(pattern.encode())
        group.Compile()
        out.append(group)
    return tuple(out)


def present(text: str) -> list[int]:
    """Places in `patterns()` of the signs that stand in normalised text."""
    octets = text.encode("utf-8", "replace")
    out: list[int] = []
    for start, group in enumerate(_sets()):
        out += [start * _AT_ONCE + place for place in group.Match(octets) or ()]
    return out


def shape(raw: str, text: Normal) -> Mapping[str, float]:
    """Counts and shares that say how a text is made, each roughly within [0, 3]."""
    low, n = text.text, max(1, len(raw))
    words = max(1, low.count(" ") + 1)
    imperatives = len(_IMPERATIVE.findall(low))
    document = _DOCUMENT.search(low) is not None
    late = _IMPERATIVE.search(low, max(0, len(low) - 160)) is not None if n > 320 else False
    return {
        **loud(raw),
        "length": math.log10(n) - 2.0,
        "long": float(n > 1200),
        "short": float(n < 60),
        "hidden": min(3.0, math.log2(1 + text.hidden)),
        "tagged": min(3.0, math.log2(1 + len(text.tagged))),
        "mixed": min(3.0, math.log2(1 + text.mixed)),
        "marks": min(3.0, math.log2(1 + text.marks) / 2),
        "turns": min(3.0, math.log2(1 + len(_TURNS.findall(low)))),
        "imperatives": min(3.0, math.log2(1 + imperatives) / 2),
        "document": float(document),
        "document_imperative": float(document) * min(2.0, imperatives / 2),
        "document_late_imperative": float(document and late),
        "quotes": min(3.0, math.log2(1 + len(_QUOTE.findall(low))) / 2),
        "list_lines": min(3.0, math.log2(1 + len(_LINE_RULE.findall(raw))) / 2),
        "you": min(3.0, 20.0 * len(_YOU.findall(low)) / words),
        "names_the_model": min(3.0, 20.0 * len(_SECOND_NAMES.findall(low)) / words),
        "question": float(raw.rstrip().endswith(("?", "？", "؟"))),
    }


def loud(raw: str) -> dict[str, float]:
    """Of those, the few that tell searched-for noise."""
    n = max(1, len(raw))
    return {
        "caps": min(3.0, 10.0 * sum(map(len, _CAPS.findall(raw))) / n),
        "glued": min(3.0, 20.0 * len(_GLUED.findall(raw)) / n),
        "not_latin": float(sum(c > "\u02ff" for c in raw[:400]) > 0.3 * min(400, n)),
        "braces": min(3.0, 40.0 * sum(raw.count(c) for c in "{}();=") / n),
    }
