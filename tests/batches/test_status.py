"""Laws of a batch's way to its end, whoever tells it what in whatever order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pointsman.batches.status import (
    PROBLEMS_MOST,
    begun,
    cancelled,
    concluded,
    counted,
    rejected,
    winding_up,
)
from pointsman.domain.batches import OPEN, Batch, LineProblem, Maker
from pointsman.domain.errors import InvalidRequest

WAY = {
    "validating": {"validating", "in_progress", "failed", "finalizing", "cancelling"},
    "in_progress": {"in_progress", "finalizing", "cancelling"},
    "finalizing": {"finalizing", "completed", "expired", "failed"},
    "cancelling": {"cancelling", "cancelled"},
    "completed": {"completed"},
    "failed": {"failed"},
    "expired": {"expired"},
    "cancelled": {"cancelled"},
}
BATCH = Batch(
    id="batch_1",
    tenant="acme",
    store="s",
    made_by=Maker(kind="open", name="local"),
    input_file="file-1",
    endpoint="/v1/embeddings",
    window="24h",
    made_us=1,
    expires_us=10,
)
PROBLEM = LineProblem(code="x", message="y", line=1)
COUNTS = st.integers(0, 30)
WORDS = st.one_of(
    st.tuples(st.just("begun"), COUNTS),
    st.tuples(st.just("rejected"), st.integers(1, 200)),
    st.tuples(st.just("cancelled")),
    st.tuples(st.just("winding_up"), st.sampled_from(["completed", "expired", "failed"])),
    st.tuples(st.just("counted"), COUNTS, COUNTS),
    st.tuples(st.just("concluded"), COUNTS, COUNTS),
)


def told(batch: Batch, word: tuple[Any, ...], at_us: int) -> Batch:
    match word:
        case ("begun", total):
            return begun(batch, total=total, at_us=at_us)
        case ("rejected", count):
            return rejected(batch, [PROBLEM] * count, at_us=at_us)
        case ("winding_up", ending):
            return winding_up(batch, ending, at_us=at_us, problems=[PROBLEM] * 150)
        case ("counted", completed, failed):
            return counted(batch, completed=completed, failed=failed)
        case ("concluded", completed, failed):
            return concluded(
                batch,
                completed=completed,
                failed=failed,
                output_file="file-2",
                error_file=None,
                at_us=at_us,
            )
    try:
        return cancelled(batch, at_us=at_us)
    except InvalidRequest:
        assert batch.status not in ("validating", "in_progress", "cancelling", "cancelled")
        return batch


@given(words=st.lists(WORDS, max_size=12))
def test_every_order_of_words_goes_forward_to_one_end(words):
    batch, over = BATCH, False
    for at_us, word in enumerate(words, 2):
        now = told(batch, word, at_us)
        assert now.status in WAY[batch.status]
        if over:
            assert now == batch  # an end is for good
        if word[0] == "counted":
            assert now.completed >= batch.completed
            assert now.failed >= batch.failed
        over = now.over
        assert now.completed + now.failed <= now.total
        assert over == (now.status not in OPEN) == (now.over_us is not None)
        assert not over or now.ending == now.status
        assert len(now.problems) <= PROBLEMS_MOST
        assert (now.output_file is None) or over
        assert (now.cancelling_us is None) == (now.ending != "cancelled")
        batch = now


@given(words=st.lists(WORDS, max_size=8))
def test_from_anywhere_a_runner_brings_it_to_an_end(words):
    batch = BATCH
    for word in words:
        batch = told(batch, word, 2)
    for word in (("begun", 1), ("winding_up", "completed"), ("concluded", 1, 0)):
        batch = told(batch, word, 3)
    assert batch.over
