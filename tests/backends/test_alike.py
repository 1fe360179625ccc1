"""A chunk that is read by its frame is read as parsing reads it; whatever else comes is parsed."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.backends.alike import Alike
from pointsman.backends.incoming import parse, strip

_SEPARATORS = [(",", ":"), (", ", ": ")]


def a_chunk(text: str, *, separators: tuple[str, str], usage: bool = False) -> bytes:
    said = {
        "id": "chatcmpl-1", "model": "m",
        "choices": [{"index": 0, "delta": {"content": text}, "logprobs": None,
                     "finish_reason": None}],
        **({"usage": None} if usage else {}),
    }  # fmt: skip
    return json.dumps(said, separators=separators, ensure_ascii=False).encode()


def text_in(data: bytes) -> object:
    choices = parse(data).choices
    assert choices is not None
    assert choices[0].delta is not None
    return choices[0].delta.content


@given(st.text(min_size=1), st.text(), st.sampled_from(_SEPARATORS))
def test_a_chunk_taken_by_its_frame_says_what_parsing_says(
    first: str, second: str, separators: tuple[str, str]
) -> None:
    alike = Alike()
    data = a_chunk(first, separators=separators)
    alike.learn(data, first, data)
    following = a_chunk(second, separators=separators)
    taken = alike.take(following)
    if taken is not None:
        assert taken == (text_in(following), following)


@given(st.text(min_size=1), st.binary(), st.integers(0, 200), st.integers(0, 200))
def test_bytes_that_are_taken_are_json_with_that_text(
    first: str, put: bytes, start: int, length: int
) -> None:
    alike = Alike()
    data = a_chunk(first, separators=(",", ":"))
    alike.learn(data, first, data)
    changed = data[:start] + put + data[start + length :]
    taken = alike.take(changed)
    if taken is not None:
        assert taken[0] == text_in(changed)
        assert msgspec.json.decode(taken[1]) == msgspec.json.decode(changed)


@given(st.text(min_size=1), st.text(min_size=1))
def test_what_is_stripped_from_the_first_is_stripped_from_those_alike(a: str, b: str) -> None:
    alike = Alike()
    data, following = (a_chunk(each, separators=(",", ":"), usage=True) for each in (a, b))
    alike.learn(data, a, strip(data, usage=True, logprobs=False))
    taken = alike.take(following)
    if taken is not None:
        assert taken == (b, strip(following, usage=True, logprobs=False))


@pytest.mark.parametrize("separators", _SEPARATORS)
def test_usual_words_are_taken(separators: tuple[str, str]) -> None:
    alike = Alike()
    first = a_chunk(" word", separators=separators)
    assert alike.take(first) is None
    alike.learn(first, " word", first)
    for text in (" another", "Wörter", "语", "@000000000001"):
        assert alike.take(a_chunk(text, separators=separators)) is not None


@pytest.mark.parametrize("text", ["", 'a "quote"', "a\nline", "back\\slash", "\x7f"])
def test_texts_that_need_a_look_are_parsed(text: str) -> None:
    alike = Alike()
    first = a_chunk("word", separators=(",", ":"))
    alike.learn(first, "word", first)
    assert alike.take(a_chunk(text, separators=(",", ":"))) is None


@pytest.mark.parametrize("space", [b"", b" "])
def test_a_frame_whose_place_is_not_certain_is_not_learnt(space: bytes) -> None:
    alike = Alike()
    twice = b'{"choices":[{"delta":{"content":"x"},"other":{"content":%b"x"}}]}' % space
    alike.learn(twice, "x", twice)
    assert alike.take(twice) is None
