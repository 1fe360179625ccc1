"""Every item has one outcome, the same wherever it is done; a worker that dies costs no item."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.executor import made

from pointsman.domain.errors import ExtraMissing, UsageError
from pointsman.executor import on_ray
from pointsman.executor.mapping import map_unordered, map_unordered_async


def values(outcomes):
    return {each.index: each.value for each in outcomes}


@pytest.mark.parametrize("on", ["here", "processes"])
def test_every_item_has_one_outcome(on):
    outcomes = list(map_unordered(made.squared, range(40), on=on, workers=2))
    assert len(outcomes) == 40
    assert values(outcomes) == {at: at * at for at in range(40)}
    assert {each.attempts for each in outcomes} == {1}


@pytest.mark.parametrize("on", ["here", "processes"])
def test_an_exception_is_the_items_own_outcome(on):
    outcomes = list(map_unordered(made.unlucky, range(7), on=on, workers=2))
    failed = {each.index: each.error for each in outcomes if not each.done}
    assert sorted(failed) == [0, 3, 6]
    assert failed[3] == "ValueError: 3 is a multiple of three"


def test_a_killed_worker_loses_nothing(tmp_path):
    items = [(at, str(tmp_path / f"mark{at}") if at in (3, 11) else None) for at in range(20)]
    outcomes = list(map_unordered(made.killed_once, items, workers=2))
    assert values(outcomes) == {at: at * at for at in range(20)}
    assert {each.index for each in outcomes if each.attempts == 2} == {3, 11}


def test_an_item_that_kills_every_worker_is_told_and_the_others_are_done():
    outcomes = list(map_unordered(made.always_killed, range(5), workers=2, attempts=2))
    dead = next(each for each in outcomes if not each.done)
    assert (dead.index, dead.attempts) == (2, 2)
    assert dead.error == "its worker died (signal 9), 2 times"
    assert len(outcomes) == 5


def test_what_takes_too_long_is_ended():
    outcomes = list(map_unordered(made.endless, [1, 1], workers=2, attempts=1, timeout_s=0.5))
    assert [each.error for each in outcomes] == ["it took longer than 0.5 s, once"] * 2


def test_what_work_prints_is_no_result(capfd):
    assert values(map_unordered(made.loud, range(4), workers=1)) == {at: at for at in range(4)}


@pytest.mark.parametrize("on", ["here", "processes"])
def test_one_of_each_key_is_done_and_what_is_known_is_not(on, tmp_path):
    items = [(name, str(tmp_path)) for name in "abacabad"]
    outcomes = list(map_unordered(
        made.counted, items, on=on, workers=2, key=lambda item: item[0],
        known=lambda key: "known before" if key == "d" else None,
    ))  # fmt: skip
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c"]
    assert all((tmp_path / name).read_text() == "x" for name in "abc")
    assert values(outcomes) == dict(enumerate([*"abacaba", "known before"]))
    assert len(outcomes) == 8


def test_items_are_drawn_as_there_is_room():
    drawn = []

    def items():
        for at in range(1000):
            drawn.append(at)
            yield at

    outcomes = map_unordered(made.squared, items(), workers=2)
    next(outcomes)
    assert len(drawn) <= 4
    outcomes.close()


def test_a_map_that_is_closed_leaves_no_process():
    outcomes = map_unordered(made.endless, [0, 1, 1], workers=3)
    assert next(outcomes).value == 0
    listed = ["ps", "--no-headers", "-o", "pid", "--ppid", str(os.getpid())]
    before = len(subprocess.run(listed, capture_output=True, text=True, check=False).stdout.split())
    outcomes.close()
    after = len(subprocess.run(listed, capture_output=True, text=True, check=False).stdout.split())
    assert after <= before - 2


def test_an_idle_worker_that_is_killed_is_replaced():
    """Its death is noticed without an item, and no item is blamed for it."""
    outcomes = map_unordered(made.squared, _killing_idle(), workers=2)
    assert values(outcomes) == {at: at * at for at in range(6)}


def _killing_idle():
    yield from range(3)
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    for pid in children.read_text().split() if children.exists() else ():
        if b"pointsman.executor.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(int(pid), signal.SIGKILL)
            break
    yield from range(3, 6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=30))
def test_items_of_one_key_share_one_outcome(items):
    outcomes = list(map_unordered(made.squared, items, on="here", key=lambda item: item))
    assert sorted(each.index for each in outcomes) == list(range(len(items)))
    assert values(outcomes) == {at: item * item for at, item in enumerate(items)}
    assert sum(each.attempts for each in outcomes) == len(set(items))


def test_coroutines_are_bounded_and_end_alike():
    most, now = 0, 0

    async def slow(number):
        nonlocal most, now
        now += 1
        most = max(most, now)
        for _ in range(5):
            await asyncio.sleep(0)
        now -= 1
        if number == 4:
            raise KeyError("four")
        return number

    async def run():
        return [each async for each in map_unordered_async(slow, range(12), workers=3)]

    outcomes = asyncio.run(run())
    assert most == 3
    assert len(outcomes) == 12
    assert {each.error for each in outcomes} == {None, "KeyError: 'four'"}


def test_coroutines_that_take_too_long_are_told():
    async def run():
        never = asyncio.Event()

        async def waits(number):
            if number == 1:
                await never.wait()
            return number

        mapped = map_unordered_async(waits, range(3), workers=3, timeout_s=0.05)
        return [each async for each in mapped]

    assert {each.error for each in asyncio.run(run())} == {None, "it took longer than 0.05 s"}


def test_places_and_bounds_that_are_none_are_refused():
    with pytest.raises(UsageError, match="cannot be done on 'the moon'"):
        map_unordered(made.squared, [], on="the moon")
    for bad in ({"workers": 1000}, {"attempts": 0}, {"timeout_s": 0}):
        with pytest.raises(ValueError, match=r"must lie|may take"):
            map_unordered(made.squared, [], **bad)
    with pytest.raises(TypeError, match="cannot be sent"):
        list(map_unordered(lambda item: item, [1], workers=1))


def test_ray_is_loaded_only_where_it_is_asked_for(monkeypatch):
    probe = (
        "import sys; from pointsman.executor.mapping import map_unordered; "
        "import pointsman.executor.on_ray; sys.exit('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
    monkeypatch.setattr(on_ray.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match="extra 'ray'"):
        list(map_unordered(made.squared, [1], on="ray", workers=1))
