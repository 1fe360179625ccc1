"""Cases put into suite files: every line stays, what is loaded is what was, and one more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pointsman.domain.errors import UsageError
from pointsman.evaluating.suite_adding import add_case, as_yaml

SUITE = """\
# Support answers, reviewed by Ann.
name: support   # keep short
scorers:
- exact: {}     # strict

cases:
  # the classic
  - id: one
    input: "Where is my order?"   # they all ask
    expected: |
      On its way.
      # this is text, no comment

  # the second
  - {id: two, input: hi, expected: "hello"}

# and the gate
gate: {accepted_at_least: 0.9}
"""
CASE = {"id": "tr_1", "messages": [{"role": "user", "content": "a\nb: c # d"}], "expected": "x"}


def load(path):
    return YAML(typ="safe", pure=True).load(path.read_text())


def test_every_line_stays_and_the_case_stands_after_the_last(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(SUITE)
    assert add_case(path, CASE) == "added"
    after = path.read_text()
    added = [line for line in after.splitlines() if line not in SUITE.splitlines()]
    rest = after
    for line in added:
        rest = rest.replace(line + "\n", "", 1)
    assert rest == SUITE
    said = load(path)
    assert said["cases"][-1] == CASE
    assert said["gate"] == {"accepted_at_least": 0.9}
    assert after.index("tr_1") < after.index("# and the gate")


def test_adding_twice_changes_nothing(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(SUITE)
    add_case(path, CASE)
    before = path.read_bytes()
    assert add_case(path, {**CASE, "expected": "y"}) == "there"
    assert path.read_bytes() == before


def test_a_new_file_is_a_suite(tmp_path):
    path = tmp_path / "my suite.yaml"
    assert add_case(path, CASE, subject="task:support") == "created"
    said = load(path)
    assert (said["name"], said["subject"], said["cases"]) == ("my-suite", "task:support", [CASE])
    assert add_case(path, {**CASE, "id": "tr_2"}) == "added"
    assert [each["id"] for each in load(path)["cases"]] == ["tr_1", "tr_2"]


@pytest.mark.parametrize(
    "text",
    [
        "name: s\nscorers: [{exact: {}}]\ncases: [{id: a, input: b}]  # flow\n",
        "name: s\ncases:\n- id: a\n  input: b",
        "name: s\ncases:\n    - id: a\n      input: |-\n        b\n\n        c\n\n\n",
        "cases:\n  - id: a\n    input: 'b\n      c'\nname: s\n",
        "cases:\r\n  - id: a\r\n    input: b\r\nname: s\r\n",
    ],
)
def test_any_way_of_writing_a_list(tmp_path, text):
    path = tmp_path / "s.yaml"
    path.write_bytes(text.encode())
    before = load(path)
    assert add_case(path, CASE) == "added"
    assert load(path) == {**before, "cases": [*before["cases"], CASE]}
    if "#" in text:
        assert "# flow" in path.read_text()


@pytest.mark.parametrize("text", ["", "- a\n", "cases: {}\n", "cases: [\n", "\x00"])
def test_what_is_no_suite_is_left_alone(tmp_path, text):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        add_case(path, CASE)
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_whatever_a_case_holds_is_read_back(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("any") / "s.yaml"
    path.write_text(SUITE)
    for number, value in enumerate(values):
        case = {"id": f"tr_{number}", "messages": [{"role": "user", "content": value}]}
        add_case(path, case)
        assert load(path)["cases"][-1] == case
    assert path.read_text().startswith(SUITE[: SUITE.index("\n# and the gate")])


def test_a_case_is_shown_as_it_would_be_written():
    assert YAML(typ="safe", pure=True).load(as_yaml(CASE)) == [CASE]
