"""What each kind of verifier calls clear, found and unjudged."""

from typing import Any

import pytest

from pointsman.domain.messages import Reply, ToolCall
from pointsman.domain.task import VerifierSpec
from pointsman.domain.verdict import CheckResult
from pointsman.verifiers import compile_verifier, run_verifiers

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": "integer", "minimum": 0},
        "since": {"type": "string", "format": "date"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def check(kind: Any, spec: Any, content: str, **reply: Any) -> CheckResult:
    verifier = compile_verifier(VerifierSpec(name="shape", kind=kind, spec=spec))
    (result,) = run_verifiers((verifier,), Reply(content=content, **reply))
    assert result.check == "shape"
    return result


def status(kind: Any, spec: Any, content: str) -> str:
    return check(kind, spec, content).status


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        ('{"name": "Ada"}', None),
        ('  {"name": "Ada", "age": 36, "since": "2026-11-24", "tags": ["a"]}\n', None),
        ('{"name": ""}', "$.name minLength"),
        ('{"age": 1}', "$ required"),
        ('{"name": "Ada", "age": -1}', "$.age minimum"),
        ('{"name": "Ada", "age": "36"}', "$.age type"),
        ('{"name": "Ada", "since": "2026-02-30"}', "$.since format"),
        ('{"name": "Ada", "tags": ["a", "secret"]}', "$.tags[1] enum"),
        ('{"name": "Ada", "tags": ["a", "a"]}', "$.tags uniqueItems"),
        ('{"name": "Ada", "secret": 1}', "$ additionalProperties"),
        ("[]", "$ type"),
        ("not json, secret", "not JSON at character 0"),
        ('{"name": "Ada"} and more', "not JSON at character 16"),
        ('{"name": "Ada", "name": "Bob"}', "not JSON: an object has the same key twice"),
        ('{"name": "Ada", "age": NaN}', "not JSON: NaN or Infinity"),
        (
            '```json\n{"name": "Ada"}\n```',
            "fenced: the answer stands in a Markdown code fence",
        ),
    ],
)
def test_a_schema_says_where_and_which_keyword(content: str, detail: str | None) -> None:
    result = check("json_schema", PERSON, content)
    assert (result.status, result.detail) == (
        ("clear", "") if detail is None else ("found", detail)
    )


def test_a_key_of_the_answer_is_never_shown_in_a_place() -> None:
    schema = {"additionalProperties": {"type": "object", "additionalProperties": {"type": "null"}}}
    result = check("json_schema", schema, '{"secret-a": {"secret-b": 1}}')
    assert (result.status, result.detail) == ("found", "$.*.* type")


def test_many_errors_are_counted_not_listed() -> None:
    schema = {"items": {"type": "string"}}
    result = check("json_schema", schema, "[1, 2, 3, 4, 5]")
    assert result.detail == "$[0] type; $[1] type; $[2] type; and 2 more"


@pytest.mark.parametrize(
    ("schema", "content", "expected"),
    [
        ({"patternProperties": {"^n_": {"type": "number"}}}, '{"n_a": 1, "b": "x"}', "clear"),
        ({"patternProperties": {"^n_": {"type": "number"}}}, '{"n_a": "1"}', "found"),
        (
            {"patternProperties": {"^n_": {}}, "additionalProperties": False},
            '{"n_a": 1, "b": 2}',
            "found",
        ),
        ({"uniqueItems": True}, '[1, true, "1", [1], {"a": 1}]', "clear"),
        ({"uniqueItems": True}, '[{"a": 1, "b": 2}, {"b": 2, "a": 1.0}]', "found"),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "number"}}}, "1.5", "clear"),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "number"}}}, '"x"', "found"),
        ({"type": "string", "pattern": "^a+$"}, '"aaa"', "clear"),
        ({"type": "string", "pattern": "^a+$"}, '"b"', "found"),
        (True, "null", "clear"),
        (False, "null", "found"),
    ],
)
def test_a_schema_judges_as_the_draft_says(schema: Any, content: str, expected: str) -> None:
    assert status("json_schema", schema, content) == expected


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", "2026-11-24T12:04:11.5+01:00", "2026-11-24 12:04"),
        ("time", "23:59:60Z", "24:00:00Z"),
        ("date", "2024-02-29", "2100-02-29"),
        ("date", "2000-02-29", "2026-13-01"),
        ("email", "a.b@example.org", "a..b@example.org"),
        ("hostname", "example.org", "-example.org"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::1", "::g"),
        ("uri", "https://example.org/a?b=c", "example.org/a b"),
        ("uuid", "12345678-1234-1234-1234-123456789abc", "12345678"),
    ],
)
def test_formats_are_checked_not_waved_through(name: str, good: str, bad: str) -> None:
    schema = {"type": "string", "format": name}
    assert status("json_schema", schema, f'"{good}"') == "clear"
    assert status("json_schema", schema, f'"{bad}"') == "found"


