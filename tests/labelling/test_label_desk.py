"""The label desk on a real journal: draws, blind reading, labels as facts, agreement."""

import pytest
from traffic import desk, put

from pointsman.analytics.quality import quality_of
from pointsman.domain.errors import InvalidRequest, NotFound, UsageError
from pointsman.domain.records import OutcomeRecord, SamplingRecord
from pointsman.journal import JournalReader, JournalWriter, erase_due, iter_records
from pointsman.labelling.batch import take_labels


@pytest.fixture
def writer(tmp_path):
    with JournalWriter(tmp_path) as writer:
        yield writer


def facts(root, kind):
    return [each for each in iter_records(root) if isinstance(each, kind)]


def test_a_draw_is_a_record_and_fills_the_queue_in_its_order(tmp_path, writer):
    traces = [put(writer, n, judged=(n % 10) / 10) for n in range(60)]
    found = desk(tmp_path, writer).draw("support", 10, by="ann")
    (record,) = facts(tmp_path, SamplingRecord)
    assert (record.pool, record.by, record.task, len(record.drawn)) == (60, "ann", "support", 10)
    assert [each.chance for each in record.drawn] == [pick.chance for pick in found.picks]
    queue = desk(tmp_path).queue("ann", task="support")
    assert queue == [pick.trace for pick in found.picks]
    assert set(queue) <= set(traces)
    desk(tmp_path, writer).draw("support", 10, by="ann")
    assert len(set(desk(tmp_path).queue("ann"))) == 20


def test_what_the_judge_did_not_see_is_not_drawn_where_there_is_one(tmp_path, writer):
    judged = {put(writer, n, judged=0.9) for n in range(5)}
    for n in range(5, 20):
        put(writer, n)
    assert {
        pick.trace for pick in desk(tmp_path, writer).draw("support", 9, by="a").picks
    } == judged


def test_without_a_judge_all_that_was_delivered_is_drawn_from(tmp_path, writer):
    put(writer, 1)
    put(writer, 2, status="failed")
    put(writer, 3, task="other")
    found = desk(tmp_path, writer).draw("support", 9, by="a", write=False)
    assert (found.pool, facts(tmp_path, SamplingRecord)) == (1, [])


@pytest.mark.parametrize("n", [0, 1001])
def test_a_draw_has_a_size(tmp_path, n):
    with pytest.raises(UsageError, match="1 to 1000"):
        desk(tmp_path).draw("support", n, by="a")


def test_nothing_to_draw_from_is_said(tmp_path, writer):
    with pytest.raises(UsageError, match="nothing of task 'none'"):
        desk(tmp_path, writer).draw("none", 5, by="a")


def test_a_rater_sees_words_and_no_opinion(tmp_path, writer):
    trace = put(writer, 7, judged=0.123)
    item = desk(tmp_path).read(trace)
    assert (item.asked, item.answer) == ("[user]\nquestion 7", "answer 7")
    assert set(item.__struct_fields__) == {"trace", "task", "at_us", "asked", "answer"}


def test_labels_are_outcomes_with_their_rater(tmp_path, writer):
    trace = put(writer, 1, tenant="acme")
    at = desk(tmp_path, writer)
    at.label(trace, "edit", rater="ann", edited="better", took_ms=900)
    (said,) = facts(tmp_path, OutcomeRecord)
    assert (said.outcome, said.value, said.source) == ("label", "edit", "rater:ann")
    assert (said.tenant, said.took_ms) == ("acme", 900)
    assert JournalReader(tmp_path).body(said.body) == b"better"


def test_a_label_leaves_the_queue_and_undoing_puts_it_back(tmp_path, writer):
    trace = put(writer, 1)
    at = desk(tmp_path, writer)
    at.draw("support", 5, by="ann")
    for word, waits in (("accept", []), ("undone", [trace]), ("skip", []), ("reject", [])):
        at.label(trace, word, rater="ann")
        assert desk(tmp_path).queue("ann") == waits
    assert desk(tmp_path).queue("ben") == []
    assert desk(tmp_path).queue("ben", second=True) == [trace]
    assert desk(tmp_path).queue("ann", second=True) == []


