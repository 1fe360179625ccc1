"""Reading expressions: what is refused at load, where, and what it says instead."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.expressions import EvaluationError, ExpressionError, compile_expression

KNOWN = {
    "outcome": ("kind", "value", "source"),
    "logprob": ("min", "mean", "known"),
    "verified": (),
    "deep": {"inner": ("leaf",), "open": None},
    "json": None,
}

REFUSED = [
    ("outcom.kind == 'x'", 0, "unknown name 'outcom' (did you mean 'outcome'?)"),
    ("outcome.kindd == 'x'", 8, "outcome has no 'kindd' (did you mean 'kind'?)"),
    ("outcome['kindd'] == 'x'", 8, "outcome has no 'kindd' (did you mean 'kind'?)"),
    ("verified.x", 9, "verified has no 'x'"),
    ("deep.inner.lef", 11, "deep.inner has no 'lef' (did you mean 'leaf'?)"),
    ("[1].all(x, x > y)", 15, "unknown name 'y'"),
    ("[1].all(x, true) && x", 20, "unknown name 'x'"),
    ("", 0, "an empty expression"),
    ("1 +", 3, "expected a value, but the text ends"),
    ("json.a[", 7, "expected a value, but the text ends"),
    ("(1", 2, "expected `)`, but the text ends"),
    ("1 2", 2, "expected an operator or the end, but found `2`"),
    ("json ? 1", 8, "expected `:`, but the text ends"),
    ("'abc", 0, "a string that does not end"),
    ("json = 1", 5, "`=` compares nothing; write `==`"),
    ("verified & verified", 9, "write `&&`"),
    ("json.siz()", 5, "no method 'siz' (did you mean 'size'?)"),
    ("sizes(json)", 0, "no function 'sizes' (did you mean 'size'?)"),
    ("size()", 0, "size() takes 1 argument"),
    ("json.contains()", 5, "contains() takes 1 argument"),
    ("has(json)", 0, "has() takes one field, as in `has(a.b)`"),
    ("all(json, true)", 0, "write it after a list: `list.all(x, ...)`"),
    ("json.all(1, true)", 9, "the first argument of all() is a name"),
    ("json.map(x)", 5, "write `map(x, ...)`: a name, then an expression over it"),
    ("9223372036854775808", 0, "an integer beyond 64 bits"),
    ("1e999", 0, "a double out of range"),
    ("12abc", 2, "a number runs into 'abc'; there are ints and doubles only"),
    ("1u", 1, "a number runs into 'u'; there are ints and doubles only"),
    (r"'a\d'", 2, r"no escape \d; write \\ for a backslash, or r'...'"),
    (r"'\ud800'", 1, "no such character"),
    ("json.matches('(')", 13, "not a pattern: missing ): ("),
    (r"json.matches(r'(a)\1')", 13, r"not a pattern: invalid escape sequence: \1"),
    ("{1: 2}", 1, "the keys of a map are strings"),
    ("for", 0, "'for' is a reserved word"),
    ("json.in", 5, "a field name must follow the dot"),
]


@pytest.mark.parametrize(("text", "position", "message"), REFUSED, ids=[r[0] for r in REFUSED])
def test_a_slip_is_refused_at_its_position(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, variables=KNOWN)
    assert (caught.value.position, caught.value.message) == (position, message)


def test_the_error_shows_the_line_with_a_caret() -> None:
    text = "verified &&\n  outcome.kindd == 'x'"
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, variables=KNOWN)
    assert str(caught.value) == (
        "outcome has no 'kindd' (did you mean 'kind'?)\n    outcome.kindd == 'x'\n            ^"
    )


def test_the_caret_of_a_long_line_stays_in_view() -> None:
    text = " " * 500 + "nope" + " " * 500
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, variables=KNOWN)
    _, shown, caret = str(caught.value).split("\n")
    assert len(shown) < 80
    assert shown[caret.index("^") :].startswith("nope")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("verified && logprob.min > -0.3", {"verified", "logprob.min"}),
        ("json.items.all(x, x.price > json.floor)", {"json.items", "json.floor"}),
        ("json['a'].b[0].c", {"json.a.b"}),
        ("has(outcome.value) ? outcome.value : 1", {"outcome.value"}),
        ("[verified].exists(json, json)", {"verified"}),
        ("1 + 1 == 2", set()),
    ],
)
def test_references_are_the_paths_it_reads(text: str, read: set[str]) -> None:
    assert compile_expression(text, variables=KNOWN).references == read


BOMBS = [
    "(" * 5000 + "1" + ")" * 4999,
    "[" * 9000,
    "!" * 9000 + "true",
    "-" * 9000 + "1",
    "1" + "+1" * 4000,
    "json" + ".a" * 4000,
    "json" + "[0]" * 3000,
    "true?1:" * 1400 + "1",
    "[" + "1," * 4900 + "1]",
    "1" + "&&1" * 3000,
    "has(" * 2000,
    "{'a':" * 1900,
    "x" * 20_000,
    "1" * 9000,
    "1." + "1" * 9000,
]


@pytest.mark.parametrize("text", BOMBS, ids=[bomb[:8] for bomb in BOMBS])
def test_a_bomb_is_refused_and_does_not_break_the_reader(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(text, variables=KNOWN)


def test_the_deepest_expression_allowed_still_runs() -> None:
    text = "(" * 30 + "1" + ")" * 30
    assert compile_expression(text, variables={}).evaluate({}) == 1


PIECES = (
    "verified json outcome.kind logprob.min 1 -1 2.5 'a' r'b' true null ( ) [ ] { } , : ? . && || !"
    " == <= in + - * / % has( .size() .all(x, .map(x, x size( int( .matches( ' \" \\ // 0x"
)
WORDS = st.sampled_from([*PIECES.split(" "), "\n", "9" * 20, "\ud800", "é", "\x00"])


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=25).map(" ".join)))
@settings(max_examples=600, deadline=None)
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        expression = compile_expression(text, variables=KNOWN)
    except ExpressionError as caught:
        error = caught
    else:
        with contextlib.suppress(EvaluationError):
            expression.evaluate({"verified": True, "json": {"a": [1, "x"]}, "outcome": {}})
        return
    assert 0 <= error.position <= len(text)
    assert error.message in str(error)
