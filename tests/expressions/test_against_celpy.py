"""Cross-check: what we compute is what cel-python computes, on expressions made at random.

Kept out of the comparison, since cel-python departs from the specification there: equality and
order across types, `true == 1`, negative list indices, `string(bool)`, three-part `map`, 0.0 / 0.0,
methods of a concatenation, and errors inside `filter`, `map` and `exists_one` beside a side that
decides.
"""

from typing import Any

import celpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.expressions import EvaluationError, compile_expression

CEL = celpy.Environment()
ENV: dict[str, Any] = {
    "n": 7,
    "d": 2.5,
    "s": "añb",
    "b": True,
    "l": [3, 1, 2],
    "m": {"k": 1, "z": 0, "deep": {"x": 4}},
}


def ours(text: str) -> Any:
    try:
        return compile_expression(text, variables=dict.fromkeys(ENV)).evaluate(ENV)
    except EvaluationError:
        return None


def theirs(text: str) -> Any:
    try:
        return CEL.program(CEL.compile(text)).evaluate(celpy.json_to_cel(ENV))
    except (celpy.CELEvalError, OverflowError):  # it lets int(inf) escape
        return None


def alike(mine: Any, other: Any) -> bool:
    if mine is None or other is None:
        return mine is other
    if isinstance(mine, bool):
        return isinstance(other, celpy.celtypes.BoolType | bool) and mine == bool(other)
    if isinstance(mine, list):
        return len(mine) == len(other) and all(map(alike, mine, other))
    if isinstance(mine, float):
        return isinstance(other, float) and (mine == other or (mine != mine and other != other))
    return isinstance(other, type(mine)) and mine == other


def binary(operators: str, left: Any, right: Any) -> Any:
    return st.builds(
        lambda o, a, b: f"({a} {o} {b})", st.sampled_from(operators.split()), left, right
    )


def method(names: str, target: Any, argument: Any) -> Any:
    return st.builds(
        lambda t, n, a: f"{t}.{n.replace('@', a)}",
        target,
        st.sampled_from(names.split("|")),
        argument,
    )


class Grammar:
    """Expressions of each type, a stated number of levels deep."""

    def __init__(self) -> None:
        whole = ["n", "m.k", "m.z", "m.deep.x", "m.gone", "l[1]", "l[5]", "size(s)", "l.size()"]
        limits = ["9223372036854775807", "-9223372036854775808", "9" * 18]
        self.literal = st.integers(-9, 9).map(str)
        self.ints = st.one_of(self.literal, st.sampled_from(whole), st.sampled_from(limits))
        self.doubles = st.sampled_from(["d", "0.0", "-1.5", "1e3", "2.25", ".5"])
        texts = ["s", "''", "'a'", '"ñ"', r"'\u00e9\n'", r"r'\d'", "'ab'"]
        self.texts = self.strings = st.sampled_from(texts)
        self.lists = st.one_of(
            st.just("l"),
            st.lists(self.ints, min_size=1, max_size=3).map(", ".join).map("[{}]".format),
        )
        self.bools = st.sampled_from(
            ["true", "false", "b", "has(m.k)", "has(m.gone)", "'k' in m", "'q' in m"]
        )

    def deeper(self) -> None:
        ints, doubles, strings, lists, bools = (
            self.ints, self.doubles, self.strings, self.lists, self.bools,
        )  # fmt: skip
        self.ints = st.one_of(
            ints,
            binary("+ - * / %", ints, ints),
            doubles.map("int({})".format),
            st.builds("({} ? {} : {})".format, bools, ints, ints),
        )
        self.doubles = st.one_of(
            doubles,
            binary("+ - *", doubles, doubles),
            binary("/", doubles, st.sampled_from(["2.0", "-.5"])),
            ints.map("double({})".format),
        )
        self.strings = st.one_of(
            strings, binary("+", strings, strings), ints.map("string({})".format)
        )
        self.lists = st.one_of(lists, method("filter(x, x > @)|map(x, x - @)", lists, self.literal))
        self.bools = st.one_of(
            bools,
            binary("== != < <= > >=", ints, ints),
            binary("== != < <= > >=", strings, strings),
            binary("< <= > >=", doubles, doubles),
            binary("in", ints, lists),
            binary("&& ||", bools, bools),
            bools.map("!({})".format),
            method("contains(@)|startsWith(@)|endsWith(@)", self.texts, strings),
            method("all(x, x > @)|exists(x, @ < x)", lists, ints),
            method("exists_one(x, x > @)", lists, self.literal),
        )


def expressions() -> Any:
    grammar = Grammar()
    for _ in range(3):
        grammar.deeper()
    return st.one_of(grammar.ints, grammar.doubles, grammar.strings, grammar.lists, grammar.bools)


@given(expressions())
@settings(max_examples=300, deadline=None)
def test_the_same_value_or_no_value_on_both_sides(text: str) -> None:
    mine, other = ours(text), theirs(text)
    assert alike(mine, other), (text, mine, other)


@pytest.mark.parametrize(
    "text", ["1 + 1.0", "'a' + 1", "!1", "-'a'", "1 ? 2 : 3", "1 % 0", "[1][1]", "{'a': 1}['b']"]
)
def test_no_value_on_either_side(text: str) -> None:
    assert (ours(text), theirs(text)) == (None, None)
