"""Retention goes by a clock that is to be trusted: no jump erases what was to be kept."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keeping_kit import DAY_US, FakeKeys, SetClock, admitted

from pointsman.domain.errors import CheckFailed
from pointsman.journal import JournalReader, JournalWriter, verify
from pointsman.journal.layout import layout
from pointsman.keeping.jobs import Work, retaining
from pointsman.keeping.trusted_clock import TrustedClock

START_US = 20_000 * DAY_US


def a_work(root: Path, clock: SetClock, keys: FakeKeys) -> Work:
    return Work(
        root=root, tasks={}, keys=keys, keep_records_days=None, allowed=lambda: True,
        wall_us=clock.now_us, monotonic=clock.monotonic,
    )  # fmt: skip


def test_bodies_go_when_their_days_are_over(tmp_path: Path) -> None:
    keys, clock = FakeKeys(), SetClock(START_US)
    with JournalWriter(tmp_path) as writer:
        short = admitted(writer, keys, "tr_1", at_us=START_US, keep_days=1).request
        long = admitted(writer, keys, "tr_2", at_us=START_US, keep_days=3).request
    work = a_work(tmp_path, clock, keys)
    with JournalReader(tmp_path, keys=keys) as reader:
        for day, left in ((0.0, 2), (0.9, 2), (1.1, 1), (2.0, 1), (2.9, 1), (3.1, 0)):
            clock.passes(START_US / 1e6 + day * 86_400 - clock.wall_us / 1e6)
            list(retaining(work))
            assert sum(reader.body(ref) is not None for ref in (short, long)) == left, day
    assert verify(tmp_path).ok


def test_a_clock_that_jumps_a_year_ahead_erases_nothing_for_a_day(tmp_path: Path) -> None:
    keys, clock = FakeKeys(), SetClock(START_US)
    with JournalWriter(tmp_path) as writer:
        ref = admitted(writer, keys, "tr_1", at_us=START_US).request
    work = a_work(tmp_path, clock, keys)
    with JournalReader(tmp_path, keys=keys) as reader:
        list(retaining(work))
        clock.wall_us += 365 * DAY_US
        for _ in range(23):
            with pytest.raises(CheckFailed, match="days ahead"):
                list(retaining(work))
            clock.passes(3_600)
        assert reader.body(ref) == b"what ada said"
        clock.passes(7_200)
        list(retaining(work))  # it has stood by it for a day
        assert reader.body(ref) is None


def test_a_clock_that_was_put_right_again_is_as_if_nothing_was(tmp_path: Path) -> None:
    keys, clock = FakeKeys(), SetClock(START_US)
    with JournalWriter(tmp_path) as writer:
        ref = admitted(writer, keys, "tr_1", at_us=START_US).request
    work = a_work(tmp_path, clock, keys)
    list(retaining(work))
    clock.wall_us += 365 * DAY_US
    with pytest.raises(CheckFailed):
        list(retaining(work))
    clock.wall_us -= 365 * DAY_US
    clock.passes(60)
    list(retaining(work))
    with JournalReader(tmp_path, keys=keys) as reader:
        assert reader.body(ref) == b"what ada said"


def test_a_clock_that_goes_back_an_hour_only_waits(tmp_path: Path) -> None:
    keys, clock = FakeKeys(), SetClock(START_US)
    with JournalWriter(tmp_path) as writer:
        ref = admitted(writer, keys, "tr_1", at_us=START_US, keep_days=1).request
    work = a_work(tmp_path, clock, keys)
    list(retaining(work))
    clock.passes(86_400 - 60)
    list(retaining(work))
    clock.wall_us -= 3_600_000_000
    clock.passes(120)
    list(retaining(work))
    with JournalReader(tmp_path, keys=keys) as reader:
        assert reader.body(ref) is not None
        clock.passes(3_600)
        list(retaining(work))
        assert reader.body(ref) is None


def test_a_journal_that_lay_for_a_year_goes_by_its_latest_record(tmp_path: Path) -> None:
    keys, clock = FakeKeys(), SetClock(START_US + 365 * DAY_US)
    with JournalWriter(tmp_path) as writer:
        ref = admitted(writer, keys, "tr_1", at_us=START_US).request
    with pytest.raises(CheckFailed, match="days ahead"):
        list(retaining(a_work(tmp_path, clock, keys)))
    with JournalReader(tmp_path, keys=keys) as reader:
        assert reader.body(ref) is not None


@given(st.lists(st.integers(-2 * 3_600, 3 * 86_400), max_size=30))
def test_time_is_never_believed_beyond_the_wall_clock_nor_far_beyond_what_passed(
    tmp_path_factory: pytest.TempPathFactory, jumps: list[int]
) -> None:
    where = layout(tmp_path_factory.mktemp("clock")).create()
    trusted, clock = TrustedClock(where), SetClock(START_US)
    believed = trusted.now_us(clock.wall_us, clock.monotonic_s, newest_us=START_US)
    for jump in jumps:
        clock.wall_us += jump * 1_000_000
        clock.passes(60)
        now = trusted.now_us(clock.wall_us, clock.monotonic_s, newest_us=0)
        assert now <= clock.wall_us
        assert now - believed <= DAY_US
        believed = max(believed, now)
