"""The queue before a deployment: fair, bounded, and nobody is lost in it."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pointsman.routing.turns import FairQueue, Who


def queue_of(*items: tuple[str, str], bound: int = 100) -> FairQueue[int]:
    queue: FairQueue[int] = FairQueue(bound)
    for number, (tenant, key) in enumerate(items):
        assert queue.push(Who(tenant, key), number) is None
    return queue


def drained(queue: FairQueue[int]) -> list[int]:
    order = []
    while (item := queue.pop()) is not None:
        order.append(item)
    return order


def test_one_key_is_served_in_the_order_of_asking():
    assert drained(queue_of(*[("t", "k")] * 5)) == [0, 1, 2, 3, 4]


def test_a_newcomer_is_next_but_one_however_many_another_tenant_has():
    queue = queue_of(*[("flood", "k")] * 50, ("quiet", "k"))
    assert 50 in [queue.pop(), queue.pop()]


def test_keys_of_a_tenant_share_its_turns():
    queue = queue_of(("a", "1"), ("a", "1"), ("a", "1"), ("a", "2"), ("b", "1"), ("b", "1"))
    assert drained(queue) == [0, 4, 3, 5, 1, 2]


whos = st.tuples(st.sampled_from("abc"), st.sampled_from("12"))


@given(st.lists(st.sampled_from("ab"), max_size=60), st.integers(1, 40))
def test_of_two_that_wait_all_the_while_neither_is_served_more_than_once_more(arrivals, served):
    queue: FairQueue[int] = FairQueue(1000)
    tenant_of = {}
    for number, tenant in enumerate([*"ab" * 45, *arrivals]):
        tenant_of[number] = tenant
        queue.push(Who(tenant, "k"), number)
    turns: Counter[str] = Counter()
    for _ in range(served):
        item = queue.pop()
        assert item is not None
        turns[tenant_of[item]] += 1
        assert abs(turns["a"] - turns["b"]) <= 1


@given(st.integers(0, 6), st.lists(st.one_of(whos, st.sampled_from(["pop", "remove"])),
                                   max_size=80), st.data())  # fmt: skip
def test_the_bound_holds_and_everybody_leaves_exactly_once(bound, moves, data):
    queue: FairQueue[int] = FairQueue(bound)
    waiting: dict[int, Who] = {}
    for number, move in enumerate(moves):
        if move == "pop":
            item = queue.pop()
            assert (item is None) == (not waiting)
            if item is not None:
                del waiting[item]
        elif move == "remove":
            if waiting:
                item = data.draw(st.sampled_from(sorted(waiting)))
                assert queue.remove(item)
                assert not queue.remove(item)
                del waiting[item]
        else:
            who = Who(*move)
            before = Counter(each.tenant for each in waiting.values())
            out = queue.push(who, number)
            waiting[number] = who
            if out is not None:
                lost = waiting.pop(out)
                if lost.tenant != who.tenant:  # it had more, and has no less than the newcomer
                    assert before[lost.tenant] >= before[who.tenant] + 2
                elif out == number:
                    assert all(count <= before[who.tenant] + 1 for count in before.values())
        assert len(queue) == len(waiting) <= bound
    assert sorted(drained(queue)) == sorted(waiting)


def test_who_floods_a_full_queue_loses_its_own_newest():
    queue = queue_of(*[("flood", "k")] * 10, bound=10)
    assert queue.push(Who("flood", "k"), 100) == 100
    assert queue.push(Who("quiet", "k"), 101) == 9
    assert queue.push(Who("quiet", "k"), 102) == 8
    assert len(queue) == 10


def test_a_full_queue_makes_room_within_a_tenant_for_its_other_key():
    queue = queue_of(*[("t", "flood")] * 4, bound=4)
    assert queue.push(Who("t", "quiet"), 100) == 3


def test_a_queue_of_none_takes_nobody():
    queue: FairQueue[int] = FairQueue(0)
    assert queue.push(Who("t", "k"), 1) == 1
    assert queue.pop() is None
