"""Whatever an answer holds, a check ends quickly, never raises, and never quotes it."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.messages import Reply, ToolCall
from pointsman.domain.task import VerifierSpec
from pointsman.verifiers import Verifier, compile_verifier, run_verifiers
from pointsman.verifiers.answer import MAX_ANSWER_BYTES, MAX_JSON_DEPTH


def verifier(kind: Any, spec: Any) -> Verifier:
    return compile_verifier(VerifierSpec(name=kind, kind=kind, spec=spec))


TREE = {"anyOf": [{"type": "array", "items": {"$ref": "#"}, "uniqueItems": True}, {"not": {}}]}
EVERY = (
    verifier("json_schema", {"type": "object", "additionalProperties": {"type": "integer"}}),
    verifier("json_schema", TREE),
    verifier("regex", r"(a+)+b"),
    verifier("number", {"min": 0, "max": 10, "decimals": 2}),
    verifier("fields", {"required": ["a"], "types": {"a": "integer"}, "one_of": {"a": [1, "x"]}}),
    verifier("expression", "json.a.b[0] > 1 || number > 3.0 || answer.matches('^x')"),
)

texts = st.one_of(
    st.text(),
    st.text(alphabet='{}[]",:\\0123456789eE.-+ntrufalsN`\n', max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(json.dumps),
    st.characters(categories=["Cs"]).map(lambda c: f'"{c}"'),
)


@given(texts, texts)
def test_no_answer_makes_a_check_raise(content: str, arguments: str) -> None:
    for reply in (
        Reply(content=content),
        Reply(content=content, tool_calls=(ToolCall(index=0, arguments=arguments),)),
        Reply(tool_calls=(ToolCall(index=0, arguments=arguments),)),
    ):
        results = run_verifiers(EVERY, reply)
        assert len(results) == len(EVERY)
        assert all(result.detail for result in results if result.status != "clear")


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 50_000 + "1" + "}" * 50_000,
        '"' + '\\"' * 120_000,
        "1" * 250_000,
        "[" + "9" * 5_000 + "]",
        "[1e999]",
        "a" * 250_000,
        "[" + ",".join(['1,"x",[2],{"a":3}'] * 12_000) + "]",
        "```json\n" * 30_000,
        "\x00" * 1000,
    ],
    ids=lambda content: f"{content[:6]!r}*{len(content)}",
)
def test_a_hostile_answer_is_judged_in_time(content: str) -> None:
    began = time.perf_counter()
    results = run_verifiers(EVERY, Reply(content=content))
    assert time.perf_counter() - began < 3.0
    assert any(result.status != "clear" for result in results)


@pytest.mark.parametrize("depth", [MAX_JSON_DEPTH, MAX_JSON_DEPTH + 1])
def test_depth_is_bounded(depth: int) -> None:
    (result,) = run_verifiers((verifier("json_schema", True),), Reply(content="[" * depth))
    assert result.status == ("found" if depth == MAX_JSON_DEPTH else "unjudged")


def test_brackets_inside_strings_are_not_depth() -> None:
    content = json.dumps("[" * 1000 + '"')
    (result,) = run_verifiers((verifier("json_schema", True),), Reply(content=content))
    assert result.status == "clear"


def test_an_answer_over_the_bound_is_not_looked_at() -> None:
    for content in ("a" * (MAX_ANSWER_BYTES + 1), "é" * (MAX_ANSWER_BYTES // 2 + 1)):
        for result in run_verifiers(EVERY, Reply(content=content)):
            assert (result.status, result.detail) == ("unjudged", "longer than 256 KiB")


@pytest.mark.parametrize("number", ["9" * 5000, "1e999", "-1e999", "0." + "1" * 5000])
def test_a_number_we_cannot_hold_is_unjudged_in_json(number: str) -> None:
    (result,) = run_verifiers((verifier("json_schema", True),), Reply(content=f"[{number}]"))
    assert result.status == "unjudged"


def test_a_check_that_crashes_could_not_look() -> None:
    def crash(_: object) -> None:
        raise KeyError("the answer's own words")

    (result,) = run_verifiers((Verifier(name="x", kind="x", look=crash),), Reply(content="a"))
    assert (result.status, result.detail) == ("unjudged", "the check failed: KeyError")


def test_no_detail_quotes_the_answer() -> None:
    word = "Zanzibar"
    for content in (
        word,
        json.dumps({word: word}),
        json.dumps({"a": {word: [word]}}),
        json.dumps([word, [word]]),
        f"```json\n{word}\n```",
        f'{{"{word}": 1, "{word}": 2}}',
    ):
        for result in run_verifiers(EVERY, Reply(content=content)):
            assert word not in result.detail


def test_a_schema_that_takes_too_many_steps_is_unjudged() -> None:
    content = "[" + ",".join(["1"] * 60_000) + "]"
    check = verifier("json_schema", {"items": {"type": "integer"}})
    (result,) = run_verifiers((check,), Reply(content=content))
    assert (result.status, result.detail) == ("unjudged", "more than 50000 steps to check")
