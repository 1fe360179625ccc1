"""A run asks every case as often as it says, keeps what came, and goes on where it was."""

import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluating.running_kit import COST, SUBJECT, Scripted, a_store, begin, cases, finish

from pointsman.domain.errors import NotFound, UpstreamError
from pointsman.domain.records import Failure
from pointsman.evals.pacing import Purse
from pointsman.evaluating.running import Stopped
from pointsman.evaluating.store import RunStore

FULL = Failure(kind="rate_limited", status=429, retry_after_s=0.0)
GONE = Failure(kind="client_error", status=400, detail="no")


def test_every_case_is_asked_scored_and_kept_and_the_run_sealed(tmp_path):
    store = a_store(tmp_path)
    answerer = Scripted(lambda text, nth: text if text != "q1" else "wrong")
    run = begin(store, cases(5), fields={"temperature": 0})
    samples = finish(store, run, answerer)
    assert sorted(each.case for each in samples) == ["c0", "c1", "c2", "c3", "c4"]
    assert {each.case: each.accepted(("exact",)) for each in samples} == {
        "c0": True, "c1": False, "c2": True, "c3": True, "c4": True,
    }  # fmt: skip
    assert all(each.cost_usd_picos == COST and each.overhead_us == 100 for each in samples)
    assert answerer.requests[0]["temperature"] == 0
    assert answerer.requests[0]["model"] == "task:sum"
    sealed = store.read(run.id)
    assert (sealed.status, sealed.samples, sealed.missing) == ("complete", 5, 0)
    store.verify(run.id)


def test_a_missing_answer_is_kept_with_its_reason_and_nothing_is_dropped(tmp_path):
    store = a_store(tmp_path)
    run = begin(store, cases(4))
    samples = finish(store, run, Scripted(lambda text, nth: GONE if text == "q2" else text))
    missing = [each for each in samples if each.status == "missing"]
    assert len(samples) == 4
    assert [(each.case, each.reason, each.scores) for each in missing] == [
        ("c2", "client_error: no", ())
    ]
    assert missing[0].accepted(("exact",)) is None
    assert store.read(run.id).missing == 1


def test_what_is_full_is_asked_again_and_fewer_run_at_once(tmp_path):
    store = a_store(tmp_path)
    run = begin(store, cases(30))
    answerer = Scripted(lambda text, nth: FULL if nth == 0 else text, slow_s=0.001)
    told = []
    samples = finish(store, run, answerer, progress=told.append, ceiling=8)
    assert all(each.status == "answered" and each.retries == 1 for each in samples)
    assert all(each.cost_usd_picos == 2 * COST for each in samples)
    assert min(standing.at_once for standing in told) < 4
    assert answerer.most <= 8


def test_a_request_is_tried_only_so_often(tmp_path):
    store = a_store(tmp_path)
    run = begin(store, cases(2))
    answerer = Scripted(lambda text, nth: FULL if text == "q0" else text)
    samples = finish(store, run, answerer, retries=3)
    assert answerer.asked["q0"] == 4
    assert {each.case: each.status for each in samples} == {"c0": "missing", "c1": "answered"}


def test_repeats_are_asked_and_never_taken_from_an_earlier_run(tmp_path):
    store = a_store(tmp_path)
    answerer = Scripted(lambda text, nth: f"{text}{nth}")
    first = finish(store, begin(store, cases(3), epochs=3, seed=5), answerer)
    again = finish(store, begin(store, cases(3), epochs=3, seed=5), answerer)
    assert all(count == 6 for count in answerer.asked.values())
    assert not any(each.cached for each in [*first, *again])
    assert sorted((each.case, each.epoch, each.seed) for each in first) == [
        (f"c{i}", epoch, 5 + epoch) for i in range(3) for epoch in range(3)
    ]


def test_what_was_asked_before_comes_from_there_and_is_scored_anew(tmp_path):
    store = a_store(tmp_path)
    answerer = Scripted()
    finish(store, begin(store, cases(3)), answerer)
    more = cases(4)
    more[0] = msgspec.structs.replace(more[0], id="renamed", expected="other")
    samples = {each.case: each for each in finish(store, begin(store, more), answerer)}
    assert {case: each.cached for case, each in samples.items()} == {
        "renamed": True, "c1": True, "c2": True, "c3": False,
    }  # fmt: skip
    assert samples["renamed"].accepted(("exact",)) is False
    assert samples["c1"].cost_usd_picos == COST
    fresh = finish(store, begin(store, cases(3)), answerer, earlier=False)
    assert not any(each.cached for each in fresh)


