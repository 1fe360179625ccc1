"""W3C trace context: what is taken from clients, and what engines are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.ids import trace_id
from pointsman.domain.tracing import (
    Parent,
    onward,
    parent_of,
    recorded,
    span_bits,
    trace_bits,
)

GOOD = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PARENT = Parent(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7, 1)
OURS = trace_id(1_790_000_000_000, bytes(range(10)))
IDS = st.builds(trace_id, st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))


def test_a_traceparent_is_read_and_its_state_kept():
    assert parent_of(GOOD) == PARENT
    assert parent_of(GOOD, b"vendor=1,other=x:y") == PARENT._replace(state=b"vendor=1,other=x:y")


@pytest.mark.parametrize(
    "said",
    [
        b"", b"00", b"x" * 55, GOOD.upper(), GOOD[:-1], GOOD + b"0", GOOD + b"-more",
        GOOD.replace(b"00-4", b"ff-4"), b"00-" + b"0" * 32 + GOOD[35:],
        GOOD[:36] + b"0" * 16 + GOOD[52:], GOOD + b", " + GOOD, GOOD + b"\r\nx: y",
        b"00-" + b"g" * 32 + GOOD[35:], GOOD * 10_000,
    ],
)  # fmt: skip
def test_what_is_no_traceparent_is_no_trace(said):
    assert parent_of(said, b"a=1") is None


def test_a_later_version_is_read_by_the_fields_of_this_one():
    assert parent_of(b"cc" + GOOD[2:]) == PARENT
    assert parent_of(b"cc" + GOOD[2:] + b"-what-comes-next") == PARENT


@pytest.mark.parametrize("state", [b"a=1\r\nx: y", b"a" * 513, b"\xff=1", b"a=\x00"])
def test_a_state_that_is_none_is_left_behind(state):
    assert parent_of(GOOD, state) == PARENT


@given(st.binary(max_size=80), st.none() | st.binary(max_size=600))
def test_no_header_makes_a_line_that_breaks_out(said, state):
    parent = parent_of(said, state)
    for name, value in onward(OURS, parent, 0, share=1.0):
        assert name in (b"traceparent", b"tracestate")
        assert b"\n" not in value
        assert b"\r" not in value


@given(IDS)
def test_our_trace_id_is_the_trace_where_the_client_has_none(ours):
    [(name, value)] = onward(ours, None, 0, share=1.0)
    told = parent_of(value)
    assert name == b"traceparent"
    assert told is not None
    assert told.trace == trace_bits(ours)
    assert told.span == span_bits(trace_bits(ours), 0)
    assert told.sampled


@given(IDS, st.integers(0, 40))
def test_spans_of_one_request_have_ids_of_their_own(ours, attempts):
    bits = trace_bits(ours)
    spans = {span_bits(bits), *(span_bits(bits, number) for number in range(attempts))}
    assert len(spans) == attempts + 1
    assert all(0 < span < 2**64 for span in spans)


def test_an_engine_is_told_the_clients_trace_and_our_attempt():
    parent = PARENT._replace(state=b"vendor=1")
    lines = dict(onward(OURS, parent, 2, share=0.0))
    told = parent_of(lines[b"traceparent"])
    assert told is not None
    assert (told.trace, told.span) == (PARENT.trace, span_bits(trace_bits(OURS), 2))
    assert lines[b"tracestate"] == b"vendor=1"


def test_without_spans_of_ours_a_clients_trace_is_passed_on_as_it_came():
    assert onward(OURS, PARENT, 3, share=None) == ((b"traceparent", GOOD),)
    assert onward(OURS, None, 3, share=None) == ()


def test_a_trace_that_its_client_does_not_record_is_not_recorded_here():
    silent = PARENT._replace(flags=0)
    assert not recorded(trace_bits(OURS), silent, share=1.0)
    assert onward(OURS, silent, 0, share=1.0) == ((b"traceparent", GOOD[:-1] + b"0"),)


@given(st.lists(IDS, min_size=1, max_size=50), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_records_all_that_a_smaller_one_does(many, one, other):
    small, large = sorted((one, other))
    for ours in map(trace_bits, many):
        assert not recorded(ours, None, share=small) or recorded(ours, None, share=large)
        assert recorded(ours, None, share=1.0)
        assert not recorded(ours, None, share=0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "tr_",
        "tr_" + "U" * 26,
        "tr_" + "Z" * 26,
        "x" * 29,
        "tr_" + "a" * 26,
        "tr_" + "0" * 24 + "_0",
        "tr_" + " " * 25 + "0",
        "tr_" + "0" * 25 + "\u0663",
        "tr_-" + "0" * 25,
    ],
)
def test_what_is_no_trace_id_of_ours_is_refused(wrong):
    with pytest.raises(ValueError, match="trace id"):
        trace_bits(wrong)
