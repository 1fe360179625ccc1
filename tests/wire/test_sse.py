"""The SSE splitter: the same events at any split, and only whole ones."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.backends.http_wire import WireError
from pointsman.backends.sse import SseSplitter


def split(*pieces: bytes, **bounds: int) -> list[bytes]:
    splitter = SseSplitter(**bounds)
    return [event for piece in pieces for event in splitter.feed(piece)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"data: \n\n", [b""]),
        (b"data: a\r\n\r\n", [b"a"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\ndata: b\n\r\n", [b"a", b"b"]),
        (b": keep-alive\n\ndata: a\n\n", [b"a"]),
        (b"event: x\nid: 1\nretry: 5\ndata: a\n\n", [b"a"]),
        (b"event: x\n\n", []),
        (b"database: a\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: \xef\xbb\xbf\n\n", [b"\xef\xbb\xbf"]),
        (b"\n\n\ndata: a\n\n\n\n", [b"a"]),
        (b"data: a: b\n\n", [b"a: b"]),
        (b"data: a\n", []),
        (b"data: a", []),
        (b"", []),
    ],
)
def test_events(stream: bytes, events: list[bytes]) -> None:
    assert split(stream) == events
    assert split(b"data: first\n\n", stream)[1:] == split(b":\n", stream)
    assert split(*(stream[at : at + 1] for at in range(len(stream)))) == events


ALPHABET = st.sampled_from(
    [
        b"data: ",
        b"data:",
        b"data",
        b": c",
        b"id: 1",
        b"a",
        b"{}",
        b" ",
        b"\n",
        b"\r\n",
        b"\r",
        b"\n\n",
    ]
    + [b"data: x\n\n"] * 4
    + [b"\xef\xbb\xbf"]
)


@given(st.lists(ALPHABET, max_size=30), st.lists(st.integers(0, 200), max_size=12))
def test_any_split_of_the_bytes_gives_the_same_events(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    at = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    pieces = [stream[a:b] for a, b in itertools.pairwise(at)]
    assert split(*pieces) == split(stream)
    splitter, whole = SseSplitter(), SseSplitter()
    for piece in pieces:
        splitter.feed(piece)
    whole.feed(stream)
    assert splitter.pending == whole.pending


@given(
    st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=40))
)
def test_what_was_written_is_read(payloads: list[str]) -> None:
    data = [payload.encode() for payload in payloads]
    assert split(b"".join(b"data: %b\n\n" % each for each in data)) == data


def test_pending_says_whether_an_event_is_incomplete() -> None:
    splitter = SseSplitter()
    for piece, pending in [
        (b"data: a", True),
        (b"\n", True),
        (b"\n", False),
        (b"data: b\n\n", False),
        (b"data: c\n\ndata", True),
    ]:
        splitter.feed(piece)
        assert splitter.pending is pending


@pytest.mark.parametrize(
    "pieces",
    [
        [b"data: " + b"x" * 200 + b"\n\n"],
        [b"data: "] + [b"x" * 10] * 20,
        [b"data: " + b"x" * 9 + b"\n"] * 20,
        [b": "] + [b"x" * 10] * 20,
        [b"data:\n"] * 200,
    ],
    ids=[
        "at once",
        "a line without end",
        "lines without end",
        "a comment without end",
        "empty lines",
    ],
)
def test_one_event_is_bounded(pieces: list[bytes]) -> None:
    with pytest.raises(WireError) as caught:
        split(*pieces, max_event_bytes=100)
    assert caught.value.kind == "too_large"


def test_many_events_of_a_stream_are_not() -> None:
    event = b"data: " + b"x" * 80 + b"\n\n"
    assert len(split(event * 50, *[event] * 50, max_event_bytes=100)) == 100
