"""What the lines of a log begin with (time, level, process, ...), learned from its first lines.

Pure. A heading is a number of leading words; brackets are one word. Columns that nearly always
hold a time, a number, a level, a bracket or `name:` belong to it, and what stands between them.
"""

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

_COLUMNS = 16
_SURE = 0.85  # share of lines whose column is of one kind
_BRACKETED = 200  # characters of a bracket
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LEVELS = (
    "TRACE|DEBUG|FINE|FINER|FINEST|CONFIG|INFO|INFORMATION|NOTICE|WARN|WARNING|ERR|ERROR|CRIT|"
    "CRITICAL|FATAL|SEVERE|ALERT|EMERG|PANIC|FAILURE"
)
_LEVEL = re.compile(rf"[\[<(]?(?:(?i:{_LEVELS})|[VDIWEF])[\]>),:]*")
_NUMBER = re.compile(rf"[\d.,:/\-+T]+Z?,?|{_MONTH},?|{_DAY},?")
_TIME = re.compile(rf"\d{{1,4}}[:/.\-]\d{{1,2}}[:/.\-]\d|\d{{6}}|{_MONTH}|{_DAY}")
_NAME = re.compile(
    r"[\w.$/()@#<>*+,\-]*[A-Za-z][\w.$/()@#<>*+,\-]*(?:\[[^\]]*\])?:"
)  # fmt: skip
_BRACKET = rf"\[(?:[^\[\]]|\[[^\[\]]*\]){{0,{_BRACKETED}}}\][,:]?"
_WORD = re.compile(rf"{_BRACKET}|[^\s|]+")
_GAP = r"[\s|]+"
# How one column of each kind is read in every further line.
_READS = {
    "number": rf"(?:{_NUMBER.pattern})",
    "level": _LEVEL.pattern,
    "bracket": _BRACKET,
    "name": r"[^\s|]*:",
    "mark": r"[-–*]",
    "other": r"[^\s|]+",
}


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """The leading columns of a log's lines, by kind, and a pattern that reads them."""

    kinds: tuple[str, ...] = ()
    pattern: str = ""  # matches a line's heading, with the blanks behind it; "" for none


def learn_heading(lines: Sequence[str]) -> Heading:
    """The heading of these lines, which should be the first few hundred or thousand of a log."""
    words = [_WORD.findall(line[:2000])[:_COLUMNS] for line in lines if line.strip()]
    kinds = [[kind_of(word) for word in row] for row in words]
    end, gap, telling = 0, 0, False
    found: list[str] = []
    for at in range(_COLUMNS - 1):
        # a heading has something behind it
        rows = [row for row, of in enumerate(kinds) if len(of) > at + 1]
        if not words or len(rows) < 0.5 * len(words):
            break
        counted = Counter(kinds[row][at] for row in rows)
        kind, most = counted.most_common(1)[0]
        sure = most >= _SURE * len(words)
        found.append(kind if sure and kind in _READS else "other")
        if sure and kind in ("number", "level", "bracket", "name"):
            end, gap = at + 1, 0
            telling |= kind != "number" or _tells_time([words[row][at] for row in rows])
            if kind == "name":
                break
        elif sure and kind == "mark":
            if end == at:
                end = at + 1
        elif gap < 3 and _repeats(counted, [words[row][at] for row in rows]):
            gap += 1
        else:
            break
    kept = tuple(found[:end]) if telling else ()  # a number alone may be what is said
    return Heading(kinds=kept, pattern=_pattern(kept))


def kind_of(word: str) -> str:
    """Of what kind a leading word is."""
    if word[0] == "[" and word.rstrip(",:")[-1:] == "]":
        return "bracket"
    if _LEVEL.fullmatch(word):
        return "level"
    if word in ("-", "–", "*"):
        return "mark"
    if _NUMBER.fullmatch(word):
        return "number"
    if _NAME.fullmatch(word):
        return "name"
    return "coded" if any(letter.isdigit() for letter in word) else "word"


def _tells_time(words: Sequence[str]) -> bool:
    return sum(_TIME.match(word) is not None for word in words) >= _SURE * len(words)


def _repeats(counted: Counter[str], words: Sequence[str]) -> bool:
    """Whether a column of words is one of hosts, components or the like: few, or all coded."""
    n = len(words)
    if counted["coded"] >= 0.8 * n:
        return True
    plain = counted["coded"] + counted["word"] >= _SURE * n
    return plain and len(set(words)) <= max(8, 0.1 * n)


def _pattern(kinds: tuple[str, ...]) -> str:
    if not kinds:
        return ""
    read = _GAP.join(_READS[kind] for kind in kinds)
    return rf"[\s|]*{read}(?:[\s|]+|$)(?:[-–:]\s+)?"