@pytest.mark.parametrize(
    "changed",
    [
        {"fields": {"temperature": 1}},
        {"seed": 1},
        {"subject": msgspec.structs.replace(SUBJECT, digest="s2")},
        {"subject": msgspec.structs.replace(SUBJECT, config="c2")},
    ],
)
def test_anything_that_can_change_an_answer_is_asked_again(tmp_path, changed):
    store = a_store(tmp_path)
    finish(store, begin(store, cases(2)), Scripted())
    assert not any(each.cached for each in finish(store, begin(store, cases(2), **changed),
                                                  Scripted()))  # fmt: skip


def test_a_missing_answer_is_no_answer_to_take_from_an_earlier_run(tmp_path):
    store = a_store(tmp_path)
    finish(store, begin(store, cases(2)), Scripted(lambda t, n: GONE if t == "q0" else t))
    samples = finish(store, begin(store, cases(2)), Scripted())
    assert {each.case: each.cached for each in samples} == {"c0": False, "c1": True}


def test_the_spend_limit_is_never_passed_and_the_run_goes_on_with_more(tmp_path):
    store = a_store(tmp_path)
    run = begin(store, cases(10))
    answerer = Scripted(slow_s=0.001)
    with pytest.raises(Stopped):
        finish(store, run, answerer, spend_limit_usd_picos=4 * COST)
    samples = list(store.samples(run.id))
    assert len(samples) == 4
    assert not store.read(run.id).sealed
    assert len(finish(store, run, answerer, spend_limit_usd_picos=100 * COST)) == 10
    assert all(count == 1 for count in answerer.asked.values())


@given(cost=st.integers(1, 50), limit=st.integers(1, 500), ends=st.lists(st.booleans()))
def test_of_samples_that_cost_alike_a_purse_never_lets_one_too_many_begin(cost, limit, ends):
    purse, running = Purse(limit), 0
    for end in ends:
        if end and running:
            running -= 1
            purse.end(cost, paid=True)
        elif purse.begin():
            running += 1
        assert purse.spent + running * cost <= max(limit, cost)


def test_nobody_there_stops_the_run_and_leaves_it_as_it_was(tmp_path):
    store = a_store(tmp_path)
    run = begin(store, cases(20))
    nobody = Failure(kind="refused", detail="connection refused", retry_after_s=0.0)
    with pytest.raises(UpstreamError, match="nobody answers"):
        finish(store, run, Scripted(lambda text, nth: nobody), retries=0)
    assert list(store.samples(run.id)) == []
    assert len(finish(store, run, Scripted())) == 20


def test_a_subject_that_cannot_be_asked_ends_the_run_at_once(tmp_path):
    store = a_store(tmp_path)
    run = begin(store, cases(50))
    answerer = Scripted(lambda text, nth: NotFound("no such task"))
    with pytest.raises(NotFound):
        finish(store, run, answerer)
    assert sum(answerer.asked.values()) <= 8


def test_trouble_that_several_samples_meet_is_told_once(tmp_path, caplog):
    store = a_store(tmp_path)
    run = begin(store, cases(50))
    with pytest.raises(NotFound):
        finish(store, run, Scripted(lambda text, nth: NotFound("no such task")))
    gc.collect()  # a task whose exception nobody asked for says so when it goes
    assert "never retrieved" not in caplog.text


_CHILD = textwrap.dedent("""
    import sys
    from pathlib import Path
    from tests.evaluating.running_kit import Scripted, finish
    from pointsman.evaluating.store import RunStore

    log = open(sys.argv[2], "a", buffering=1)

    def says(text, nth):
        log.write(text + "\\n")
        return text

    store = RunStore(sys.argv[1])
    def tell(standing):
        print(standing.done, flush=True)
    finish(store, store.read("latest"), Scripted(says, slow_s=0.002), progress=tell, ceiling=4)
""")


def test_a_run_killed_again_and_again_asks_nothing_twice_that_it_kept(tmp_path):
    store = RunStore(tmp_path / "evals")
    run = begin(store, cases(60))
    log = tmp_path / "asked"
    root = Path(__file__).parent.parent.parent
    kept: set[str] = set()
    killed = 0
    while not store.read(run.id).sealed:
        assert killed < 40, "it gets on"
        log.unlink(missing_ok=True)
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(store.root), str(log)],
            stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
        )  # fmt: skip
        for line in child.stdout:
            if int(line) >= len(kept) + 20:
                child.send_signal(signal.SIGKILL)
                break
        child.stdout.close()
        child.wait()
        killed += 1
        asked = log.read_text().split() if log.exists() else []
        assert not {f"c{text[1:]}" for text in asked} & kept, "what was kept is not asked again"
        kept = {each.case for each in store.samples(run.id)}
    assert killed > 1
    assert len(kept) == 60
    store.verify(run.id)


def test_samples_are_plain_json_for_other_tools(tmp_path):
    store = a_store(tmp_path)
    run = begin(store, cases(1))
    finish(store, run, Scripted())
    [line] = store.files(run.id).samples.read_text().splitlines()
    assert json.loads(line)["scores"] == [{"name": "exact", "value": 1.0, "passed": True}]
