"""Text to tokens: numbers, strings with their escapes, names and operators."""

import re
from dataclasses import dataclass
from typing import Any

from pointsman.expressions.errors import ExpressionError

MAX_TEXT = 10_000  # characters
_MAX_DIGITS = 400  # of a number: more is no number we could hold

_TOKEN = re.compile(
    r"""(?P<space>(?:[ \t\r\n\f]|//[^\n]*)+)
      |(?P<float>[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
      |(?P<hex>0[xX][0-9a-fA-F]+)
      |(?P<int>[0-9]+)
      |(?P<raw>[rR](?:'[^'\n\r]*'|"[^"\n\r]*"))
      |(?P<string>'(?:[^'\\\n\r]|\\[^\n\r])*'|"(?:[^"\\\n\r]|\\[^\n\r])*")
      |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
      |(?P<op>&&|\|\||[=!<>]=|[-+*/%!<>?:.,()\[\]{}])
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})"
    r"|([0-3][0-7]{2})|(.))"
)
_LETTERS = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """One word of an expression; `value` is decoded for literals."""

    kind: str  # "int" | "float" | "string" | "name" | "op" | "end"
    text: str
    position: int
    value: Any = None


def tokenize(text: str) -> list[Token]:
    """The tokens of a text, closed by one of kind `end`.

    Raises: ExpressionError for a text that is too long or holds what no token starts with.
    """
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"longer than {MAX_TEXT} characters", MAX_TEXT, text)
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(_why_no_token(text, position), position, text)
        kind, word = match.lastgroup or "", match.group()
        if kind != "space":
            tokens.append(_token(kind, word, position, text))
            _refuse_run_on(tokens, position, text)
        position = match.end()
    tokens.append(Token("end", "", len(text)))
    return tokens


def _token(kind: str, word: str, position: int, text: str) -> Token:
    if kind in ("float", "hex", "int"):
        return Token("float" if kind == "float" else "int", word, position, _number(kind, word))
    if kind == "raw":
        return Token("string", word, position, word[2:-1])
    if kind == "string":
        return Token("string", word, position, _unescape(word[1:-1], position + 1, text))
    return Token(kind, word, position)


def _number(kind: str, word: str) -> int | float:
    if len(word) > _MAX_DIGITS:
        return float("inf") if kind == "float" else 2**64  # the parser says: out of range
    return float(word) if kind == "float" else int(word, 16 if kind == "hex" else 10)


def _refuse_run_on(tokens: list[Token], position: int, text: str) -> None:
    """`12abc` and `1u` are slips, not a number followed by a name."""
    if len(tokens) < 2 or tokens[-1].kind != "name" or tokens[-2].kind not in ("int", "float"):
        return
    before = tokens[-2]
    if before.position + len(before.text) == position:
        raise ExpressionError(
            f"a number runs into {tokens[-1].text[:20]!r}; there are ints and doubles only",
            position,
            text,
        )


def _unescape(body: str, start: int, text: str) -> str:
    if "\\" not in body:
        return body

    def replace(match: re.Match[str]) -> str:
        for digits in match.groups()[:4]:
            if digits is not None:
                return _character(int(digits, 16), start + match.start(), text)
        octal, letter = match.groups()[4:]
        if octal is not None:
            return chr(int(octal, 8))
        if letter not in _LETTERS:
            raise ExpressionError(
                f"no escape \\{letter}; write \\\\ for a backslash, or r'...'",
                start + match.start(),
                text,
            )
        return _LETTERS[letter]

    return _ESCAPE.sub(replace, body)


def _character(code: int, position: int, text: str) -> str:
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ExpressionError("no such character", position, text)
    return chr(code)


def _why_no_token(text: str, position: int) -> str:
    character = text[position]
    if character in "'\"":
        return "a string that does not end"
    if character == "=":
        return "`=` compares nothing; write `==`"
    if character in "&|":
        return f"write `{character * 2}`"
    return f"unexpected {character!r}"
