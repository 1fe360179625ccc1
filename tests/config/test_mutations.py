"""A file with one thing changed loads, or fails with an error that names a file and a line."""

import re
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.config import parse
from pointsman.domain.errors import ConfigurationError

FOLDER = Path(__file__).parent
WHOLE = (FOLDER / "whole.yaml").read_text()
LINES = WHOLE.split("\n")
ENV = {"QWEN_KEY": "qwen-secret", "APP1_KEY": "app-secret", "OPS_KEY": "ops-secret"}
PLACED = re.compile(r"^\S+:[0-9]+:[0-9]+: \S")
ODD = "\t\x00\x07\x85\u2028\ufeff\U0001f600\\\"'{}[]:,#&*!|>%@`-? \r\n$~<0aé"


def without_line(at: int, _: str) -> str:
    return "\n".join(LINES[:at] + LINES[at + 1 :])


def doubled_line(at: int, _: str) -> str:
    return "\n".join([*LINES[:at], LINES[at], *LINES[at:]])


def indented(at: int, character: str) -> str:
    return "\n".join(
        [*LINES[:at], (character if character in " \t" else " ") + LINES[at], *LINES[at + 1 :]]
    )


def outdented(at: int, _: str) -> str:
    return "\n".join([*LINES[:at], LINES[at].removeprefix(" "), *LINES[at + 1 :]])


def with_character(at: int, character: str) -> str:
    return WHOLE[:at] + character + WHOLE[at + 1 :]


def inserted(at: int, character: str) -> str:
    return WHOLE[:at] + character + WHOLE[at:]


def cut(at: int, _: str) -> str:
    return WHOLE[:at]


BY_LINE = (without_line, doubled_line, indented, outdented)
BY_CHARACTER = (with_character, inserted, cut)
Mutation = tuple[Callable[[int, str], str], int]
MUTATIONS = st.one_of(
    st.tuples(st.sampled_from(BY_LINE), st.integers(0, len(LINES) - 1)),
    st.tuples(st.sampled_from(BY_CHARACTER), st.integers(0, len(WHOLE) - 1)),
)


def check(text: str) -> None:
    try:
        parse(text, env=ENV, base=FOLDER)
    except ConfigurationError as caught:
        error = caught
    else:
        return
    for line in error.why.split("\n"):
        assert PLACED.match(line.strip()) or line.strip().startswith("and "), error
    assert not any(secret in str(error) for secret in ENV.values())


@given(MUTATIONS, st.sampled_from(ODD))
@settings(max_examples=250, deadline=None)
def test_a_changed_file_loads_or_says_where_it_is_wrong(mutation: Mutation, character: str) -> None:
    change, at = mutation
    check(change(at, character))


@given(st.one_of(st.text(max_size=80), st.text(alphabet=ODD + "abc: -\n", max_size=120)))
@settings(max_examples=400, deadline=None)
def test_any_text_loads_or_says_where_it_is_wrong(text: str) -> None:
    check(text)
