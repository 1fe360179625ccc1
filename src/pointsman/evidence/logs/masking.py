"""One line without its heading to its mask: what varies becomes a mark, what is said stays.

Pure. In two stages, since most lines differ from an earlier one in numbers alone: `numbers_out`
is one pass for every line, `mask` the rest, for every line that is new without its numbers.
"""

import re

MARK = "\x00"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_DATE = rf"(?:{_DAY},? )?{_MONTH} \x00(?:,? ?(?:\x00:)*\x00(?: [A-Z]{{3,4}}(?= \x00))?){{1,3}}"
_UNITS = "[KMGT]i?B|[Bb]ytes?|B|ms|us|ns|s|secs?|seconds?|min|mins|minutes?|h|hours?|days?|%"
_EITHER = "[Tt]rue|[Ff]alse|TRUE|FALSE|[Nn]ull|NULL|[Nn]one|nil|nan|NaN|yes|no|on|off"
_WORD = r"[^\s=,;:()\[\]{}<>\"'|]"
_SUFFIXES = (
    "com|org|net|edu|gov|io|cn|de|uk|local|lan|html?|java|py|log|txt|xml|json|ya?ml|conf|cfg|so|"
    "jar|exe|dll|sys|cpp|c|h|go|rs|js|ts|tmp|gz|zip"
)
# A word with a digit in it, anywhere.
_NUMBERED = re.compile(rf"{_WORD}*\d{_WORD}*")
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), mark)
    for pattern, mark in (
        (r"\s+", " "),
        # a date in words
        (_DATE, MARK),
        (r"[A-Za-z][A-Za-z+.-]*://[^\s\"'<>)\]}]+", MARK),
        # a quoted word; what is quoted with blanks is read like the rest
        (r"\"[^\s\"]*\"", MARK),
        (r"(?<![A-Za-z])'[^\s']*'", MARK),
        # octets in hexadecimal
        (r"(?<![A-Za-z])(?:(?:[0-9A-Fa-f]{2}|\x00):){3,}(?:[0-9A-Fa-f]{2}|\x00)(?![A-Za-z])", MARK),
        # paths, of either slant
        (rf"(?:\b[A-Za-z]:)?{_WORD}*[/\\]{_WORD}+", MARK),
        # words of hexadecimal digits, names with dots, values that are one of two
        (r"\b(?:[a-f]{6,}|[A-F]{6,})\b", MARK),
        (r"\b[A-Za-z_$][\w$-]*(?:\.[\w$-]+){2,}", MARK),
        (rf"\b[A-Za-z][\w-]*\.(?:{_SUFFIXES})\b", MARK),
        (rf"\b(?:{_EITHER})\b", MARK),
        # a number's unit
        (rf"\x00 ?(?:{_UNITS})(?![A-Za-z])", MARK),
        # the value of a key, also one that is missing
        (r"=\s*[^\s=,;()\[\]{}<>\"|]+", "=" + MARK),
        (r"=(?=$|[\s,;)\]}])", "=" + MARK),
        (r"\(\s*\)", f"({MARK})"),
        # marks that belong together
        (r"\x00(?:[:/.,@#=+-]*\x00)+", MARK),
        (r"[-+*<~]+\x00", MARK),
        (r"\x00(?:,? \x00)+", MARK),
        (r"\s+", " "),
    )
)  # fmt: skip


def numbers_out(text: str) -> str:
    """Every word with a digit in it as a mark."""
    return _NUMBERED.sub(MARK, text)


def mask(text: str) -> str:
    """The rest of what varies, for a text without numbers."""
    for pattern, mark in _RULES:
        text = pattern.sub(mark, text)
    return text.strip()
