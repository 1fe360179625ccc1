"""Access to deployments: what outlives a change of the file, and what each process gets."""

import asyncio

import pytest

from pointsman.answering.access import Accesses, share
from pointsman.domain.portfolio import BreakerRules, Deployment, Limits
from pointsman.domain.ports import AttemptFailed
from pointsman.domain.records import Failure
from pointsman.routing.turns import Who

ME = Who("t", "k")
RULES = BreakerRules(failures=1, open_s=10, probes=1)
REFUSED = Failure(kind="refused")


def a(name: str = "d", url: str = "http://h/v1", **changes) -> Deployment:
    return Deployment(name=name, model="m", base_url=url, served_name="m",
                      **{"breaker": RULES, **changes})  # fmt: skip


def failed(accesses: Accesses, name: str = "d", now: float = 100) -> None:
    access = accesses.by_name[name]
    assert access.places.take()
    ticket = access.begin(now, forced=True, retry=False)
    access.end(ticket, REFUSED, now, began=now)


def told() -> tuple[list[tuple[str, str, str]], Accesses]:
    news: list[tuple[str, str, str]] = []
    return news, Accesses([a()], changed=lambda *said: news.append(said))


def test_a_deployment_that_fails_is_told_of_once_and_found_among_the_unwell():
    news, accesses = told()
    assert accesses.unwell(100) == {}
    failed(accesses)
    failed(accesses)
    assert news == [("d", "closed", "open")]
    unwell = accesses.unwell(101)["d"]
    assert (unwell.state, unwell.back_in_ms, unwell.admits) == ("open", 9000, False)
    assert accesses.unwell(110)["d"].admits


def test_a_change_elsewhere_in_the_file_forgets_nothing():
    news, accesses = told()
    failed(accesses)
    after = accesses.after([a(limits=Limits(concurrency=3)), a("new")], 101)
    assert after.by_name["d"] is accesses.by_name["d"]
    assert after.by_name["d"].places.limit == 3
    assert set(after.unwell(101)) == {"d"}
    assert len(news) == 1


def test_a_deployment_that_moved_is_another_one():
    news, accesses = told()
    failed(accesses)
    after = accesses.after([a(url="http://elsewhere/v1")], 101)
    assert after.unwell(101) == {}
    assert news == [("d", "closed", "open"), ("d", "open", "closed")]
    failed(accesses, now=102)  # what still ran there is nobody's news
    assert after.unwell(102) == {}
    assert len(news) == 2


def test_one_that_was_dropped_goes_on_for_who_is_there():
    _, accesses = told()
    access = accesses.by_name["d"]
    assert access.places.take()
    ticket = access.begin(100, forced=False, retry=False)
    assert accesses.after([a("other")], 101).by_name.keys() == {"other"}
    access.end(ticket, None, 102, began=100)
    assert access.places.taken == 0


def test_where_it_may_not_be_asked_the_place_stays_the_callers_to_give_back():
    _, accesses = told()
    failed(accesses)
    access = accesses.by_name["d"]
    assert access.places.take()
    with pytest.raises(AttemptFailed) as raised:
        access.begin(101, forced=False, retry=False)
    assert raised.value.failure.kind == "circuit_open"
    assert raised.value.failure.retry_after_s == 9
    assert access.places.taken == 1


@pytest.mark.parametrize(
    ("queue_timeout_s", "left_s", "kind"), [(0.01, 5, "busy"), (5, 0.01, "total_timeout")]
)
def test_whose_time_ran_out_is_told_the_truth(queue_timeout_s, left_s, kind):
    async def run():
        counted = []
        limits = Limits(concurrency=1, queue_timeout_s=queue_timeout_s)
        accesses = Accesses([a(limits=limits)], waits=lambda name, n: counted.append((name, n)))
        access = accesses.by_name["d"]
        assert access.places.take()
        with pytest.raises(AttemptFailed) as raised:
            await access.wait(ME, left_s)
        assert raised.value.failure.kind == kind
        assert counted == [("d", 1), ("d", -1)]

    asyncio.run(run())


@pytest.mark.parametrize(("limit", "workers", "each"), [(64, 4, 16), (5, 2, 2), (1, 8, 1)])
def test_a_process_has_its_part_of_a_limit_and_one_at_least(limit, workers, each):
    assert share(limit, workers) == each
    accesses = Accesses([a(limits=Limits(concurrency=limit, queue=0))], workers=workers)
    assert accesses.by_name["d"].places.limit == each


def test_one_probe_without_an_answer_may_be_an_accident():
    news, accesses = told()
    access = accesses.by_name["d"]
    access.probed(100, well=False)
    access.probed(101, well=True)
    access.probed(102, well=False)
    assert news == []
    access.probed(103, well=False)
    assert news == [("d", "closed", "open")]
    access.probed(104, well=True)
    assert accesses.unwell(104)["d"].admits
