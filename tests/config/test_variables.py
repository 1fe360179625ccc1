"""`${NAME}` in a file: replaced as text, never read again as YAML."""

import pytest

from pointsman.config import parse
from pointsman.domain.errors import ConfigurationError

BASE = "deployments:\n  d:\n    model: m\n    base_url: http://h\n"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${KEY}", "sk-1"),
        ("'${KEY}'", "sk-1"),
        ('"a-${KEY}-${OTHER:-x}"', "a-sk-1-x"),
        ("${OTHER:-x}", "x"),
        ("${EMPTY:-x}", "x"),
        ("$${KEY}", "${KEY}"),
        ("$KEY", "$KEY"),
        ("'$$${KEY}'", "$${KEY}"),
        ("${YAML}", "'a: [b], {c # d"),
        ("${NUMBER}", "12"),
        ("${NESTED}", "${KEY}"),
        ("${KEY} # ${GONE}", "sk-1"),
    ],
)
def test_a_variable_is_replaced_as_text(written: str, value: str) -> None:
    env = {
        "KEY": "sk-1",
        "EMPTY": "",
        "YAML": "'a: [b], {c # d",
        "NUMBER": "12",
        "NESTED": "${KEY}",
    }
    config = parse(f"{BASE}    api_key: {written}\n", env=env)
    assert config.deployments["d"].api_key == value


def test_a_variable_may_hold_a_number_or_a_boolean() -> None:
    text = BASE + '    logprobs: ${L}\nserver: {port: "${PORT:-4200}", keepalive_comment_s: "${S}"}'
    config = parse(text, env={"L": "false", "S": "2.5"})
    assert config.deployments["d"].logprobs is False
    assert (config.server.port, config.server.keepalive_comment_s) == (4200, 2.5)


def test_a_variable_that_is_not_set_is_named_with_its_line() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(BASE + "    api_key: ${QWEN_KEY}\n", env={})
    assert caught.value.why.startswith("pointsman.yaml:5:14: the variable QWEN_KEY is not set")


def test_an_empty_key_is_no_key() -> None:
    with pytest.raises(ConfigurationError, match=r"keys\.a\.key: may not be empty"):
        parse(BASE + "keys: {a: {key: '${KEY:-}'}}\n", env={})


def test_keys_of_mappings_are_left_alone() -> None:
    schema = 'tasks: {t: {verify: [{json_schema: {properties: {"${A}": {type: string}}}}]}}'
    spec = parse(BASE + schema).tasks["t"].verifiers[0].spec
    assert list(spec["properties"]) == ["${A}"]
