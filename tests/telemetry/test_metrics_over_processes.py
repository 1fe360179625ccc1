"""Metrics of several processes add up: nothing is lost between a snapshot and the text."""

import functools

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from pointsman.domain.money import Usage
from pointsman.domain.plan import Decision, Plan
from pointsman.domain.records import Admission, Attempt, BodyRef, End
from pointsman.telemetry import Metrics, combine, merge

ENDS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["delivered", "failed", "cancelled"]),
        st.integers(0, 400_000),
        st.one_of(st.none(), st.integers(0, 400_000)),
        st.integers(0, 10**21),
    ),
    max_size=12,
)


def count(metrics: Metrics, ends) -> Metrics:
    for task, status, total_ms, first_ms, cost in ends:
        attempt = Attempt(
            step=0, deployment="d", total_ms=total_ms, cost_usd_picos=cost,
            usage=Usage(prompt_tokens=3, completion_tokens=2),
        )  # fmt: skip
        metrics.ended(
            admission(task),
            End(trace="tr_1", at_us=1, status=status, http_status=200, attempts=(attempt,),
                total_ms=total_ms, first_byte_ms=first_ms, overhead_us=total_ms % 7000),
        )  # fmt: skip
    return metrics


@functools.cache
def admission(task: str | None) -> Admission:
    decision = Decision(plan=Plan(steps=()), route="r", reason="said so")
    return Admission(
        trace="tr_1", at_us=1, tenant="t", principal="p", surface="chat", asked="x", task=task,
        decision=decision, request=BodyRef(digest="d", size=1),
    )  # fmt: skip


def values(text: bytes) -> dict:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(st.lists(ENDS, max_size=4))
def test_the_whole_of_several_processes_is_what_one_would_have_counted(parts):
    one = Metrics()
    for part in parts:
        count(one, part)
    snapshots = [count(Metrics(), part).snapshot() for part in parts]
    whole = values(merge(snapshots))
    alone = values(one.text())
    assert whole.keys() == alone.keys()
    for key, value in alone.items():
        assert abs(whole[key] - value) <= 1e-9 * abs(value), key
    assert values(merge([combine(snapshots)])).keys() == alone.keys()


@given(ENDS, ENDS)
def test_counts_of_a_process_that_is_gone_stay_and_nothing_ever_goes_down(dead, living):
    gone = count(Metrics(), dead).snapshot()
    before = values(merge([gone]))
    after = values(merge([combine([gone]), count(Metrics(), living).snapshot()]))
    assert all(after[key] >= value for key, value in before.items())


def test_a_cost_beyond_64_bits_travels():
    snapshot = count(Metrics(), [("a", "delivered", 1, 1, 10**25)]).snapshot()
    assert values(merge([snapshot, snapshot]))["pointsman_cost_usd_total", (("deployment", "d"),)] \
        == 2 * 10**13  # fmt: skip
