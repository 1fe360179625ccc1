"""Laws of every valid configuration: it survives being shown, and each change of it is placed."""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from tests.config.configurations import documents, texts

from pointsman.config import parse, show
from pointsman.config.emitting import emit
from pointsman.config.json_schema import json_schema
from pointsman.domain.errors import ConfigurationError

PLACED = re.compile(r"^\S+:[0-9]+:[0-9]+: \S")
SCHEMA = Draft202012Validator(json_schema())
ODD = st.sampled_from(["", " ", "\t", ":", "-", "[", "{", "}", "'", '"', "#", "\n", "é", "${X}"])


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@given(texts(), st.booleans())
@settings(max_examples=40)
def test_what_is_shown_loads_to_the_same(text: str, with_defaults: bool) -> None:
    config = parse(text)
    again = parse(show(config, with_defaults=with_defaults))
    assert again == config
    assert again.digest == config.digest


@given(texts(), st.booleans())
@settings(max_examples=40)
def test_the_schema_takes_what_the_loader_takes(text: str, shown: bool) -> None:
    config = parse(text)
    document = read(show(config, with_defaults=True) if shown else text)
    assert [f"{each.json_path}: {each.message}" for each in SCHEMA.iter_errors(document)] == []


@given(texts(), st.data())
@settings(max_examples=80)
def test_a_changed_character_loads_or_is_placed(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text) - 1))
    removed = data.draw(st.integers(0, 3))
    check(text[:at] + data.draw(ODD) + text[at + removed :])


@given(documents(), st.data())
@settings(max_examples=50)
def test_a_changed_value_loads_or_is_placed(document: dict[str, Any], data: st.DataObject) -> None:
    above, key = data.draw(st.sampled_from(list(places(document))))
    above[key] = data.draw(
        st.sampled_from([None, True, -1, 1e9, "x", "auto", [], {}, ["x"], {"x": 1}, "***"])
    )
    check(emit(document))


@given(documents(), st.data())
@settings(max_examples=50)
def test_an_unknown_key_is_refused_by_loader_and_schema(
    document: dict[str, Any], data: st.DataObject
) -> None:
    structs = [each for path, each in mappings(document, ()) if is_closed(path)]
    data.draw(st.sampled_from(structs))["no_such_key"] = "x"
    text = emit(document)
    assert not SCHEMA.is_valid(read(text))
    error = check(text)
    assert error is not None
    assert "unknown key 'no_such_key'" in error.why


def check(text: str) -> ConfigurationError | None:
    error = None
    try:
        parse(text)
    except ConfigurationError as caught:
        error = caught
    for line in error.why.split("\n") if error else ():
        assert PLACED.match(line.strip()) or line.strip().startswith("and "), error
    return error


def places(value: Any) -> Any:
    """Every (container, key) below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def mappings(value: Any, path: tuple[Any, ...]) -> Any:
    if isinstance(value, dict):
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, dict | list):
            yield from mappings(inner, (*path, key))


def is_closed(path: tuple[Any, ...]) -> bool:
    """Whether a mapping's keys are words of ours: no section of names, no foreign schema."""
    sections = (
        "deployments", "routes", "prompts", "arms", "tasks", "teams", "tenants", "judges",
    )  # fmt: skip
    named = path in [(each,) for each in sections]
    of_an_engine = path[:1] in (("arms",), ("judges",)) and path[2:3] == ("fields",)
    return not named and not of_an_engine and "json_schema" not in path
