"""What expressions mean: values, errors that are forgiven, and the bound on work."""

from typing import Any

import msgspec
import pytest

from pointsman.expressions import EvaluationError, compile_expression
from pointsman.expressions.values import MAX_STEPS


class Order(msgspec.Struct):
    total: float
    note: str | None = None


ENV: dict[str, Any] = {
    "json": {"n": 7, "price": 12.5, "list": [1, 2, 3], "text": "añb", "nil": None, "m": {"k": 1}},
    "order": Order(total=2.0),
    "pair": (1, 2),
}


def value_of(text: str, env: dict[str, Any] = ENV) -> Any:
    return compile_expression(text, variables=dict.fromkeys(env)).evaluate(env)


TRUE = [
    "1 == 1.0", "1 < 1.5", "2.5 > 2", "1 != '1'", "true != 1", "null == null", "null != false",
    "[1, 2.0] == [1.0, 2]", "{'a': [1]} == {'a': [1.0]}", "{'a': 1} != {'b': 1}",
    "-7 / 2 == -3", "-7 % 3 == -1", "7 / -2 == -3", "1.0 / 0.0 > 1e308", "-9223372036854775808 < 0",
    "0x1F == 31", "'a' + 'b' == 'ab'", "[1] + [2] == [1, 2]", "'a' < 'b'", "false < true",
    "json.n in [7.0]", "'k' in json.m", "!('z' in json.m)", "!(1 in json.m)", "json.list[2] == 3",
    "json['n'] == 7", "json.text.size() == 3", "size(json.list) == 3", "size(json.m) == 1",
    "has(json.nil)", "!has(json.gone)", "json.nil == null", "has(order.total)", "!has(order.note)",
    "order.note == null", "order.total == 2", "pair == [1, 2]", "pair.all(x, x > 0)",
    "json.text.contains('ñ')", "json.text.startsWith('a')", "json.text.endsWith('b')",
    "json.text.matches('^a.b$')", "matches('abc', 'b')", "!'abc'.matches('^b')",
    "'x'.matches(json.text) == false",
    "int('-12') == -12", "int(-1.9) == -1", "double('1.5') == 1.5", "double(2) / 4.0 == 0.5",
    "string(1) == '1'", "string(1.0) == '1'", "string(1.5) == '1.5'", "string(true) == 'true'",
    "json.list.exists(x, x == 2)", "json.list.exists_one(x, x > 2)", "[].all(x, false)",
    "json.list.filter(x, x > 1) == [2, 3]", "json.list.map(x, x * 2) == [2, 4, 6]",
    "json.list.map(x, x > 1, x * 2) == [4, 6]", "json.m.all(k, k == 'k')",
    "json.list.all(x, json.list.exists(y, y == x))", "[1].all(json, json == 1)",
    "true || 1 / 0 > 0", "1 / 0 > 0 || true", "!(1 / 0 > 0 && false)", "1 || true",
    "[0, 1].exists(x, 1 / x == 1)", "![0, 2].all(x, 1 / x == 1)", "true ? true : 1 / 0 > 0",
    "true || false && false", "1 + 2 * 3 == 7", "(1 + 2) * 3 == 9", "10 - 3 - 2 == 5",
    "-json.n == -7", "--json.n == 7", "!!true", "- 5 == -5", "false ? 1 == 2 : true ? true : false",
    r"'\x41\u00e9\101\n\t\'' == 'Aé' + 'A' + '\n\t' + "
    r'"' "'" r'"',
    r"r'\d' == '\\d'", "'a' == \"a\"  // a comment", "{'a': 1,}.a == 1", "[1,].size() == 1",
]  # fmt: skip


@pytest.mark.parametrize("text", TRUE)
def test_it_holds(text: str) -> None:
    assert value_of(text) is True


