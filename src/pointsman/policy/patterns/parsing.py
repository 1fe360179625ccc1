"""A pattern to its tree: the language RE2 reads, by recursive descent, errors with positions."""

from typing import NoReturn

from pointsman.policy.patterns import charsets
from pointsman.policy.patterns.charsets import Ranges
from pointsman.policy.patterns.errors import PatternError
from pointsman.policy.patterns.syntax import (
    EMPTY,
    Alternate,
    Assertion,
    AssertionKind,
    Chars,
    Concat,
    Group,
    Node,
    Repeat,
)

MAX_PATTERN = 10_000  # characters
MAX_DEPTH = 100  # of groups in groups
MAX_REPEAT = 1_000  # as RE2

_ESCAPED = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_PLACES: dict[str, AssertionKind] = {
    "A": "begin_text", "z": "end_text", "b": "word", "B": "not_word",
}  # fmt: skip
_NOT_NEWLINE = charsets.negate(((10, 10),))


def parse(pattern: str) -> Node:
    """The tree of a pattern in RE2's syntax (Go's, too); without backreferences and look-around.

    Raises: PatternError with the position of the first thing that does not fit. Script classes
    (`\\p{Greek}`) and `\\C` are not read; general categories (`\\pL`, `\\p{Lu}`) are.
    """
    return _Parser(pattern).whole()


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._groups = 0
        self._depth = 0
        self._names: set[str] = set()
        self._flags = frozenset[str]()
        if len(pattern) > MAX_PATTERN:
            self._fail(f"a pattern is longer than {MAX_PATTERN} characters", MAX_PATTERN)

    def whole(self) -> Node:
        node = self._alternation()
        if self._at < len(self._text):
            self._fail("a ')' closes nothing", self._at)
        return node

    def _alternation(self) -> Node:
        """Up to a ')' or the end; flags set inside end with it."""
        before = self._flags
        branches = [self._sequence()]
        while self._accept("|"):
            branches.append(self._sequence())
        self._flags = before
        return branches[0] if len(branches) == 1 else Alternate(tuple(branches))

    def _sequence(self) -> Node:
        items: list[Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            start = self._at
            if self._accept("\\Q"):
                end = self._text.find("\\E", self._at)
                quoted = self._text[self._at : end if end >= 0 else None]
                self._at = end + 2 if end >= 0 else len(self._text)
                items += [self._literal(ord(character)) for character in quoted]
                if items and quoted:
                    items[-1] = self._repeated(items[-1], start)
                continue
            item = self._item()
            if item is not None:
                items.append(self._repeated(item, start))
        if len(items) == 1:
            return items[0]
        return Concat(tuple(items)) if items else EMPTY

    def _repeated(self, item: Node, start: int) -> Node:
        count = self._count()
        if count is None:
            return item
        low, high = count
        lazy = self._accept("?")
        if low > MAX_REPEAT or (high is not None and high > MAX_REPEAT):
            self._fail(f"a repeat of more than {MAX_REPEAT}", start)
        if high is not None and high < low:
            self._fail("a repeat whose most is below its least", start)
        again = self._at
        if self._count() is not None:
            self._fail("a repeat of a repeat; put the first into (?:...)", again)
        return Repeat(item, low, high, lazy != ("U" in self._flags))

    def _count(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._accept(sign):
                return bounds
        if not self._text.startswith("{", self._at):
            return None
        end = self._text.find("}", self._at)
        low, comma, high = self._text[self._at + 1 : max(end, self._at + 1)].partition(",")
        if end < 0 or not _number(low) or (high and not _number(high)):
            return None  # then the brace stands for itself
        if max(len(low), len(high)) > 4:
            self._fail(f"a repeat of more than {MAX_REPEAT}", self._at)
        self._at = end + 1
        return int(low), (int(high) if high else None) if comma else int(low)

    def _item(self) -> Node | None:
        start = self._at
        character = self._text[start]
        self._at += 1
        if character == "(":
            return self._group(start)
        if character == "[":
            return self._class(start)
        if character == "\\":
            return self._escape(start)
        if character in "*+?":
            self._fail(f"nothing before '{character}' to repeat", start)
        if character == ".":
            return Chars(charsets.ANY if "s" in self._flags else _NOT_NEWLINE)
        if character == "^":
            return Assertion("begin_line" if "m" in self._flags else "begin_text")
        if character == "$":
            return Assertion("end_line" if "m" in self._flags else "end_text")
        return self._literal(ord(character))

    def _literal(self, code: int) -> Chars:
        return self._chars(((code, code),))

    def _chars(self, ranges: Ranges) -> Chars:
        return Chars(charsets.fold(ranges) if "i" in self._flags else ranges)

    def _group(self, start: int) -> Node | None:
        number = None
        outer = self._flags
        if self._accept("?P<") or self._accept("?<"):
            end = self._text.find(">", self._at)
            name = self._text[self._at : max(end, self._at)]
            if not name.replace("_", "a").isalnum() or name in self._names:
                self._fail("a group's name is made of letters, digits and _, once each", start)
            self._names.add(name)
            self._at = end + 1
            self._groups += 1
            number = self._groups
        elif self._accept("?"):
            if not self._set_flags(start):
                return None  # (?i): for the rest of the group around it
        else:
            self._groups += 1
            number = self._groups
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"more than {MAX_DEPTH} groups in groups", start)
        inner = self._alternation()
        self._depth -= 1
        if not self._accept(")"):
            self._fail("a '(' is not closed", start)
        self._flags = outer
        return inner if number is None else Group(inner, number)

    def _set_flags(self, start: int) -> bool:
        """Reads `i-s:` or `i)`. Returns whether a group follows."""
        flags, on, named = set(self._flags), True, 0
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 1
            if character in "imsU":
                (flags.add if on else flags.discard)(character)
                named += 1
            elif character == "-" and on:
                on, named = False, 0
            elif character in ":)" and (on or named):
                self._flags = frozenset(flags)
                return character == ":"
            else:
                break
        self._fail("not a group RE2 has: look-around and backreferences are not read", start)

    def _escape(self, start: int) -> Node:
        character = self._text[self._at : self._at + 1]
        if character in _PLACES and character:
            self._at += 1
            return Assertion(_PLACES[character])
        named = self._named_class(start)
        if named is not None:
            return Chars(named)
        return self._literal(self._escaped_code(start))

    def _named_class(self, start: int) -> Ranges | None:
        """`d`, `W`, `pL`, `p{^Lu}` after a backslash; None where something else stands there."""
        character = self._text[self._at : self._at + 1]
        if not character:
            return None
        positive = charsets.PERL.get(character.lower())
        if positive is not None:
            self._at += 1
            return self._signed(positive, character.isupper())
        if character not in "pP":
            return None
        self._at += 1
        name = self._text[self._at : self._at + 1]
        if name == "{":
            end = self._text.find("}", self._at)
            name = self._text[self._at + 1 : max(end, self._at + 1)]
            self._at = end + 1
        else:
            self._at += 1
        negative = (character == "P") != name.startswith("^")
        name = name.removeprefix("^")
        found = charsets.ANY if name == "Any" else charsets.category(name)
        if found is None:
            self._fail("not a general category of Unicode; scripts are not read", start)
        return self._signed(found, negative)

    def _signed(self, ranges: Ranges, negative: bool) -> Ranges:
        folded = charsets.fold(ranges) if "i" in self._flags else ranges
        return charsets.negate(folded) if negative else folded

    def _escaped_code(self, start: int) -> int:
        """The code point that an escape stands for; the backslash is read already."""
        character = self._text[self._at : self._at + 1]
        self._at += 1
        if character == "x":
            return self._hexadecimal(start)
        if character in _ESCAPED:
            return _ESCAPED[character]
        if character and character in "01234567":
            digits = character
            while len(digits) < 3 and self._text[self._at : self._at + 1] in tuple("01234567"):
                digits += self._text[self._at]
                self._at += 1
            if digits[0] == "0" or len(digits) > 1:
                return int(digits, 8)
        elif character and character.isascii() and not character.isalnum() and character != "_":
            return ord(character)
        self._fail("an escape that RE2 does not have", start)

    def _hexadecimal(self, start: int) -> int:
        if self._text.startswith("{", self._at):
            end = self._text.find("}", self._at)
            digits = self._text[self._at + 1 : max(end, self._at + 1)]
            self._at = end + 1
        else:
            digits = self._text[self._at : self._at + 2]
            self._at += 2
            if len(digits) < 2:
                digits = ""
        if not digits or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
            self._fail("\\x takes two hexadecimal digits, or some in braces", start)
        code = int(digits[:9], 16)
        if code > charsets.LAST:
            self._fail("a code point beyond Unicode", start)
        return code

    def _class(self, start: int) -> Node:
        negative = self._accept("^")
        ranges: list[tuple[int, int]] = []
        first = True
        while first or not self._text.startswith("]", self._at):
            if self._at >= len(self._text):
                self._fail("a '[' is not closed", start)
            first = False
            ranges += self._class_item()
        self._at += 1
        joined = charsets.union(ranges)
        return Chars(charsets.negate(joined) if negative else joined)

    def _class_item(self) -> Ranges:
        start = self._at
        if self._accept("[:"):
            end = self._text.find(":]", self._at)
            name = self._text[self._at : max(end, self._at)]
            known = charsets.POSIX.get(name.removeprefix("^"))
            if known is not None:
                self._at = end + 2
                return self._signed(known, name.startswith("^"))
            if end >= 0:
                self._fail("not a class that RE2 names", start)
            self._at = start
        if self._text.startswith("\\", self._at):
            self._at += 1
            named = self._named_class(start)
            if named is not None:
                return named
            self._at -= 1
        low = self._class_code(start)
        high = low
        if self._text.startswith("-", self._at) and self._text[self._at + 1 : self._at + 2] != "]":
            self._at += 1
            high = self._class_code(start)
            if high < low:
                self._fail("a range whose last is before its first", start)
        return self._signed(((low, high),), False)

    def _class_code(self, start: int) -> int:
        if self._at >= len(self._text):
            self._fail("a '[' is not closed", start)
        character = self._text[self._at]
        self._at += 1
        return self._escaped_code(start) if character == "\\" else ord(character)

    def _accept(self, text: str) -> bool:
        if self._text.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _fail(self, message: str, position: int) -> NoReturn:
        raise PatternError(message, position, self._text)


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit()
