"""A form that the client wants of its answer reaches every engine in the engine's own words."""

import json
import re
from typing import Any

import pytest
from backend_calls import a_call, sent
from hypothesis import given
from hypothesis import strategies as st

from pointsman.backends.dialects import ENGINES

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}}
OPENAI = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
CHOICES = ["a.b", 'say "no"']
GRAMMAR = 'root ::= "yes" | "no"'
REGEX = r"[0-9]{2}"
AS_REGEX = r'(a\.b|say "no")'

# engine: what is added where a form is asked for in another engine's words
ADDED: dict[str, dict[str, dict[str, Any]]] = {
    "openai": {},
    "vllm": {
        "json": {"structured_outputs": {"json": SCHEMA}},
        "regex": {"structured_outputs": {"regex": REGEX}},
        "choice": {"structured_outputs": {"choice": CHOICES}},
        "grammar": {"structured_outputs": {"grammar": GRAMMAR}},
    },
    "sglang": {
        "json": {"response_format": OPENAI},
        "regex": {"regex": REGEX},
        "choice": {"regex": AS_REGEX},
        "grammar": {"ebnf": GRAMMAR},
    },
    "llamacpp": {
        "json": {"response_format": OPENAI},
        "choice": {"grammar": r'root ::= "a.b" | "say \"no\""'},
        "grammar": {"grammar": GRAMMAR},
    },
    "tgi": {
        "json": {"response_format": {"type": "json", "value": SCHEMA}},
        "regex": {"response_format": {"type": "regex", "value": REGEX}},
        "choice": {"response_format": {"type": "regex", "value": AS_REGEX}},
    },
    "ollama": {"json": {"response_format": OPENAI}},
    "dashscope": {"json": {"response_format": OPENAI}},
}
ADDED["embedded"] = ADDED["llamacpp"]

# Every way in which clients ask, by the kind of form.
SAID: dict[str, list[dict[str, Any]]] = {
    "json": [
        {"guided_json": SCHEMA},
        {"guided_json": json.dumps(SCHEMA)},
        {"structured_outputs": {"json": SCHEMA}},
        {"json_schema": SCHEMA},
    ],
    "regex": [{"guided_regex": REGEX}, {"structured_outputs": {"regex": REGEX}}, {"regex": REGEX}],
    "choice": [{"guided_choice": CHOICES}, {"structured_outputs": {"choice": CHOICES}}],
    "grammar": [
        {"guided_grammar": GRAMMAR},
        {"structured_outputs": {"grammar": GRAMMAR}},
        {"ebnf": GRAMMAR},
        {"grammar": GRAMMAR},
    ],
}
WAYS = [(kind, said) for kind, ways in SAID.items() for said in ways]


def test_every_row_is_tested_here():
    assert set(ADDED) == set(ENGINES)
    for engine, row in ENGINES.items():
        assert set(row.forms) == set(ADDED[engine])


@pytest.mark.parametrize(("kind", "said"), WAYS, ids=lambda each: str(each)[:40])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_form_in_any_words_reaches_each_engine_in_its_own_and_stays_as_it_came(
    engine, kind, said
):
    added = ADDED[engine].get(kind, {})
    assert sent(a_call(engine, **said)) == {**added, **said}


@pytest.mark.parametrize("said", [OPENAI, {"type": "json_object"}, {"type": "text"}], ids=str)
@pytest.mark.parametrize("engine", sorted(set(ENGINES) - {"tgi"}))
def test_openais_own_words_go_everywhere_as_they_are(engine, said):
    assert sent(a_call(engine, response_format=said)) == {"response_format": said}


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (OPENAI, {"type": "json", "value": SCHEMA}),
        ({"type": "json_object"}, {"type": "json", "value": {"type": "object"}}),
        ({"type": "text"}, None),
        # its own words, and what is nobody's
        ({"type": "json_object", "value": SCHEMA}, {"type": "json_object", "value": SCHEMA}),
        ({"type": "regex", "value": "a"}, {"type": "regex", "value": "a"}),
        ({"type": "json_schema", "json_schema": {}}, {"type": "json_schema", "json_schema": {}}),
        ({"type": "grammar"}, {"type": "grammar"}),
        ({"type": 5}, {"type": 5}),
        ("x", "x"),
    ],
    ids=str,
)
def test_tgi_reads_openais_words_in_its_own_shape(said, read):
    sent_on = sent(a_call("tgi", response_format=said))
    assert sent_on == ({} if read is None else {"response_format": read})


@pytest.mark.parametrize("engine", ENGINES)
def test_the_engines_own_words_beside_others_are_the_clients_last_word(engine):
    form = {"type": "json_object", "value": {}}
    others = {"structured_outputs": {"regex": "a"}, "regex": "b", "ebnf": "c", "grammar": "d"}
    said = {"response_format": form, **others, "guided_json": SCHEMA}
    assert sent(a_call(engine, **said)) == said


NO_FORM: dict[str, list[Any]] = {
    "guided_json": [None, 5, [], "{", "[]", ""],
    "guided_choice": [None, 5, [], [1], "a", {}],
    "regex": [None, 5, [], {}],
    "structured_outputs": [None, 5, [], {}, {"json": 5}, {"json": None}, {"backend": "x"}],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in NO_FORM.items() for value in values]
)
@pytest.mark.parametrize("engine", ["vllm", "sglang", "llamacpp", "tgi", "ollama"])
def test_what_is_no_form_goes_on_untouched_for_the_engine_to_refuse(engine, name, value):
    assert sent(a_call(engine, **{name: value})) == {name: value}


def test_a_schema_keeps_its_numbers_digit_by_digit():
    schema = b'{"minimum":0.10,"maximum":123456789012345678901234567890}'
    call = a_call(
        "sglang", body=b'{"model":"m","messages":[{"role":"user"}],"guided_json":%b}' % schema
    )
    from pointsman.backends.outgoing import encode

    assert encode(call).body.count(schema) == 2


def test_a_schema_nested_without_end_is_no_form_and_no_crash():
    deep = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    text = json.dumps(deep.decode()).encode()
    body = b'{"model":"m","messages":[{"role":"user"}],"guided_json":%b}' % text
    assert set(sent(a_call("sglang", body=body))) <= {"guided_json", "response_format"}


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5))
def test_a_pattern_of_choices_matches_these_and_no_other(choices):
    body = sent(a_call("sglang", guided_choice=choices))
    pattern = re.compile(body["regex"])
    assert all(pattern.fullmatch(choice) for choice in choices)
    others = {choice[:-1] for choice in choices} | {choice + "x" for choice in choices}
    assert not any(pattern.fullmatch(other) for other in others - set(choices))
