"""What of a text makes tokens: counts by script and kind of letter, for any byte-pair code."""

import re
import unicodedata
from collections import Counter

# name -> what is counted; a weight for each is a number of tokens
NAMES = (
    "words",  # runs of Latin letters, with the space before them
    "long",  # letters of such a run beyond the fourth
    "very_long",  # letters beyond the twelfth: no word, but an id or code
    "capitals",  # capitals within a run, and at its start where another follows
    "accents",  # Latin letters beyond ASCII
    "digits",
    "numbers",  # runs of digits
    "signs",  # runs of punctuation
    "more_signs",  # signs in a run beyond the first
    "breaks",  # runs of white that hold a line's end
    "indents",  # other runs of white of two and more
    "han",
    "kana",
    "hangul",
    "other_words",  # runs of letters of other scripts
    "other_letters",
    "symbols",  # beyond ASCII: dashes, quotes, arrows, boxes
    "emoji",
)
Features = tuple[float, ...]

_RUNS = re.compile(
    r"(?P<latin>[A-Za-z\u00c0-\u024f]+)|(?P<digits>\d+)|(?P<white>\s+)|(?P<signs>[!-/:-@\[-`{-~]+)"
    r"|(?P<han>[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)"
    r"|(?P<kana>[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f]+)"
    r"|(?P<hangul>[\u1100-\u11ff\uac00-\ud7af]+)|(?P<other>.)",
    re.DOTALL,
)
_ACCENTS = re.compile(r"[\u00c0-\u024f]")
_INNER_CAPITALS = re.compile(r"(?<=[A-Za-z])[A-Z]")
_AT = {name: i for i, name in enumerate(NAMES)}
_PIECE = 1 << 20  # characters that are looked at together


def features(text: str) -> Features:
    """Counts of a text, in the order of `NAMES`; they add up over its pieces, nearly."""
    counts: Counter[str] = Counter()
    for at in range(0, len(text), _PIECE):
        _add(counts, text[at : at + _PIECE])
    return tuple(float(counts[name]) for name in NAMES)


def _add(counts: Counter[str], text: str) -> None:
    runs: Counter[tuple[str, str]] = Counter()
    others: list[str] = []
    for found in _RUNS.finditer(text):
        kind = found.lastgroup or ""
        if kind == "other":
            others.append(found[0])
        elif kind == "digits":
            counts["numbers"] += 1
            counts["digits"] += len(found[0])
        else:
            runs[kind, found[0]] += 1
    for (kind, run), times in runs.items():
        _add_run(counts, kind, run, times)
    _add_others(counts, others)


def _add_run(counts: Counter[str], kind: str, run: str, times: int) -> None:
    match kind:
        case "latin":
            counts["words"] += times
            counts["long"] += times * max(0, min(len(run), 12) - 4)
            counts["very_long"] += times * max(0, len(run) - 12)
            counts["capitals"] += times * len(_INNER_CAPITALS.findall(run))
            counts["accents"] += times * len(_ACCENTS.findall(run))
        case "white":
            if "\n" in run or "\r" in run:
                counts["breaks"] += times
            elif len(run) > 1:
                counts["indents"] += times
        case "signs":
            counts["signs"] += times
            counts["more_signs"] += times * (len(run) - 1)
        case _:
            counts[kind] += times * len(run)


def _add_others(counts: Counter[str], others: list[str]) -> None:
    """Letters of other scripts by runs, and symbols."""
    inside = False
    for letter in others:
        kind = unicodedata.category(letter)[0]
        if kind in "LM":
            counts["other_letters"] += 1
            counts["other_words"] += not inside
        elif ord(letter) > 0x1F000:
            counts["emoji"] += 1
        else:
            counts["symbols"] += 1
        inside = kind in "LM"
