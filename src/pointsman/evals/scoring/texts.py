"""Answers as texts: equal to, containing or beginning with what is expected; matching a pattern."""

from collections.abc import Callable
from typing import Any, Literal

from pointsman.domain.errors import ConfigurationError
from pointsman.evals.case import ScorerSpec
from pointsman.evals.scoring.scorer import Looking, Options, Said, Scorer, Seen, wanted
from pointsman.verifiers.answer import Unjudged
from pointsman.verifiers.plain import compile_pattern

Match = Literal["whole", "contains", "starts", "ends"]
MAX_TEXT_CHARS = 1 << 20
_MATCHES: dict[Match, Callable[[str, str], bool]] = {
    "whole": lambda text, word: text == word,
    "contains": lambda text, word: word in text,
    "starts": str.startswith,
    "ends": str.endswith,
}


class ExactOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer is the expected text, or one of several."""

    match: Match = "whole"
    ignore_case: bool = False
    spaces: Literal["as written", "trimmed", "any"] = "trimmed"
    all: bool = False


def exact(spec: ScorerSpec, options: ExactOptions) -> Scorer:
    """1 where the answer matches the expected text (of a list: any, or with `all` every one)."""
    matches = _MATCHES[options.match]

    def plain(text: str) -> str:
        if options.spaces == "trimmed":
            text = text.strip()
        elif options.spaces == "any":
            text = " ".join(text.split())
        return text.casefold() if options.ignore_case else text

    def look(said: Said, expected: Any) -> Seen:
        text = plain(_bounded(said.reply.content))
        words = expected if isinstance(expected, list) else [wanted(expected)]
        found = [matches(text, plain(_as_text(word))) for word in words]
        if not found:
            raise Unjudged("the case expects an empty list of texts")
        right = all(found) if options.all else any(found)
        return Seen(float(right), "" if right else _unlike(options.match))

    return Looking(spec, look)


class RegexOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer matches a pattern in RE2's language."""

    pattern: str | None = None
    anywhere: bool = False
    absent: bool = False


def regex(spec: ScorerSpec, options: RegexOptions) -> Scorer:
    """1 where the answer matches; the pattern stands in the file or is what a case expects."""
    fixed = compile_pattern(options.pattern) if options.pattern is not None else None

    def look(said: Said, expected: Any) -> Seen:
        pattern = fixed
        if pattern is None:
            try:
                pattern = compile_pattern(_as_text(wanted(expected)))
            except ConfigurationError as error:
                raise Unjudged(f"the expected pattern is none: {error.why or error.what}") from None
        text = _bounded(said.reply.content).strip()
        match = pattern.search(text) if options.anywhere else pattern.fullmatch(text)
        right = (match is None) == options.absent
        return Seen(float(right), "" if right else "the pattern does not hold")

    return Looking(spec, look)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unjudged("what is expected is not text")
    return f"{value:g}" if isinstance(value, float) else str(value)


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT_CHARS:
        raise Unjudged(f"an answer of more than {MAX_TEXT_CHARS} characters")
    return text


def _unlike(match: Match) -> str:
    return "not the expected text" if match == "whole" else f"the answer: {match}: no"
