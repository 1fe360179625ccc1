"""Features hold for any text, and mean what they say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pointsman.learning.encoding import counted
from pointsman.learning.features import BUCKETS, MARKERS, MOST_CHARS, SHAPE, read, shortened


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_any_text_has_finite_features_of_one_size(text: str) -> None:
    every, dense = read(text)
    assert dense.shape == (len(SHAPE) + len(MARKERS),)
    assert np.isfinite(dense).all()
    again, same = read(text)
    assert (every == again).all()
    assert (dense == same).all()


@given(st.lists(st.integers(0, BUCKETS - 1), min_size=1, max_size=60))
def test_counting_is_what_numpy_counts(values: list[int]) -> None:
    which, times = counted(np.array(values, dtype=np.uint16))
    expected, counts = np.unique(values, return_counts=True)
    assert which.tolist() == expected.tolist()
    assert times.tolist() == counts.tolist()


def test_markers_are_counted_in_any_case() -> None:
    dense = read("Which for loop? While (for) x == 12")[1]
    found = dict(zip(MARKERS, dense[len(SHAPE) :], strict=True))
    assert (found["for"], found["which"], found["while"], found["="], found["#2"]) == (
        2,
        1,
        1,
        2,
        1,
    )
    assert found["lambda"] == 0


def test_numbers_are_words_of_their_length() -> None:
    assert (read("add 12 and 345")[0] == read("add 99 and 100")[0]).all()
    assert (read("add 12 and 345")[0] != read("add 12 and 34")[0]).any()


def test_a_long_prompt_is_read_at_its_start_and_end() -> None:
    text = "a" * MOST_CHARS + "b" * MOST_CHARS
    short = shortened(text)
    assert len(short) <= MOST_CHARS + 1
    assert short.startswith("a")
    assert short.endswith("b")
