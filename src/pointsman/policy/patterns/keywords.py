"""Whether a pattern cannot match without one of some words in it, whatever their case."""

from collections.abc import Iterable

from pointsman.policy.patterns import charsets
from pointsman.policy.patterns.syntax import Alternate, Chars, Concat, Group, Node, Repeat

_MAX_TEXTS = 64  # of one part that are written out; what has more is not looked into
_MAX_CASES = 4  # characters of a set that is taken for one letter in its cases


def implied(tree: Node, words: Iterable[str]) -> bool:
    """True only where every match contains one of the words. False where this cannot be seen."""
    folded = tuple(word.casefold() for word in words)
    return bool(folded) and _contains(tree, folded)


def _contains(tree: Node, words: tuple[str, ...]) -> bool:
    match tree:
        case Alternate(items):
            return all(_contains(item, words) for item in items)
        case Group(item, _):
            return _contains(item, words)
        case Repeat(item, low, _, _):
            return low > 0 and _contains(item, words)
        case Concat(items):
            return any(_contains(item, words) for item in items) or any(
                _run_contains(items[at:], words) for at in range(len(items))
            )
        case _:
            return _run_contains((tree,), words)


def _run_contains(items: tuple[Node, ...], words: tuple[str, ...]) -> bool:
    texts = {""}
    for item in items:
        more = _texts(item)
        if more is None or len(texts) * len(more) > _MAX_TEXTS:
            return False
        texts = {before + after for before in texts for after in more}
        if all(any(word in text for word in words) for text in texts):
            return True
    return False


def _texts(tree: Node) -> set[str] | None:
    """Every text it matches, case folded; None where there are many."""
    match tree:
        case Chars(ranges):
            if charsets.size(ranges) > _MAX_CASES:
                return None
            return {chr(code).casefold() for low, high in ranges for code in range(low, high + 1)}
        case Group(item, _):
            return _texts(item)
        case Alternate(items):
            every = [_texts(item) for item in items]
            known = [texts for texts in every if texts is not None]
            joined = set().union(*known)
            return joined if len(known) == len(every) and len(joined) <= _MAX_TEXTS else None
        case Repeat(item, low, high, _) if high is not None and high <= 8:
            inner = _texts(item)
            if inner is None:
                return None
            power, joined = {""}, {""} if low == 0 else set()
            for count in range(1, high + 1):
                power = {before + after for before in power for after in inner}
                if len(power) > _MAX_TEXTS:
                    return None
                joined |= power if count >= low else set()
            return joined
        case Concat(items):
            texts = {""}
            for item in items:
                more = _texts(item)
                if more is None or len(texts) * len(more) > _MAX_TEXTS:
                    return None
                texts = {before + after for before in texts for after in more}
            return texts
        case _:
            return None
