"""The same results on a Ray cluster of this machine, and nothing lost when a worker of it dies."""

import pytest
from tests.executor import made

from pointsman.executor.mapping import map_unordered

pytest.importorskip("ray")
pytestmark = [pytest.mark.deep, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """One for all of these tests: starting one takes seconds."""
    import ray

    from pointsman.executor.on_ray import _connect, _ray
    from pointsman.executor.work import Bounds

    _connect(_ray(), None, Bounds(workers=2))
    yield
    ray.shutdown()


def on_ray(fn, items, **more):
    return sorted(map_unordered(fn, items, on="ray", workers=2, **more), key=lambda one: one.index)


def test_results_are_those_of_processes():
    here = sorted(map_unordered(made.unlucky, range(20), workers=2), key=lambda one: one.index)
    assert on_ray(made.unlucky, range(20)) == here


def test_a_killed_worker_loses_nothing(tmp_path):
    items = [(at, str(tmp_path / f"mark{at}") if at in (2, 7) else None) for at in range(12)]
    outcomes = on_ray(made.killed_once, items)
    assert [each.value for each in outcomes] == [at * at for at in range(12)]
    assert [each.index for each in outcomes if each.attempts == 2] == [2, 7]


def test_an_item_that_kills_every_worker_is_told():
    outcomes = on_ray(made.always_killed, range(4), attempts=2)
    assert [each.done for each in outcomes] == [True, True, False, True]
    assert "2 times" in outcomes[2].error


def test_keys_are_honoured(tmp_path):
    items = [(name, str(tmp_path)) for name in "aab"]
    assert [each.value for each in on_ray(made.counted, items, key=lambda one: one[0])] == [*"aab"]
    assert (tmp_path / "a").read_text() == "x"
