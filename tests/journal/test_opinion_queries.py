"""What judges and raters said, and what was drawn for them, asked of a journal, sealed or not."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from journal_facts import an_admission, an_outcome, write

from pointsman.domain.records import Drawn, Record, SamplingRecord
from pointsman.journal import JournalReader, seal, verify

FACTS: list[Record] = [
    an_admission("tr_1", at_us=10),
    an_admission("tr_2", at_us=30, tenant="acme", task=None),
    an_outcome(1, trace="tr_1", at_us=60, value=True),
    an_outcome(6, trace="tr_1", at_us=110, outcome="judged", value=0.5, source="judge:j", key="j"),
    an_outcome(7, trace="tr_1", at_us=111, outcome="judged", value=0.9, source="judge:j", key="j"),
    an_outcome(8, trace="tr_2", at_us=112, tenant="acme", outcome="label", value="accept",
               source="rater:ann"),
    SamplingRecord(id="dw_1", at_us=120, by="ann", task="support", pool=3, since_us=0,
                   until_us=99, drawn=(Drawn(trace="tr_1", chance=0.5),)),
]  # fmt: skip


@pytest.fixture(params=["open", "sealed"])
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JournalReader]:
    write(tmp_path, FACTS)
    if request.param == "sealed":
        seal(tmp_path)
    assert verify(tmp_path).ok
    with JournalReader(tmp_path) as reader:
        yield reader


def test_opinions_are_of_judges_and_raters_each_key_once(reader: JournalReader) -> None:
    rows = reader.query("opinions")
    assert [(row["trace"], row["source"], row["task"]) for row in rows] == [
        ("tr_1", "judge:j", "support"),
        ("tr_2", "rater:ann", None),
    ]
    assert json.loads(rows[0]["payload"])["value"] == 0.5
    assert len(reader.query("opinions", {"task": "support"})) == 1
    assert reader.query("opinions", {"tenant": "acme"})[0]["asked_us"] == 30
    assert reader.query("opinions", {"since_us": 31}) == []


def test_draws_are_found_by_their_task(reader: JournalReader) -> None:
    (row,) = reader.query("samplings", {"task": "support"})
    assert json.loads(row["payload"])["drawn"] == [{"trace": "tr_1", "chance": 0.5}]
    assert len(reader.query("samplings")) == 1
    assert reader.query("samplings", {"task": "other"}) == []


def test_what_products_told_leaves_judges_and_raters_out(reader: JournalReader) -> None:
    assert [row["outcome"] for row in reader.query("outcome_kinds")] == ["accepted"]
