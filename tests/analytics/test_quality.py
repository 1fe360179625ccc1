"""Quality beside the raw rate: who said what last, and an honest number from both."""

import random

import msgspec
import pytest

from pointsman.analytics.opinions import chances_of, drawn_order, opinions_of
from pointsman.analytics.quality import JudgeErrors, judge_of, quality, quality_of
from pointsman.domain.records import Drawn, OutcomeRecord, SamplingRecord
from pointsman.domain.task import OnlineSettings, Task


def row(trace, source, value, *, outcome=None, at_us=1, task="support", **more):
    kind = outcome or ("label" if source.startswith("rater:") else "judged")
    said = OutcomeRecord(
        id="oc_1", at_us=at_us, trace=trace, outcome=kind, value=value, source=source, **more
    )
    return {
        "trace": trace, "source": source, "at_us": at_us, "task": task, "tenant": "default",
        "session": None, "asked_us": 0, "payload": msgspec.json.encode(said).decode(),
    }  # fmt: skip


def sampling(*drawn):
    return SamplingRecord(id="dw_1", at_us=1, by="ann", task="support", pool=9, since_us=0,
                          until_us=9, drawn=drawn)  # fmt: skip


class Journal:
    def __init__(self, rows, samplings=()):
        self.rows, self.samplings = rows, samplings

    def query(self, name, params=None):
        if name == "samplings":
            return [{"payload": msgspec.json.encode(each).decode()} for each in self.samplings]
        assert name == "opinions"
        return self.rows

    def body(self, ref):
        return None


def test_the_latest_word_of_each_counts():
    found = opinions_of(
        [
            row("tr_1", "judge:j", 0.2), row("tr_1", "judge:j", 0.8),
            row("tr_1", "rater:ann", "accept"), row("tr_1", "rater:ben", "reject"),
            row("tr_1", "rater:ben", "accept"), row("tr_2", "rater:ann", "accept"),
            row("tr_2", "rater:ann", "undone"), row("tr_3", "rater:ann", "skip"),
            row("tr_4", "judge:j", "not in form", outcome="unjudged"),
            row("tr_5", "rater:ann", "edit"),
        ]
    )  # fmt: skip
    assert found["tr_1"].judge_value("j") == 0.8
    assert found["tr_1"].label == 1.0
    assert found["tr_2"].label is None
    assert found["tr_3"].skipped == {"ann"}
    assert found["tr_4"].judge_value("j") is None
    assert found["tr_5"].label == 0.0


def test_the_chance_of_several_draws_is_the_largest():
    draws = [
        sampling(Drawn(trace="a", chance=0.1), Drawn(trace="b", chance=0.3)),
        sampling(Drawn(trace="a", chance=0.4, again=True), Drawn(trace="c", chance=0.2)),
    ]
    assert chances_of(draws) == {"a": 0.4, "b": 0.3, "c": 0.2}
    assert [each.trace for each in drawn_order(draws)] == ["a", "b", "c"]


def judged_traffic(chance, size, *, labels, good=0.6, right=0.85):
    rows, drawn = [], []
    for number in range(size):
        truth = chance.random() < good
        says = truth if chance.random() < right else chance.random() < 0.9  # it is kind
        rows.append(row(f"tr_{number}", "judge:j", float(says), cost_usd_picos=5))
        p = labels / size
        if chance.random() < p:
            drawn.append(Drawn(trace=f"tr_{number}", chance=p))
            rows.append(row(f"tr_{number}", "rater:ann", "accept" if truth else "reject"))
    return Journal(rows, [sampling(*drawn)])


def test_a_kind_judge_is_corrected():
    journal = judged_traffic(random.Random(6), 2000, labels=200)
    (found,) = quality_of(journal, tasks={}, since_us=0, until_us=9)
    assert found.judge_mean.low > 0.6
    assert found.corrected.low <= 0.6 <= found.corrected.high
    assert found.method == "ppi"
    assert (found.corrected.high - found.corrected.low) < (found.human.high - found.human.low)
    assert (found.judged, found.judge_usd_picos, found.raters) == (2000, 10_000, 1)


def test_without_enough_labels_the_card_speaks_and_without_a_card_nobody():
    journal = judged_traffic(random.Random(6), 500, labels=0)
    (bare,) = quality_of(journal, tasks={}, since_us=0, until_us=9)
    assert (bare.method, bare.corrected.value) == ("none", None)
    errors = {"j": JudgeErrors(caught=98, positives=100, cleared=86, negatives=100)}
    (carded,) = quality_of(journal, tasks={}, since_us=0, until_us=9, errors=errors)
    assert carded.method == "rogan-gladen"
    assert carded.corrected.low < 0.6 < carded.corrected.high


def test_labels_that_nobody_drew_are_told_and_left_out():
    rows = [row(f"tr_{n}", "judge:j", 1.0) for n in range(50)]
    rows += [row(f"tr_{n}", "rater:ann", "reject") for n in range(20)]
    (found,) = quality_of(Journal(rows), tasks={}, since_us=0, until_us=9)
    assert (found.labels, found.undrawn, found.method) == (0, 20, "none")


def test_people_alone_are_enough():
    rows = [row(f"tr_{n}", "rater:ann", "accept" if n % 4 else "reject") for n in range(80)]
    drawn = sampling(*(Drawn(trace=f"tr_{n}", chance=0.5) for n in range(80)))
    (found,) = quality_of(Journal(rows, [drawn]), tasks={}, since_us=0, until_us=9)
    assert (found.judge, found.method, found.labels) == (None, "people", 80)
    assert found.corrected.value == pytest.approx(0.75)
    assert found.corrected == found.human


def test_two_raters_agreement_is_told():
    rows = []
    for n in range(40):
        rows.append(row(f"tr_{n}", "rater:ann", "accept" if n % 2 else "reject"))
        rows.append(row(f"tr_{n}", "rater:ben", "accept" if n % 2 or n < 4 else "reject"))
    found = quality("t", list(opinions_of(rows).values()), {}, judge=None, errors={})
    assert found.raters == 2
    assert 0.7 < found.agreement.value < 1.0


def test_the_tasks_own_judge_counts_before_any_other():
    said = list(opinions_of([row("a", "judge:x", 1.0), row("b", "judge:x", 1.0),
                             row("c", "judge:y", 1.0)]).values())  # fmt: skip
    assert judge_of(None, said) == "x"
    task = Task(name="t", route="r", online=OnlineSettings(judge="y"))
    assert judge_of(task, said) == "y"
    assert judge_of(None, []) is None