def test_skipped_ones_come_back_when_asked_for(tmp_path, writer):
    trace = put(writer, 1)
    at = desk(tmp_path, writer)
    at.draw("support", 5, by="ann")
    at.label(trace, "skip", rater="ann")
    assert desk(tmp_path).queue("ann", skipped=True) == [trace]
    assert desk(tmp_path).queue("ben") == [trace]


@pytest.mark.parametrize(
    ("word", "edited", "rater", "why"),
    [
        ("good", None, "ann", "no label"), ("edit", None, "ann", "comes with"),
        ("accept", "x", "ann", "comes with"), ("edit", "", "ann", "1 to"),
        ("accept", None, "", "name"), ("accept", None, "a:b", "name"),
        ("accept", None, "a\n", "name"),
    ],
)  # fmt: skip
def test_what_is_no_label_is_refused(tmp_path, writer, word, edited, rater, why):
    trace = put(writer, 1)
    with pytest.raises(InvalidRequest, match=why):
        desk(tmp_path, writer).label(trace, word, rater=rater, edited=edited)
    assert facts(tmp_path, OutcomeRecord) == []


def test_words_that_are_gone_are_said_to_be(tmp_path, writer):
    masked = put(writer, 1, capture="redacted")
    digests = put(writer, 2, capture="digests")
    erased = put(writer, 3, until_us=5000)
    failed = put(writer, 4, status="failed")
    writer.close()
    assert erase_due(tmp_path, now_us=6000).bodies
    at = desk(tmp_path)
    for trace, why in ((masked, "masked"), (digests, "digests"), (erased, "erased"),
                       (failed, "no delivered")):  # fmt: skip
        with pytest.raises(InvalidRequest, match=why):
            at.read(trace)
    with pytest.raises(NotFound):
        at.read("tr_nowhere")


def test_two_raters_are_compared_where_both_looked(tmp_path, writer):
    at = desk(tmp_path, writer)
    for n in range(20):
        trace = put(writer, n)
        at.label(trace, "accept" if n % 2 else "reject", rater="ann")
        if n < 12:
            at.label(trace, "accept" if n % 2 or n == 0 else "reject", rater="ben")
    found = desk(tmp_path).standing("support")
    assert (found.labelled, found.raters) == (20, {"ann": 20, "ben": 12})
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.agreed.n) == ("ann", "ben", 12)
    assert pair.agreed.value == pytest.approx(11 / 12)
    assert found.alpha.n == 12


def test_lines_are_taken_once_and_bad_ones_named(tmp_path, writer):
    one, two = put(writer, 1), put(writer, 2)
    lines = [
        f'{{"trace": "{one}", "label": "accept"}}\n', "\n", "nonsense\n", "[]\n",
        f'{{"trace": "{two}", "label": "edit", "edited": "so"}}\n',
        f'{{"trace": "{two}", "label": "great"}}\n', '{"trace": "tr_x", "label": "accept"}\n',
        f'{{"trace": "{one}", "label": "accept", "took_ms": "1"}}\n', '{"label": "accept"}',
    ]  # fmt: skip
    tried = take_labels(desk(tmp_path, writer), lines, rater="ann", write=False)
    assert (tried.recorded, facts(tmp_path, OutcomeRecord)) == (2, [])
    taken = take_labels(desk(tmp_path, writer), lines, rater="ann")
    assert (taken.recorded, taken.unchanged) == (2, 0)
    assert [each.line for each in taken.refused] == [3, 4, 6, 7, 8, 9]
    again = take_labels(desk(tmp_path, writer), lines, rater="ann")
    assert (again.recorded, again.unchanged) == (0, 2)


def test_labels_of_a_draw_correct_the_judge(tmp_path, writer):
    for n in range(300):
        put(writer, n, judged=0.9 if n % 10 else 0.1)  # it passes 90 %, people 60 %
    at = desk(tmp_path, writer)
    at.draw("support", 120, by="ann")
    for trace in desk(tmp_path).queue("ann"):
        at.label(trace, "accept" if int(trace[3:]) % 10 >= 4 else "reject", rater="ann")
    (found,) = quality_of(JournalReader(tmp_path), tasks={}, since_us=0, until_us=9999)
    assert found.labels == 120
    assert found.judge_mean.value == pytest.approx(0.82)
    assert found.corrected.low < 0.6 < found.corrected.high < 0.8
