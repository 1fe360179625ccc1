"""Ids of evidence: what is written is read again, and nothing else is."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.errors import UsageError
from pointsman.evidence.parts import TableCell, digest, part
from pointsman.evidence.provenance import (
    Block,
    Cells,
    Lines,
    PageBox,
    Provenance,
    Region,
    Whole,
    format_id,
    parse_id,
)

tenths = st.integers(-90_000, 90_000).map(lambda n: n / 10)
counts = st.integers(1, 10**9)
names = st.text(min_size=1, max_size=30).filter(
    lambda name: not any("\ud800" <= letter <= "\udfff" for letter in name)
) | st.binary(min_size=1, max_size=20).map(os.fsdecode)


@st.composite
def boxes(draw):
    x0, x1 = sorted((draw(tenths), draw(tenths)))
    top, bottom = sorted((draw(tenths), draw(tenths)))
    return x0, top, x1, bottom


@st.composite
def cells(draw):
    row, row_end = sorted((draw(counts), draw(counts)))
    col, col_end = sorted((draw(counts), draw(counts)))
    sheet = draw(st.none() | names)
    shape = draw(st.sampled_from(["row", "cell", "rows", "cells"]))
    return {
        "row": Cells(row, sheet=sheet),
        "cell": Cells(row, col, sheet=sheet),
        "rows": Cells(row, None, row_end, sheet=sheet),
        "cells": Cells(row, col, row_end, col_end, sheet=sheet),
    }[shape]


lines = st.builds(Lines, counts) | st.tuples(counts, counts).map(
    lambda pair: Lines(min(pair), max(pair) + 1)
)
places = (
    st.just(Whole())
    | st.builds(PageBox, counts, st.none() | boxes())
    | st.builds(Region, boxes())
    | st.builds(Block, counts)
    | lines
    | cells()
)


@given(st.builds(Provenance, names, places))
def test_an_id_is_read_as_what_it_was_written_from(origin):
    text = format_id(origin)
    assert parse_id(text) == origin
    assert format_id(parse_id(text)) == text
    assert not any(letter.isspace() for letter in text)


@given(st.text(max_size=60))
def test_any_text_is_an_id_in_its_one_form_or_refused(text):
    try:
        origin = parse_id(text)
    except UsageError:
        return
    assert format_id(origin) == text


@pytest.mark.parametrize("text", [
    "runbook.pdf#p3", "runbook.pdf#p3@72,90.5,523,140", "shot.png@10,20,300,40", "guide.docx#b12",
    "metrics.csv#r17c4", "metrics.csv#r17-r40", "book.xlsx#Costs!r1c1-r9c3", "app.log#L10233",
    "app.log#L5-L9", "Übersicht%202.pdf", "a%23b%40c.txt#L1",
])  # fmt: skip
def test_ids_as_people_write_them(text):
    assert format_id(parse_id(text)) == text


@pytest.mark.parametrize("text", [
    "", "#p3", "a.pdf#", "a.pdf#p0", "a.pdf#p03", "a.pdf#p3@9,9,1,1", "a.png@1,2,3", "a.log#L9-L5",
    "a.csv#r2c2-r1c1", "a.csv#r1c2-r3", "a b.pdf", "a.pdf#p3#p4", "a%2e.pdf", "a" * 3000,
])  # fmt: skip
def test_what_is_no_id_is_refused_with_a_reason(text):
    with pytest.raises(UsageError):
        parse_id(text)


def test_equal_parts_of_two_sources_have_one_address():
    one = part(Provenance("a.pdf", PageBox(1)), "text", "Restart the pod.")
    two = part(Provenance("b.pdf", PageBox(9)), "text", "Restart the pod.")
    assert one.digest == two.digest
    assert one.id != two.id


def test_a_cell_changes_the_address_of_its_table():
    cell = TableCell(row=0, col=0, row_end=0, col_end=0, text="1")
    other = TableCell(row=0, col=0, row_end=0, col_end=0, text="2")
    assert digest("table", "", (cell,)) != digest("table", "", (other,))
