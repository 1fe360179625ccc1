"""Which metadata of a request its record keeps."""

from hypothesis import given
from hypothesis import strategies as st

from pointsman.answering.tags import tags_of
from pointsman.domain.messages import ModelRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=99),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def a_request(metadata: dict[str, object] | None) -> ModelRequest:
    return ModelRequest(
        model="auto", stream=False, include_usage=False, messages=(), fields={}, metadata=metadata
    )


def test_segments_alone_are_kept_as_words() -> None:
    said = {"plan": "pro", "seats": 5, "beta": True, "email": "a@b.example"}
    kept = tags_of(a_request(said), ("seats", "plan", "beta", "language"))
    assert kept == {"beta": "yes", "plan": "pro", "seats": "5"}
    assert list(kept) == sorted(kept)


@given(st.dictionaries(st.sampled_from(["plan", "language"]), JSON))
def test_no_value_makes_a_record_grow_or_a_request_fail(said: dict[str, object]) -> None:
    for value in tags_of(a_request(said), ("plan", "language")).values():
        assert 0 < len(value) <= 64
        assert value.isprintable()


def test_a_request_without_metadata_has_none() -> None:
    assert tags_of(a_request(None), ("plan",)) == {}
