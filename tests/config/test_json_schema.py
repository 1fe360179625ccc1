"""The published schema: what it says of each key, and that the loader and it refuse the same."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from msgspec import inspect
from ruamel.yaml import YAML

from pointsman.config import parse, schema
from pointsman.config.descriptions import DESCRIPTIONS
from pointsman.config.json_schema import json_schema
from pointsman.domain.errors import ConfigurationError

ROOT = Path(__file__).parent.parent.parent
SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
README = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
WHOLE = (Path(__file__).parent / "whole.yaml").read_text()
ENV = {"QWEN_KEY": "a", "APP1_KEY": "b", "OPS_KEY": "c"}
STRUCTS = [
    each
    for each in vars(schema).values()
    if isinstance(each, type) and issubclass(each, msgspec.Struct) and each.__name__[:3] == "Raw"
]


def demo() -> str:
    from pointsman.demo.portfolio import configuration

    model = {"quant": "f16", "file": "small-f16.gguf", "context": 512,
             "price": {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.2}}  # fmt: skip
    known = {"models": dict.fromkeys(("small", "large", "specialist"), model)}
    return configuration(path="pointsman.yaml", journal="journal", known=known)


FILES = {f"readme {index}": text for index, text in enumerate(README)} | {
    "whole": WHOLE,
    "demo": demo(),
}


def errors(text: str) -> list[str]:
    document = YAML(typ="safe", pure=True).load(text)
    return [f"{each.json_path}: {each.message}" for each in VALIDATOR.iter_errors(document)]


def test_it_is_a_schema_of_its_draft() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", FILES)
def test_files_that_load_are_valid(name: str) -> None:
    assert errors(FILES[name]) == []
    assert parse(FILES[name], env=ENV, base=Path(__file__).parent).deployments


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda each: each.__name__)
def test_every_key_has_a_description(struct: type[msgspec.Struct]) -> None:
    described = DESCRIPTIONS.get(struct.__name__, {})
    fields = {field.encode_name for field in msgspec.structs.fields(struct)}
    assert not fields - set(described), f"add them to DESCRIPTIONS[{struct.__name__!r}]"


def test_every_mapping_is_closed_and_says_what_it_is() -> None:
    objects = [SCHEMA, *SCHEMA["$defs"].values()]
    assert len(objects) >= len(STRUCTS) - 1
    for each in objects:
        assert each["additionalProperties"] is False
        assert each["description"]


def test_enums_defaults_and_bounds_are_told() -> None:
    deployment, server = SCHEMA["$defs"]["deployment"], SCHEMA["$defs"]["server"]
    engines = deployment["properties"]["engine"]["anyOf"][0]["enum"]
    assert {"vllm", "sglang", "llamacpp", "ollama"} <= set(engines)
    assert server["properties"]["port"]["default"] == 4100
    assert server["properties"]["port"]["anyOf"][0]["maximum"] == 65_535


@pytest.mark.parametrize(
    "line",
    [
        "server: {port: 99999}",
        "server: {port: yes}",
        "deployments: {}",
        "deployments: {a: {model: m, base_url: http://h, engine: vlm}}",
        "deployments: {a: {model: m}}",
        "deployments: {a: {base_url: http://h}}",
        "deployments: {A: {model: m, base_url: http://h}}",
        "deployments: {a: {model: m, base_url: http://h, price: {input_usd_per_mtok: 1}}}",
        "routes: {r: {steps: []}}",
        "tasks: {t: {verify: [{regex: a, expression: b}]}}",
        "tasks: {t: {retention_days: 0}}",
        "tasks: [a]",
        "journal: {durability: never}",
    ],
)
def test_what_has_the_wrong_form_is_refused_by_both(line: str) -> None:
    text = line
    if not line.startswith("deployments"):
        text += "\ndeployments: {a: {model: m, base_url: http://h}}"
    assert errors(text)
    with pytest.raises(ConfigurationError):
        parse(text)


@pytest.mark.parametrize("line", ["server: {port: '${P}'}", "journal: {durability: '${D:-power}'}"])
def test_a_variable_may_stand_for_any_scalar(line: str) -> None:
    text = line + "\ndeployments: {a: {model: m, base_url: http://h}}"
    assert errors(text) == []
    assert parse(text, env={"P": "4101"})


def test_every_kind_of_type_the_loader_decodes_is_written() -> None:
    from pointsman.config.decoding import _DECODERS
    from pointsman.config.json_schema import _MAKERS

    assert set(_MAKERS) >= set(_DECODERS)
    assert inspect.NoneType in _MAKERS


def test_each_key_of_the_whole_file_misspelled_is_refused_by_both() -> None:
    document = YAML(typ="safe", pure=True).load(WHOLE)
    count = 0
    for above, key in list(_closed(document, SCHEMA)):
        value = above.pop(key)
        above[f"{key}_"] = value
        assert not VALIDATOR.is_valid(document), key
        del above[f"{key}_"]
        above[key] = value
        count += 1
    assert count > 40
    assert VALIDATOR.is_valid(document)


def _closed(value: Any, described: dict[str, Any]) -> Any:
    """Every (mapping, key) whose keys the schema knows."""
    if "$ref" in described:
        described = SCHEMA["$defs"][described["$ref"].rpartition("/")[2]]
    for option in described.get("anyOf", ()):
        if "$ref" in option or "type" in option:
            yield from _closed(value, option)
    if isinstance(value, dict) and "properties" in described:
        for key in list(value):
            yield value, key
            yield from _closed(value[key], described["properties"][key])
    elif isinstance(value, dict) and isinstance(described.get("additionalProperties"), dict):
        for inner in value.values():
            yield from _closed(inner, described["additionalProperties"])
    elif isinstance(value, list) and "items" in described:
        for inner in value:
            yield from _closed(inner, described["items"])
