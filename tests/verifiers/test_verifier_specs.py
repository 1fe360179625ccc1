"""Which specs are refused when a configuration is read, and how the refusal reads."""

from typing import Any

import pytest

from pointsman.domain.errors import ConfigurationError
from pointsman.domain.task import VerifierSpec
from pointsman.verifiers import compile_verifier


@pytest.mark.parametrize(
    ("kind", "spec", "words"),
    [
        ("json_schema", "text", "an object"),
        ("json_schema", {"type": "wrong"}, "not a JSON Schema at type"),
        ("json_schema", {"$ref": "http://example.org/s.json"}, "leaves the schema"),
        ("json_schema", {"items": {"$ref": "other.json#/a"}}, "leaves the schema"),
        ("json_schema", {"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "leaves"),
        ("json_schema", {"$defs": {"a": {"$dynamicRef": "http://x/y"}}}, "leaves the schema"),
        ("json_schema", {"$ref": "#/$defs/missing"}, "names nothing"),
        ("json_schema", {"$ref": "#"}, "refers to itself"),
        ("json_schema", {"items": {"$id": "http://example.org/x"}}, "below the root"),
        ("json_schema", {"$schema": "http://json-schema.org/draft-07/schema#"}, "dialect"),
        ("json_schema", {"pattern": "(?=a)b"}, "not one we take"),
        ("json_schema", {"patternProperties": {r"(a)\1": {}}}, "not one we take"),
        ("json_schema", {"format": "color"}, "not one we can check"),
        (
            "json_schema",
            {"patternProperties": {"a": {}}, "unevaluatedProperties": False},
            "additionalProperties",
        ),
        ("regex", ["a"], "as text"),
        ("regex", "(", "not one we take"),
        ("regex", r"(?<=a)b", "look-around"),
        ("number", {"mim": 3}, "did you mean 'min'"),
        ("number", {"min": "3"}, "'min' is a number"),
        ("number", {"max": float("inf")}, "finite"),
        ("number", {"min": 3, "max": 2}, "greater than"),
        ("number", {"decimals": -1}, "'decimals'"),
        ("number", {"decimals": True}, "'decimals'"),
        ("number", {"integer": 1}, "'integer'"),
        ("number", [1], "mapping of"),
        ("fields", {"required": "a"}, "list of field names"),
        ("fields", {"one_of": {"a": "b"}}, "list of the values"),
        ("fields", {"types": {"a": "text"}}, "one of string"),
        ("fields", {"required": ["a"], "forbidden": ["a"]}, "both required and forbidden"),
        ("expression", 3, "as text"),
        ("expression", "answer ==", "cannot be read"),
        ("expression", "anwser == 'x'", "answer"),
        ("spelling", {}, "unknown kind"),
    ],
)
def test_a_spec_that_cannot_be_checked_is_refused(kind: Any, spec: Any, words: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        compile_verifier(VerifierSpec(name="shape", kind=kind, spec=spec))
    assert "verifier 'shape'" in raised.value.what
    assert words in str(raised.value)


def test_words_of_data_are_not_read_as_keywords() -> None:
    spec = {
        "properties": {"$ref": {"type": "string"}, "format": {"enum": ["$ref"]}},
        "examples": [{"$ref": "http://example.org"}],
        "default": {"format": "color"},
        "const": {"$ref": "http://example.org"},
    }
    compile_verifier(VerifierSpec(name="shape", kind="json_schema", spec=spec))


def test_a_schema_that_names_its_own_dialect_and_identity_is_taken() -> None:
    spec = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.org/person",
        "$ref": "#/$defs/n",
        "$defs": {"n": {"type": "number"}},
    }
    compile_verifier(VerifierSpec(name="shape", kind="json_schema", spec=spec))
