"""Lines of inputs and rows of outputs: what is refused, and that every row is one line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pointsman.batches.lines import (
    BODY_MOST,
    Checked,
    Line,
    answered,
    check_input,
    found_row,
    kept_row,
    lines_of,
    unasked,
)
from pointsman.batches.turns import SIDE_BY_SIDE, chosen
from tests.batches.test_status import BATCH

CHAT = "/v1/chat/completions"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def a_line(**changes: object) -> bytes:
    said = {"custom_id": "a", "method": "POST", "url": CHAT, "body": {"model": "m"}, **changes}
    kept = {name: value for name, value in said.items() if value is not ...}
    return json.dumps(kept).encode() + b"\n"


def problems(*raws: bytes, most: int = 100) -> list[tuple[str, int | None, str | None]]:
    found = check_input(raws, CHAT, most=most)
    return [(each.code, each.line, each.param) for each in found.problems]


@pytest.mark.parametrize(
    ("raw", "code", "param"),
    [
        (b"nonsense\n", "invalid_json_line", None),
        (b'{"custom_id": "a"', "invalid_json_line", None),
        (b"\xff\xfe\n", "invalid_json_line", None),
        (a_line()[:-2] + b', "x": "\xff"}\n', "invalid_json_line", None),
        (b"[" * 100_000 + b"\n", "missing_required_parameter", None),
        (a_line()[:-4] + b":" + b"[" * 100_000, "invalid_json_line", None),
        (b"[]\n", "missing_required_parameter", None),
        (a_line(custom_id=...), "missing_required_parameter", "custom_id"),
        (a_line(custom_id=7), "missing_required_parameter", None),
        (a_line(custom_id=""), "invalid_custom_id", "custom_id"),
        (a_line(custom_id="x" * 513), "invalid_custom_id", "custom_id"),
        (a_line(method="GET"), "invalid_method", "method"),
        (a_line(method=...), "missing_required_parameter", "method"),
        (a_line(url="/v1/embeddings"), "mismatched_endpoint", "url"),
        (a_line(body=...), "missing_required_parameter", "body"),
        (a_line(body=[1]), "invalid_request", "body"),
        (a_line(body={"x": "y" * BODY_MOST}), "line_too_large", None),
    ],
)  # fmt: skip
def test_a_line_that_is_no_request_is_named_with_its_number(raw, code, param):
    [found] = problems(a_line(custom_id="fine"), raw)
    assert found[:2] == (code, 2)
    if param is not None or code != "missing_required_parameter":
        assert found[2] in (param, "body" if code == "line_too_large" else param)


def test_a_custom_id_stands_for_one_line_alone():
    assert problems(a_line(), a_line(custom_id="b"), a_line()) == [
        ("duplicate_custom_id", 3, "custom_id")
    ]


def test_an_input_without_requests_or_with_too_many_is_none():
    assert problems() == problems(b"\n", b"  \r\n") == [("empty_file", None, None)]
    many = [a_line(custom_id=f"{at}") for at in range(4)]
    assert problems(*many, most=3) == [("too_many_lines", None, None)]
    assert check_input(many, CHAT, most=4) == Checked(4, ())
    blank = [b"\n"] * 1008
    assert check_input([*many, *blank[:-4]], CHAT, most=4) == Checked(4, ())
    assert problems(*many, *blank, most=4) == [("too_many_lines", None, None)]


def test_problems_are_bounded():
    assert len(problems(*[b"x\n"] * 5000, most=9999)) == 100


def test_blank_lines_byte_order_marks_and_windows_line_ends_are_no_trouble():
    raws = [b"\xef\xbb\xbf" + a_line(), b"\r\n", a_line(custom_id="b").replace(b"\n", b"\r\n")]
    assert check_input(raws, CHAT, most=9) == Checked(2, ())
    assert [line.number for line in lines_of(raws, CHAT, skip=frozenset())] == [1, 3]
    assert [line.custom_id for line in lines_of(raws, CHAT, skip=frozenset({1}))] == ["b"]


@given(body=JSON, custom_id=st.text(min_size=1), indent=st.sampled_from([None, 2]))
def test_every_answer_is_one_line_that_says_the_same(body, custom_id, indent):
    line = Line(7, custom_id, b"{}")
    sent = json.dumps(body, indent=indent).encode()
    row = answered("batch_X", line, status=200, request_id="tr_1", body=sent)
    assert b"\n" not in row
    assert json.loads(row) == {
        "id": "batch_req_X_7",
        "custom_id": custom_id,
        "response": {"status_code": 200, "request_id": "tr_1", "body": body},
        "error": None,
    }


@given(body=st.binary())
def test_an_answer_that_is_no_json_still_gives_a_row(body):
    row = answered("batch_X", Line(1, "a", b""), status=502, request_id="", body=b"<\n" + body)
    assert json.loads(row)["response"]["request_id"] == "batch_req_X_1"
    assert b"\n" not in row


def test_a_line_that_was_not_asked_says_why():
    row = json.loads(unasked("batch_X", Line(2, "a", b""), code="batch_expired", message="late"))
    assert row["response"] is None
    assert row["error"] == {"code": "batch_expired", "message": "late"}


@given(cut=st.integers(0, 200), good=st.booleans(), row=st.binary(min_size=1, max_size=80))
def test_a_row_that_is_half_written_is_never_taken_for_whole(cut, good, row):
    row = row.replace(b"\n", b" ")
    kept = kept_row(12, row, good=good)
    found = found_row(kept)
    assert found is not None
    assert (found.number, found.good, kept[found.start : -1]) == (12, good, row)
    if cut < len(kept) - 1:
        assert found_row(kept[:cut]) is None
        assert found_row(kept[:cut] + b"\n") is None  # as a later writer closes it off


def test_the_tenant_with_the_fewest_goes_first_and_the_oldest_of_a_tenant():
    def many(tenant: str, count: int) -> list:
        return [replace(BATCH, id=f"{tenant}{at}", tenant=tenant) for at in range(count)]

    flood, small = many("flood", 50), many("small", 2)
    begun = chosen([*flood, *small], [])
    assert len(begun) == SIDE_BY_SIDE
    assert [each.id for each in begun[:4]] == ["flood0", "small0", "flood1", "small1"]
    assert chosen(flood, flood[:SIDE_BY_SIDE]) == []
    assert [each.id for each in chosen(flood[:3], flood[:1], not_now={"flood1"})] == ["flood2"]
