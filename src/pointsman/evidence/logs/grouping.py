"""Masks that differ in a word or two to templates: is that word a name, or what is said?

Pure. Masks of equal length that agree but for one word are looked at together. The word is a
value where there are many of it, where it stands behind a word such as `user` or `file`, where
others have a value at that place, or where none of it reads like a word of a sentence.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping

from pointsman.evidence.logs.masking import MARK

_TOKEN = re.compile(r"\x00|[\w$.-]+|[^\w\s]")
_ROUNDS = 6
_MANY = 6  # different words at a place, from which they are values
_MOST_WORDS = 64  # of a mask, that are looked at; longer ones are only compared whole
# Behind these a value follows.
_NAMING = frozenset(
    [
        "user",
        "users",
        "username",
        "host",
        "hostname",
        "name",
        "named",
        "file",
        "filename",
        "path",
        "dir",
        "directory",
        "service",
        "process",
        "program",
        "job",
        "node",
        "class",
        "method",
        "function",
        "device",
        "interface",
        "port",
        "address",
        "id",
        "key",
        "value",
        "type",
        "table",
        "queue",
        "topic",
        "session",
        "account",
        "domain",
        "group",
        "role",
        "package",
        "module",
        "thread",
        "pool",
        "task",
        "block",
        "app",
        "application",
        "client",
        "server",
        "command",
        "cmd",
        "url",
        "uri",
        "attribute",
        "property",
        "parameter",
        "option",
        "component",
        "state",
        "status",
        "action",
        "event",
        "reason",
    ]
)

Tokens = tuple[str, ...]


def templates(masks: Mapping[str, int]) -> dict[str, str]:
    """The template of each mask, `<*>` for what varies.

    Args: masks with the number of lines each has.
    """
    tokens = {mask: tuple(_TOKEN.findall(mask)) for mask in masks}
    weight: Counter[Tokens] = Counter()
    for mask, count in masks.items():
        weight[tokens[mask]] += count
    now = dict(tokens)
    for _ in range(_ROUNDS):
        merged = _merged(weight)
        if not merged:
            break
        now = {mask: merged.get(one, one) for mask, one in now.items()}
        fresh: Counter[Tokens] = Counter()
        for one, count in weight.items():
            fresh[merged.get(one, one)] += count
        if len(fresh) == len(weight):
            break
        weight = fresh
    shown: dict[Tokens, list[str]] = defaultdict(list)
    for mask, one in now.items():
        shown[_joined(one)].append(mask)
    out = {}
    for one, its in shown.items():
        said = _text(one, its[0])
        for mask in its:
            out[mask] = said
    return out


def _merged(weight: Mapping[Tokens, int]) -> dict[Tokens, Tokens]:
    """Where each goes, for those that become one with others."""
    places: dict[tuple[Tokens, int], dict[str, int]] = defaultdict(dict)
    for one, count in weight.items():
        if len(one) > _MOST_WORDS:
            continue
        for at, word in enumerate(one):
            if word != MARK and (word[0].isalnum() or word[0] in "_$"):
                places[(*one[:at], MARK, *one[at + 1 :]), at][word] = count
    best: dict[Tokens, tuple[tuple[int, int, int], Tokens]] = {}
    for (one, at), words in places.items():
        rank = _rank(one, at, words, known=one in weight)
        if rank is None:
            continue
        for word in words:
            source = (*one[:at], word, *one[at + 1 :])
            if source not in best or rank > best[source][0]:
                best[source] = (rank, one)
    return {source: one for source, (_, one) in best.items()}


def _rank(
    one: Tokens, at: int, words: Mapping[str, int], *, known: bool
) -> tuple[int, int, int] | None:
    """How surely the words at a place are values; None where they are what is said."""
    different = len(words)
    if different < 2 and not known:
        return None
    said = sum(1 for word in one if word != MARK and word[0].isalpha())
    if said < 1:
        return None
    odd = sum(not _reads(word) for word in words)
    before = one[at - 1].lower() if at else ""
    if before in ":=" and at > 1:
        before = "=" if before == "=" else one[at - 2].lower()
    sure = 0
    if known:
        sure = 3 if said >= 2 else 0
    elif before == "=" or before in _NAMING:
        sure = 3
    elif said >= 2 and (different >= _MANY or (odd == different and different >= 3)):
        sure = 2
    elif said >= 3 and different >= 4 and odd * 2 >= different:
        sure = 1
    return (sure, different, said) if sure else None


def _reads(word: str) -> bool:
    """Whether a word is one of a sentence."""
    return word.isalpha() and (word.islower() or word.istitle())


def _joined(one: Tokens) -> Tokens:
    """Neighbouring values as one."""
    out: list[str] = []
    for word in one:
        if word == MARK and out and out[-1] == MARK:
            continue
        if word == MARK and len(out) > 1 and out[-1] in ",:.-" and out[-2] == MARK:
            out.pop()
            continue
        out.append(word)
    return tuple(out)


def _text(one: Tokens, mask: str) -> str:
    """As people read it: blanks where the mask has them."""
    if len(_TOKEN.findall(mask)) == len(one):
        words = iter(one)
        return _TOKEN.sub(lambda _: next(words).replace(MARK, "<*>"), mask)
    spaced = " ".join(one).replace(MARK, "<*>")
    return re.sub(r" (?=[,;:.)\]}])|(?<=[(\[{]) ", "", spaced)