ERRORS = [
    ("json.gone", "no field 'gone'"),
    ("order.gone", "no field 'gone'"),
    ("json.n.x", "a int has no fields, so no 'x'"),
    ("has(json.gone.x)", "no field 'gone'"),
    ("1 + 1.0", "no `+` for int and double; write double(x)"),
    ("'a' + 1", "no `+` for string and int"),
    ("true + true", "no `+` for bool and bool"),
    ("1.0 % 2.0", "no `%` for double and double"),
    ("1 / 0", "division by zero"),
    ("1 % 0", "remainder of a division by zero"),
    ("9223372036854775807 + 1", "an int beyond 64 bits"),
    ("-9223372036854775808 / -1", "an int beyond 64 bits"),
    ("-(-9223372036854775808)", "an int beyond 64 bits"),
    ("9223372036854775807 * 2", "an int beyond 64 bits"),
    ("1 < 'a'", "no `<` for int and string"),
    ("[1] < [2]", "no `<` for list and list"),
    ("null < 1", "no `<` for null and int"),
    ("true < 1", "no `<` for bool and int"),
    ("1 in 'abc'", "`in` looks into a list or a map, not a string"),
    ("!1", "no `!` for int"),
    ("-'a'", "no `-` for string"),
    ("1 ? 2 : 3", "the condition of `?:` is a int"),
    ("1 && true", "int is not true or false"),
    ("1 / 0 > 0 || false", "division by zero"),
    ("json.list[3]", "index out of the list's range"),
    ("json.list[-1]", "index out of the list's range"),
    ("json.list['a']", "a list is indexed by int, not string"),
    ("json.m[1]", "no index of type int for map"),
    ("'abc'[0]", "no index of type int for string"),
    ("json.n.size()", "no size of int"),
    ("json.n.contains('a')", "no contains() for int and string"),
    ("json.n.matches('a')", "no matches() for int"),
    ("'a'.matches('(' + '')", "not a pattern: missing ): ("),
    ("int('1_0')", "no int from this string"),
    ("int('99999999999999999999')", "an int beyond 64 bits"),
    ("int(1e30)", "a double beyond 64 bits"),
    ("int(true)", "no int from this bool"),
    ("double('nan')", "no double from this string"),
    ("string([1])", "no string from list"),
    ("json.n.all(x, true)", "no elements in a int"),
    ("json.list.all(x, x)", "int is not true or false"),
    ("json.list.filter(x, x)", "int is not true or false"),
    ("[1, 0].exists_one(x, 1 / x == 1)", "division by zero"),
    ("{'a': 1, 'a': 2}", "a doubled key in a map"),
    ("{json.n: 1}", "the keys of a map are strings, not int"),
]


@pytest.mark.parametrize(("text", "message"), ERRORS, ids=[e[0] for e in ERRORS])
def test_it_has_no_value(text: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        value_of(text)
    assert str(caught.value) == message


def test_a_test_wants_true_or_false() -> None:
    assert compile_expression("1 == 1", variables={}).test({}) is True
    with pytest.raises(EvaluationError, match="wants true or false, but this is a int"):
        compile_expression("1", variables={}).test({})


def test_a_variable_that_was_not_given_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="no value for 'json'"):
        compile_expression("json", variables={"json": None}).evaluate({})


@pytest.mark.parametrize(
    "text",
    [
        "l.all(a, l.all(b, l.all(c, true)))",
        "l.map(a, l.map(b, l.map(c, c)))",
        "l.exists(a, l.exists(b, l.exists(c, false))) || true",
        "l.all(a, l.all(b, l == l))",
        "l.all(a, l.all(b, !('x' in l)))",
        "l.all(a, l.all(b, !t.contains('zz')))",
        "l.all(a, l.all(b, !t.matches('z$')))",
        "[t]" + ".map(x, x + x)" * 25,
        "[l]" + ".map(x, x + x)" * 25,
    ],
)
def test_work_is_bounded_and_no_or_forgives_it(text: str) -> None:
    env = {"l": list(range(400)), "t": "y" * 4000}
    with pytest.raises(EvaluationError, match=f"more than {MAX_STEPS} steps"):
        value_of(text, env)


def test_values_nested_too_deep_are_an_error_not_a_crash() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(EvaluationError, match="nested too deep"):
        value_of("a == b", {"a": deep, "b": [deep]})
    with pytest.raises(EvaluationError):
        value_of("a == [b[0]]", {"a": deep, "b": deep})


def test_an_error_never_quotes_the_values() -> None:
    env = {"secret": "hunter2"}
    for text in ("secret + 1", "secret.x", "int(secret)", "secret && true", "1[secret]"):
        with pytest.raises(EvaluationError) as caught:
            value_of(text, env)
        assert "hunter2" not in str(caught.value)
