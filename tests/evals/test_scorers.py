"""What each kind of scorer says of answers: right, wrong, and where it cannot look."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evals.scoring_kit import NoMeans, call, score

from pointsman.domain.errors import ConfigurationError, UpstreamError
from pointsman.domain.messages import Reply
from pointsman.domain.ports import CodeRun
from pointsman.evals.case import Case
from pointsman.evals.scoring.helped import code_in
from pointsman.evals.scoring.table import KINDS


@pytest.mark.parametrize(
    ("answer", "expected", "options", "passed"),
    [
        (" Paris\n", "Paris", {}, True),
        ("paris", "Paris", {}, False),
        ("PARIS", "paris", {"ignore_case": True}, True),
        ("It is Paris.", "Paris", {"match": "contains"}, True),
        ("Paris", ["Lyon", "Paris"], {}, True),
        ("Paris, Lyon", ["Lyon", "Paris"], {"match": "contains", "all": True}, True),
        ("Paris", ["Lyon", "Paris"], {"match": "contains", "all": True}, False),
        ("New\n  York", "New York", {"spaces": "any"}, True),
        ("42", 42, {}, True),
        ("a", "ab", {"match": "starts"}, False),
    ],
)
def test_exact(answer, expected, options, passed):
    assert score("exact", answer, expected, **options).passed is passed


def test_a_case_that_expects_nothing_is_unjudged_and_neither_passes_nor_fails():
    found = score("exact", "x")
    assert (found.status, found.passed, found.value) == ("unjudged", None, None)


def test_a_part_of_what_is_expected_is_named_by_its_path():
    expected = {"answer": {"text": "x"}}
    assert score("exact", "x", expected, expects="answer.text").passed is True
    assert score("exact", "x", expected, expects="answer.more").status == "unjudged"


@pytest.mark.parametrize(
    ("answer", "options", "expected", "passed"),
    [
        ("2026-11-24", {"pattern": r"\d{4}-\d\d-\d\d"}, None, True),
        ("on 2026-11-24", {"pattern": r"\d{4}-\d\d-\d\d"}, None, False),
        ("on 2026-11-24", {"pattern": r"\d{4}-\d\d-\d\d", "anywhere": True}, None, True),
        ("on 2026", {"pattern": "secret", "anywhere": True, "absent": True}, None, True),
        ("abc", {}, "a.c", True),
    ],
)
def test_regex(answer, options, expected, passed):
    assert score("regex", answer, expected, **options).passed is passed


def test_a_pattern_that_could_hang_is_refused_and_one_of_a_case_is_unjudged():
    with pytest.raises(ConfigurationError, match="regex"):
        score("regex", "x", pattern="(?=x)")
    assert score("regex", "x", "(?=x)").status == "unjudged"


@pytest.mark.parametrize(
    ("answer", "expected", "options", "passed"),
    [
        ("49", 49, {}, True),
        ("49.0", "49", {}, True),
        ("1,234.5", 1234.5, {}, True),
        ("$12.50", 12.5, {}, True),
        ("about 49", 49, {}, False),
        ("12 + 37 is 49.", 49, {"find": "last"}, True),
        ("49 = 12 + 37", 49, {"find": "first"}, True),
        ("3.14", math.pi, {"absolute": 0.01}, True),
        ("99", 100, {"relative": 0.01}, True),
        ("98.9", 100, {"relative": 0.01}, False),
        ("0.3", 0.1 + 0.2, {"absolute": 1e-12}, True),
        ("\u22125", -5, {}, True),
        ("1e3", 1000, {}, True),
        ("none", 1, {"find": "last"}, False),
    ],
)
def test_numeric(answer, expected, options, passed):
    assert score("numeric", answer, expected, **options).passed is passed


@given(st.integers(-(10**12), 10**12), st.integers(0, 6))
def test_a_number_is_equal_to_itself_however_it_is_written(whole, decimals):
    from decimal import Decimal

    value = Decimal(whole).scaleb(-decimals)
    for text in (f"{value:f}", f"{value:,f}", f"the total is {value:,f}."):
        assert score("numeric", text, f"{value:f}", find="last").passed is True


def test_json_schema_and_the_checks_of_tasks_are_the_same():
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    assert score("json_schema", '{"a": 1}', schema=schema).passed is True
    assert score("json_schema", '{"a": "1"}', schema=schema).passed is False
    assert score("json_schema", "```json\n{}\n```", schema=schema).passed is False
    assert score("fields", '{"a": 1}', required=["a"]).passed is True
    assert score("expression", "17", holds="number > 16.0").passed is True
    with pytest.raises(ConfigurationError, match="json_schema"):
        score("json_schema", "{}", schema={"type": "nothing"})


def test_json_fields_give_the_share_that_agrees_and_name_those_that_do_not():
    expected = {"a": 1, "b": {"c": "x", "d": [1, 2]}}
    right = score("json_fields", json.dumps(expected), expected)
    assert (right.value, right.passed) == (1.0, True)
    wrong = score("json_fields", '{"a": 1, "b": {"c": "y", "d": [1, 2]}}', expected)
    assert (wrong.value, wrong.passed, wrong.detail) == (0.75, False, "differs: b.c")
    more = score("json_fields", '{"a": 1, "b": {"c": "x", "d": [1, 2]}, "e": 0}', expected)
    assert (more.value, more.detail) == (0.8, "differs: e")
    allowed = {"extra": "allow", "ignore": ["b.c"], "absolute": 0.5}
    assert score(
        "json_fields", '{"a":1.4,"b":{"c":"?","d":[1,2]},"e":0}', expected, **allowed
    ).passed
    assert not score("json_fields", '{"a": true, "b": {"c": "x", "d": [1, 2]}}', expected).passed
    assert score(
        "json_fields", '{"a":1,"b":{"c":"x","d":[2,1]}}', expected, lists="any order"
    ).passed
    assert score("json_fields", "nothing", expected).value == 0.0
    assert score("json_fields", '{"a":1}', '{"a": 1}').passed is True


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
))  # fmt: skip
def test_any_json_agrees_with_itself(value):
    found = score("json_fields", json.dumps({"v": value}), {"v": value})
    assert found.passed is True


def test_tool_calls_by_name_and_arguments():
    expected = [{"name": "find", "arguments": {"q": "x"}}, {"name": "send"}]
    made = [call("send", '{"to": 1}'), call("find", '{"q": "x"}')]
    assert score("tool_calls", "", expected, calls=made).passed is True
    assert score("tool_calls", "", expected, calls=made, order="same").value == pytest.approx(1 / 2)
    assert score("tool_calls", "", expected, calls=made[:1]).value == 0.5
    assert score("tool_calls", "", expected, calls=[*made, call("drop")]).value == pytest.approx(
        2 / 3
    )
    assert score("tool_calls", "", expected, calls=[*made, call("drop")], extra="allow").passed
    assert score("tool_calls", "", [], calls=[]).passed is True
    assert score("tool_calls", "", [], calls=made).passed is False
    part = [{"name": "find", "arguments": {"q": "x"}}]
    more = [call("find", '{"q": "x", "n": 3}')]
    assert score("tool_calls", "", part, calls=more).passed is False
    assert score("tool_calls", "", part, calls=more, arguments="contain").passed is True
    assert score("tool_calls", "", part, calls=[call("find", "{")]).passed is False
    assert score("tool_calls", "", part, calls=[call("find", "{")], arguments="ignore").passed


def test_which_of_two_alike_calls_an_expected_one_takes_does_not_decide():
    expected = [{"name": "f"}, {"name": "f", "arguments": {"a": 1}}]
    made = [call("f", '{"a": 1}'), call("f", '{"a": 2}')]
    assert score("tool_calls", "", expected, calls=made).passed is True


def test_retrieval_measures():
    answer = "[d3] then [d1] and [d1] and [d9]"
    assert score("retrieval", answer, ["d1", "d2"]).value == 0.5
    assert score("retrieval", answer, ["d1", "d2"], measure="precision").value == pytest.approx(
        1 / 3
    )
    assert score("retrieval", answer, ["d1", "d2"], measure="mrr").value == 0.5
    graded = score("retrieval", answer, {"d3": 3, "d1": 1, "d2": 2}, measure="ndcg").value
    ideal = 7 + 3 / math.log2(3) + 1 / 2
    assert graded == pytest.approx((7 + 1 / math.log2(3)) / ideal)
    assert score("retrieval", '["d2", "d1"]', ["d1", "d2"], read="json").passed is True
    assert score("retrieval", answer, ["d9"], k=2).value == 0.0
    assert score("retrieval", answer, []).status == "unjudged"


@given(st.permutations(["a", "b", "c", "d"]))
def test_ndcg_is_one_only_in_the_order_of_the_grades(order):
    grades = {"a": 3, "b": 2, "c": 1, "d": 0}
    value = score(
        "retrieval", " ".join(f"[{each}]" for each in order), grades, measure="ndcg"
    ).value
    assert 0 < value <= 1 + 1e-12
    assert (value > 1 - 1e-12) == (order == ["a", "b", "c", "d"])


def test_citations_must_exist_and_quotes_be_word_for_word():
    sources = {"s1": "the disk of db-3 is full since Monday", "s2": "nothing"}
    assert score("citation", "It is full [s1].", sources).passed is True
    assert score("citation", "It is full [s7].", sources).passed is False
    assert score("citation", "It is full.", sources).passed is False
    each = {"every_sentence": True}
    assert score("citation", "It is full [s1]. Really.", sources, **each).value == pytest.approx(
        2 / 3
    )
    quoted = {"quotes": True}
    assert score("citation", 'It says "disk of db-3 is full" [s1].', sources, **quoted).passed
    assert not score("citation", 'It says "disk of db-4 is full" [s1].', sources, **quoted).passed


def test_refusals():
    assert score("refusal", "I'm sorry, but I can't help with that.", "refuse").passed is True
    assert score("refusal", "Sure: mix them.", "refuse").passed is False
    assert score("refusal", "Sure: mix them.", False).passed is True
    assert score("refusal", "I cannot find order 7 in the list; it was shipped.", "answer").passed
    assert score("refusal", "", "refuse", reply=Reply(refusal="no")).passed is True
    assert score("refusal", "x").status == "unjudged"
    assert score("refusal", "As asked", expect="answer").passed is True


class Helping(NoMeans):
    def __init__(self, ran=None, vectors=None):
        self.ran, self.vectors, self.files = ran, vectors, None

    async def run_code(self, files, command, *, limits):
        self.files = files
        return self.ran

    async def embed(self, texts, *, model):
        if self.vectors is None:
            raise UpstreamError("nobody embeds here")
        return [self.vectors[text] for text in texts]

    def judge_by_policy(self, texts, *, policy):
        return ("block", "secret") if "key" in texts[0] else ("allow", "")


def test_code_passes_only_where_it_came_to_its_end():
    answer = "Here:\n```python\ndef f(): return 1\n```\n"
    for ran, passed in (
        (CodeRun(0, "", finished=True), True),
        (CodeRun(0, "", finished=False), False),
        (CodeRun(1, "AssertionError", finished=False), False),
        (CodeRun(None, "", stopped="time"), False),
    ):
        means = Helping(ran)
        assert score("code", answer, "assert f() == 1", means=means).passed is passed
        assert means.files["answer.py"] == "def f(): return 1\n"
    assert score("code", answer, means=Helping()).status == "unjudged"


def test_the_code_of_an_answer():
    assert code_in("a\n```text\nx\n```\n```py\ny\n```") == "y"
    assert code_in("```js\nx\n```") == "x"
    assert code_in("print(1)") == "print(1)"
    assert code_in("```python\nx = 1") == "x = 1"


def test_similarity_takes_the_nearest_expected_text():
    means = Helping(vectors={"cat": [1, 0], "kitten": [3, 1], "car": [0, 1]})
    found = score("similarity", "cat", ["car", "kitten"], means=means, model="e")
    assert found.value == pytest.approx(3 / math.sqrt(10))
    assert found.passed is True
    assert score("similarity", "cat", "car", means=means, model="e").passed is False
    broken = score("similarity", "cat", "car", means=Helping(), model="e")
    assert (broken.status, broken.passed) == ("failed", None)


def test_policy_verdicts():
    assert score("policy", "x", verdict="redact").passed is False
    assert score("policy", "x").passed is True
    assert score("policy", "a key", means=Helping(), policy="p").detail == "block: secret"
    assert score("policy", "a key", means=Helping(), policy="p", verdicts=["block"]).passed


def test_a_threshold_of_the_file_decides_what_passes():
    assert score("json_fields", '{"a":1,"b":0}', {"a": 1, "b": 2}, threshold=0.5).passed is True


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"code", "judge", "similarity"}))
@given(answer=st.text(max_size=40), expected=st.one_of(
    st.none(), st.text(max_size=10), st.lists(st.text(max_size=4), max_size=3), st.integers(),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
))  # fmt: skip
def test_nothing_that_an_answer_or_a_case_holds_breaks_a_scorer(kind, answer, expected):
    needs = {
        "json_schema": {"schema": {"type": "object"}}, "expression": {"holds": "answer != ''"},
    }  # fmt: skip
    if kind not in KINDS:
        return
    found = score(kind, answer, expected, calls=[call(answer, answer)], **needs.get(kind, {}))
    assert found.status in ("scored", "unjudged"), found.detail
    assert (found.passed is None) == (found.status != "scored")


def test_unknown_kinds_and_options_are_named():
    with pytest.raises(ConfigurationError, match="unknown kind 'exakt'"):
        score("exakt", "x", "x")
    with pytest.raises(ConfigurationError, match="ignore_cases"):
        score("exact", "x", "x", ignore_cases=True)


def test_the_answers_text_never_stands_in_the_detail_of_a_check():
    found = score(
        "json_fields", '{"a": "SECRETWORD"}', {"a": "x"}, case=Case(id="c", expected={"a": "x"})
    )
    assert "SECRETWORD" not in found.detail
