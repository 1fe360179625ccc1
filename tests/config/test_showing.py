"""What `show` prints loads again to the same configuration, and holds no secret."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.config import as_json, load, parse, show
from pointsman.config.decoding import decode
from pointsman.config.emitting import emit
from pointsman.config.problems import Problems, Source
from pointsman.config.reading import read
from pointsman.domain.errors import ConfigurationError

WHOLE = Path(__file__).parent / "whole.yaml"
ENV = {"QWEN_KEY": "qwen-secret", "APP1_KEY": "app-secret", "OPS_KEY": "ops-secret"}


@pytest.mark.parametrize("with_defaults", [False, True])
def test_what_is_shown_loads_again_to_the_same(with_defaults: bool) -> None:
    config = load(WHOLE, env=ENV)
    again = parse(show(config, with_defaults=with_defaults), env=ENV)
    assert again == msgspec.structs.replace(config, folder="", files=())
    assert again.digest == config.digest


def test_the_shortest_file_shows_every_default() -> None:
    config = parse("deployments:\n  a:\n    model: m\n    base_url: http://h/v1\n")
    shown = show(config, with_defaults=True)
    for line in ("concurrency: 64", "port: 4100", "durability: window", "default: a"):
        assert f" {line}\n" in shown or f"\n{line}\n" in shown
    assert parse(shown) == config
    assert "limits" not in show(config, with_defaults=False)


def test_no_secret_is_ever_shown() -> None:
    text = WHOLE.read_text() + "  app2: {key: literal-secret}\n  app3: {key: 'x${APP1_KEY}'}\n"
    config = parse(text, env=ENV, base=WHOLE.parent)
    whole = show(config, with_defaults=True) + repr(config) + json.dumps(as_json(config))
    for secret in ("qwen-secret", "app-secret", "literal-secret"):
        assert secret not in whole
    for key in config.keys:
        assert key.sha256 not in show(config, with_defaults=True) + json.dumps(as_json(config))
    assert "api_key: ${QWEN_KEY}" in whole
    assert 'key: "***"' in whole


def test_a_default_in_the_file_is_not_shown_as_part_of_a_placeholder() -> None:
    text = "deployments: {a: {model: m, base_url: 'http://h', api_key: '${K:-hunter2}'}}"
    shown = show(parse(text), with_defaults=True)
    assert "hunter2" not in shown
    assert "api_key: ${K}" in shown


def test_a_hidden_secret_is_not_taken_for_one() -> None:
    config = parse("deployments: {a: {model: m, base_url: 'http://h', api_key: secret}}")
    with pytest.raises(ConfigurationError, match="a hidden secret"):
        parse(show(config, with_defaults=False))


class _Holder(msgspec.Struct):
    value: Any = None


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300),
    st.text(max_size=20),
    st.sampled_from(["yes", "012", "1:30", "a: b", "- a", "#a", "null", "~", "${A}", "$${", "1_0"]),
    st.sampled_from(["a\nb\n", "a\n\nb", " a\nb", "a\n b\n", "a\tb\nc", "a\n\n", "\n", "a \nb"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(VALUES.filter(lambda value: value is not None))
@settings(max_examples=300, deadline=None)
def test_whatever_is_emitted_reads_back(value: Any) -> None:
    problems = Problems(Source("t", None))
    root = read(emit({"value": value}), Source("t", None), {}, problems)
    problems.raise_if_any()
    assert root is not None
    holder = decode(root, _Holder, problems)
    problems.raise_if_any()
    assert holder is not None
    assert holder.value == value
