"""One answer as the checks see it: its text, and its JSON read strictly and once."""

import json
import re
from typing import Any, NoReturn

from pointsman.domain.messages import Reply

MAX_ANSWER_BYTES = 256 * 1024
MAX_JSON_DEPTH = 64
MAX_NUMBER_CHARS = 400  # a double has at most 309 digits before the point

# Possessive, so that an unterminated string is read once and not from each of its quotes.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_FENCE = re.compile(r"```[^\n`]*\n.*\n?```", re.DOTALL)


class Found(Exception):
    """The answer is not what it must be; `detail` says what and where, never the answer's text."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Unjudged(Exception):
    """The check could not look; `detail` says why, never the answer's text."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Answer:
    """A reply, ready to be checked several times; what costs is done on first use."""

    __slots__ = ("_failure", "_json", "_read", "reply")

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self._read = False
        self._json: Any = None
        self._failure: Found | Unjudged | None = None

    @property
    def text(self) -> str:
        """The content without white space around it. Raises: Unjudged: none, or over the bound."""
        return _bounded(self.reply.content.strip(), "no text")

    def json(self) -> Any:
        """The content as JSON: objects as dicts without a key twice, numbers as int or float.

        An answer without content but with exactly one tool call is that call's arguments.
        Raises: Found where the text is not JSON, Unjudged where it cannot be read within bounds.
        """
        if not self._read:
            self._read = True
            try:
                self._json = parse_json(self._json_text())
            except (Found, Unjudged) as failure:
                self._failure = failure
        if self._failure is not None:
            raise self._failure
        return self._json

    def _json_text(self) -> str:
        calls = self.reply.tool_calls
        if self.reply.content.strip() or len(calls) != 1:
            return self.text
        return _bounded(calls[0].arguments.strip(), "no arguments in the tool call")


def parse_json(text: str) -> Any:
    """Strict JSON (RFC 8259) with no key twice in an object.

    Raises: Found or Unjudged as `Answer.json`.
    """
    if _FENCE.fullmatch(text):
        raise Found("fenced: the answer stands in a Markdown code fence")
    if _depth(text) > MAX_JSON_DEPTH:
        raise Unjudged(f"nested deeper than {MAX_JSON_DEPTH}")
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except json.JSONDecodeError as error:
        raise Found(f"not JSON at character {error.pos}") from None


def _bounded(text: str, when_empty: str) -> str:
    if not text:
        raise Unjudged(when_empty)
    if len(text) > MAX_ANSWER_BYTES or len(text.encode(errors="replace")) > MAX_ANSWER_BYTES:
        raise Unjudged(f"longer than {MAX_ANSWER_BYTES // 1024} KiB")
    return text


def _depth(text: str) -> int:
    depth = deepest = 0
    for token in _TOKENS.finditer(text):
        mark = text[token.start()]
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Found("not JSON: an object has the same key twice")
    return found


def _refuse_constant(_: str) -> NoReturn:
    raise Found("not JSON: NaN or Infinity")


def _integer(digits: str) -> int:
    if len(digits) > MAX_NUMBER_CHARS:
        raise Unjudged(f"a number longer than {MAX_NUMBER_CHARS} characters")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > MAX_NUMBER_CHARS:
        raise Unjudged(f"a number longer than {MAX_NUMBER_CHARS} characters")
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise Unjudged("a number out of the range of a double")
    return value
