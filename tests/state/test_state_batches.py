"""The contract of batches: a queue by store, changed by one at a time, with files or not at all."""

from typing import Any

import msgspec
import pytest

from pointsman.batches.status import begun, cancelled, concluded, rejected
from pointsman.domain.batches import Batch, LineProblem, Maker
from pointsman.domain.errors import InvalidRequest, NotFound, StateUnavailable
from pointsman.domain.ids import batch_id
from pointsman.state import State, open_state
from tests.state.state_forks import at_once, dies_at
from tests.state.test_state_files import NOW, a_file, added

INPUT = a_file(1)


def a_batch(number: int = 1, **changes: Any) -> Batch:
    said = Batch(
        id=batch_id(1_700_000_000_000 + number, bytes(10)),
        tenant="acme",
        store=INPUT.store,
        made_by=Maker(kind="file", name="ada"),
        input_file=INPUT.id,
        endpoint="/v1/embeddings",
        window="24h",
        made_us=NOW + number,
        expires_us=NOW + 10**9,
        metadata={"Grüße": "🚂 'quoted' \\ %s"},
    )
    return msgspec.structs.replace(said, **changes)


@pytest.fixture
def queue(state: State) -> State:
    added(state, INPUT)
    return state


def test_a_batch_comes_back_as_it_was_to_its_tenant_alone(queue: State) -> None:
    batch = a_batch()
    queue.batches.add(batch, most_open=9)
    assert queue.batches.get(batch.id, "acme") == batch
    with pytest.raises(NotFound):
        queue.batches.get(batch.id, "other")
    with pytest.raises(NotFound):
        queue.batches.change(batch.id, lambda now: cancelled(now, at_us=5), tenant="other")
    assert queue.batches.get(batch.id, "acme") == batch


def test_a_batch_reads_a_file_of_its_own_tenant(queue: State) -> None:
    for wrong in (a_batch(tenant="other"), a_batch(input_file=a_file(2).id)):
        with pytest.raises(NotFound):
            queue.batches.add(wrong, most_open=9)


def test_a_tenant_has_no_more_open_ones_than_it_may(queue: State) -> None:
    queue.batches.add(a_batch(1), most_open=1)
    with pytest.raises(InvalidRequest, match="the most"):
        queue.batches.add(a_batch(2), most_open=1)
    queue.batches.change(a_batch(1).id, rejected_now)
    queue.batches.add(a_batch(2), most_open=1)


def test_open_ones_of_a_store_are_told_the_oldest_first(queue: State) -> None:
    made = [a_batch(number) for number in range(4)]
    for batch in made[::-1]:
        queue.batches.add(batch, most_open=9)
    queue.batches.add(a_batch(9, store="another"), most_open=9)
    queue.batches.change(made[1].id, rejected_now)
    left = [made[0], made[2], made[3]]
    assert list(queue.batches.open(INPUT.store, limit=9)) == left
    assert list(queue.batches.open(INPUT.store, limit=2)) == left[:2]
    assert [each.id for each in queue.batches.page("acme", limit=2)] == [
        a_batch(9).id, made[3].id,
    ]  # fmt: skip
    assert [each.id for each in queue.batches.page("acme", limit=9, after=made[2].id)] == [
        made[1].id, made[0].id,
    ]  # fmt: skip


def test_a_change_that_fails_changes_nothing(queue: State) -> None:
    queue.batches.add(a_batch(), most_open=9)

    def fails(now: Batch) -> Batch:
        raise StateUnavailable("no")

    with pytest.raises(StateUnavailable):
        queue.batches.change(a_batch().id, fails)
    assert queue.batches.get(a_batch().id, "acme") == a_batch()


def test_the_input_of_an_open_batch_stays(queue: State) -> None:
    queue.batches.add(a_batch(), most_open=9)
    with pytest.raises(InvalidRequest, match="is read by"):
        queue.files.remove(INPUT.id, "acme")
    over = a_file(5, expires_us=NOW - 1)
    added(queue, over)
    queue.batches.add(a_batch(5, input_file=over.id), most_open=9)
    assert queue.files.remove_expired(INPUT.store, now_us=NOW) == ()
    queue.batches.change(a_batch(5).id, rejected_now)
    assert queue.files.remove_expired(INPUT.store, now_us=NOW) == (over.id,)


def test_of_two_who_end_a_batch_one_leaves_its_files(queue: State, url: str) -> None:
    queue.batches.add(a_batch(), most_open=9)
    queue.batches.change(a_batch().id, lambda now: begun(now, total=1, at_us=2))
    queue.batches.change(a_batch().id, lambda now: cancelled(now, at_us=3))

    def end(number: int) -> tuple[str | None, bool]:
        mine = a_file(100 + number, purpose="batch_output")
        with open_state(url) as own:
            batch = own.batches.change(
                a_batch().id, lambda now: ended(now, mine.id), with_files=(mine,)
            )
            return batch.output_file, own.files.known((mine.id,)) == {mine.id}

    found = at_once(end, processes=4)
    [output] = {file for file, _ in found}
    assert sum(kept for _, kept in found) == 1
    assert queue.files.known(tuple(a_file(100 + n).id for n in range(4))) == {output}


def test_a_process_killed_anywhere_leaves_an_end_with_its_files_or_neither(
    queue: State, url: str
) -> None:
    queue.batches.add(a_batch(), most_open=9)
    queue.batches.change(a_batch().id, lambda now: cancelled(now, at_us=3))
    mine = a_file(100, purpose="batch_output")

    def end(own: State) -> None:
        own.batches.change(a_batch().id, lambda now: ended(now, mine.id), with_files=(mine,))

    statement = 1
    while dies_at(statement, end, first=lambda: open_state(url)):
        over = queue.batches.get(a_batch().id, "acme").over
        assert over == (queue.files.known((mine.id,)) == {mine.id})
        statement += 1
    assert statement > 2
    assert queue.batches.get(a_batch().id, "acme").output_file == mine.id


def test_what_was_over_long_ago_is_forgotten(queue: State) -> None:
    for number in (1, 2, 3):
        queue.batches.add(a_batch(number), most_open=9)
    queue.batches.change(a_batch(1).id, rejected_now)
    assert queue.batches.forget(INPUT.store, before_us=7) == 0
    assert queue.batches.forget(INPUT.store, before_us=8) == 1
    assert [each.id for each in queue.batches.page("acme", limit=9)] == [
        a_batch(3).id, a_batch(2).id,
    ]  # fmt: skip


def rejected_now(now: Batch) -> Batch:
    return rejected(now, [LineProblem(code="x", message="y")], at_us=7)


def ended(now: Batch, output: str) -> Batch:
    return concluded(now, completed=1, failed=0, output_file=output, error_file=None, at_us=9)