@pytest.mark.parametrize(
    ("content", "expected"),
    [("A-12", "clear"), ("  A-12\n", "clear"), ("A-12 is it", "found"), ("", "unjudged")],
)
def test_a_pattern_must_match_the_whole_answer(content: str, expected: str) -> None:
    assert status("regex", r"[A-Z]-\d+", content) == expected


@pytest.mark.parametrize(
    ("spec", "content", "expected"),
    [
        ({}, "12.50", "clear"),
        ({}, "-0.5", "clear"),
        ({}, "1,000", "found"),
        ({}, "1e3", "found"),
        ({}, "+1", "found"),
        ({}, "007", "found"),
        ({}, "12 euros", "found"),
        ({}, "١٢", "found"),
        ({"min": 0, "max": 39.5}, "39.5", "clear"),
        ({"min": 0, "max": 39.5}, "39.51", "found"),
        ({"min": 0}, "-1", "found"),
        ({"decimals": 2}, "12.50", "clear"),
        ({"decimals": 2}, "12.5", "found"),
        ({"decimals": 0}, "12", "clear"),
        ({"integer": True}, "12", "clear"),
        ({"integer": True}, "12.0", "found"),
        ({"max": 10}, "9" * 300, "found"),
        ({"max": 10}, "9" * 1000, "unjudged"),
    ],
)
def test_a_number_is_plain_and_within_its_bounds(spec: Any, content: str, expected: str) -> None:
    assert status("number", spec, content) == expected


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        ('{"kind": "refund", "amount": 3, "note": "secret"}', None),
        ('{"kind": "refund"}', None),
        ("{}", "field 'kind' is missing"),
        ('{"kind": "secret"}', "field 'kind' is not one of the allowed values"),
        ('{"kind": "refund", "amount": true}', "field 'amount' is not of type number"),
        ('{"kind": "refund", "internal": 1}', "field 'internal' is forbidden"),
        ('["kind"]', "the answer is not a JSON object"),
    ],
)
def test_fields_are_checked_by_name(content: str, detail: str | None) -> None:
    spec = {
        "required": ["kind"],
        "forbidden": ["internal"],
        "one_of": {"kind": ["refund", "question"]},
        "types": {"amount": "number"},
    }
    result = check("fields", spec, content)
    assert (result.status, result.detail) == (
        ("clear", "") if detail is None else ("found", detail)
    )


def test_true_is_not_one_of_the_allowed_numbers() -> None:
    assert status("fields", {"one_of": {"a": [1]}}, '{"a": true}') == "found"
    assert status("fields", {"one_of": {"a": [1]}}, '{"a": 1.0}') == "clear"


@pytest.mark.parametrize(
    ("expression", "content", "expected"),
    [
        ("answer.startsWith('The total is ')", "The total is 12.", "clear"),
        ("answer.startsWith('The total is ')", "12", "found"),
        ("json.total > 3", '{"total": 4}', "clear"),
        ("json.total > 3", '{"total": 2}', "found"),
        ("json.total > 3", '{"sum": 4}', "unjudged"),
        ("json.total > 3", "not json", "unjudged"),
        ("json == null || json.total > 3", "not json", "clear"),
        ("number != null && number < 100.0", "12", "clear"),
        ("number != null && number < 100.0", "twelve", "found"),
    ],
)
def test_an_expression_reads_text_json_and_number(
    expression: str, content: str, expected: str
) -> None:
    assert status("expression", expression, content) == expected


def test_the_arguments_of_the_only_tool_call_are_the_json() -> None:
    call = ToolCall(index=0, name="pay", arguments='{"name": "Ada"}')
    assert check("json_schema", PERSON, "", tool_calls=(call,)).status == "clear"
    wrong = ToolCall(index=0, name="pay", arguments='{"age": 3}')
    assert check("json_schema", PERSON, "", tool_calls=(wrong,)).status == "found"


def test_two_tool_calls_or_none_cannot_be_judged() -> None:
    calls = tuple(ToolCall(index=i, name="pay", arguments="{}") for i in range(2))
    assert check("json_schema", PERSON, "", tool_calls=calls).status == "unjudged"
    assert check("json_schema", PERSON, "").detail == "no text"
    assert check("regex", ".*", "", tool_calls=calls[:1]).status == "unjudged"


def test_results_come_in_the_order_of_the_verifiers() -> None:
    verifiers = [
        compile_verifier(VerifierSpec(name=name, kind="regex", spec=pattern))
        for name, pattern in (("digits", r"\d+"), ("letters", "[a-z]+"))
    ]
    results = run_verifiers(verifiers, Reply(content="12"))
    assert [(r.check, r.status) for r in results] == [("digits", "clear"), ("letters", "found")]
