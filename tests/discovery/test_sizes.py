"""Sizes told by names, and names of deployments made from them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.config.schema import NAME_PATTERN
from pointsman.discovery.naming import deployment_name, free_name
from pointsman.discovery.sizes import Size, size_of


@pytest.mark.parametrize(
    ("name", "total", "active"),
    [
        ("Qwen/Qwen3-0.6B", 0.6, 0.6),
        ("qwen3:4b", 4, 4),
        ("qwen2.5-0.5b-instruct", 0.5, 0.5),
        ("Qwen3-30B-A3B-Instruct-2507-FP8", 30, 3),
        ("qwen3-coder-480b-a35b", 480, 35),
        ("mixtral:8x7b", 56, 56),
        ("gemma-3-270m-it", 0.27, 0.27),
        ("gemma3n:e4b", 4, 4),
        ("gpt-oss-120b", 120, 120),
        ("kimi-k2-1t", 1000, 1000),
        ("Meta-Llama-3.1-70B-Instruct-AWQ-INT4", 70, 70),
    ],
)
def test_a_size_is_read(name: str, total: float, active: float) -> None:
    assert size_of(name) == pytest.approx(Size(total, active))


@pytest.mark.parametrize(
    "name", ["gpt-4o-mini", "llama3:latest", "phi-3-mini-4k", "model-4bit", "q8_0", "v2", "", "0b"]
)
def test_what_is_no_size_is_not_taken_for_one(name: str) -> None:
    assert size_of(name) is None


def test_a_size_reads_well() -> None:
    assert [str(size_of(name)) for name in ("a-0.6b", "a-4b", "a-30b-a3b")] == [
        "600M",
        "4B",
        "30B, 3B active",
    ]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Qwen/Qwen3-4B", "qwen3-4b"),
        ("/models/Qwen3 4B.Q4_K_M.gguf", "qwen3-4b.q4_k_m"),
        ("qwen3:4b", "qwen3-4b"),
        ("auto", "auto-model"),
        ("日本", "model"),
    ],
)
def test_a_model_names_its_deployment(model: str, name: str) -> None:
    assert deployment_name(model) == name


@given(st.text(max_size=200), st.lists(st.text(max_size=90), max_size=4))
def test_any_model_gives_a_name_that_the_file_takes(model: str, others: list[str]) -> None:
    taken = {deployment_name(other) for other in others}
    name = free_name(deployment_name(model), taken)
    assert re.fullmatch(NAME_PATTERN, name)
    assert name not in taken
    assert name not in ("auto", "direct")
