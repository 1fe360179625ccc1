"""What a pattern protects, found slowly and in another way; patterns and texts made at random."""

from hypothesis import strategies as st

from pointsman.policy.patterns.charsets import contains
from pointsman.policy.patterns.syntax import (
    Alternate,
    Assertion,
    Chars,
    Concat,
    Group,
    Node,
    Repeat,
)

_WORD = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

Way = tuple[int, int | None, int | None]  # where it has come to, and the protected part so far


def protected(tree: Node, text: str) -> set[int]:
    """Every character in the protected part of any way that any substring matches."""
    covered: set[int] = set()
    for start in range(len(text) + 1):
        for _, first, last in _ways(tree, text, (start, None, None)):
            if first is not None and last is not None:
                covered |= set(range(first, last))
    return covered


def _ways(node: Node, text: str, way: Way) -> set[Way]:
    at, first, last = way
    match node:
        case Chars(ranges):
            fits = at < len(text) and contains(ranges, ord(text[at]))
            return {(at + 1, first, last)} if fits else set()
        case Assertion(kind):
            return {way} if _stands(kind, text, at) else set()
        case Concat(items):
            ways = {way}
            for item in items:
                ways = {further for one in ways for further in _ways(item, text, one)}
            return ways
        case Alternate(items):
            return {further for item in items for further in _ways(item, text, way)}
        case Group(item, number):
            ways = _ways(item, text, way)
            if number:
                return ways
            return {
                (end, at if first is None else first, end) if end > at else (end, *rest)
                for end, *rest in ways
            }
        case Repeat(item, low, high, _):
            ways, done = {way}, {way} if low == 0 else set()
            for count in range(1, (len(text) + low + 1 if high is None else high) + 1):
                ways = {further for one in ways for further in _ways(item, text, one)}
                if count >= low:
                    if ways <= done:
                        break
                    done |= ways
            return done


def _stands(kind: str, text: str, at: int) -> bool:
    before, after = text[at - 1 : at] if at else "", text[at : at + 1]
    return {
        "begin_text": not before,
        "end_text": not after,
        "begin_line": before in ("", "\n"),
        "end_line": after in ("", "\n"),
        "word": (before in _WORD) != (after in _WORD),
        "not_word": (before in _WORD) == (after in _WORD),
    }[kind]


_ATOMS = st.sampled_from(
    ["a", "b", "c", "1", "-", ".", "[ab]", "[^a]", r"\w", r"\d", r"\s", "(?i:B)", "[a-c1]", "ab",
     r"\x61", r"[\w-]", "(?s:.)", r"\W", "[[:alpha:]]"]
)  # fmt: skip
_COUNTS = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "??", "{1,2}?"])
_PLACES = st.sampled_from([r"\b", r"\B", "^", "$", "(?m:^)", "(?m:$)", r"\A", r"\z"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.tuples(inner, inner).map(lambda both: f"(?:{both[0]}|{both[1]})"),
        st.tuples(inner, _COUNTS).map(lambda both: f"(?:{both[0]}){both[1]}"),
    )


def _placed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        _larger(inner),
        st.tuples(_PLACES, inner).map("".join),
        st.tuples(inner, _PLACES).map("".join),
    )


PLAIN = st.recursive(_ATOMS, _larger, max_leaves=6)  # without places between characters
PATTERNS = st.recursive(_ATOMS, _placed, max_leaves=6)
TEXTS = st.text(alphabet="aaabbc1-\nxBA ", max_size=10)


def _grouped(parts: tuple[str, str, str, str]) -> str:
    before, inner, after, other = parts
    shape = len(before + inner) % 3
    if shape == 0:
        return f"(?:{before}({inner})|({other}){after})"
    return f"{before}({inner}){after}"


_CONTEXT = st.one_of(st.just(""), st.just("(?:[;\\s]|$)"), st.just("[ab]{0,3}?"), PATTERNS)
GROUPED = st.tuples(_CONTEXT, PATTERNS, _CONTEXT, PATTERNS).map(_grouped)
