"""Leases and labels under any order of calls by two processes, against a model of ten lines."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pointsman.domain.ports import Lease
from pointsman.state import open_state

NAMES = st.sampled_from(["x", "y"])
HOLDERS = st.sampled_from(["a", "b", "c"])
WHO = st.integers(0, 1)


class LeasesAndLabels(RuleBasedStateMachine):
    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        file = shutil.copy(self.template, self.folder)
        self.states = [open_state(f"sqlite:///{file}") for _ in range(2)]
        self.now = 1_000_000
        self.leases: dict[str, Lease] = {}
        self.lost: list[Lease] = []
        self.labels: dict[str, list[str | None]] = {}

    def teardown(self) -> None:
        for state in self.states:
            state.close()
        shutil.rmtree(self.folder)

    @rule(us=st.sampled_from([0, 1, 500_000, 1_000_000, 10**9, -1, -400_000]))
    def the_clock_goes(self, us: int) -> None:
        self.now = max(1, self.now + us)

    @rule(who=WHO, name=NAMES, holder=HOLDERS, ttl_s=st.sampled_from([0.000001, 0.5, 1, 60]))
    def somebody_asks_for_a_lease(self, who: int, name: str, holder: str, ttl_s: float) -> None:
        given = self.states[who].leases.acquire(name, holder, ttl_s=ttl_s, now_us=self.now)
        before = self.leases.get(name)
        free = before is None or before.expires_us <= self.now
        if before is not None and not free and before.holder != holder:
            assert given is None
            return
        assert given is not None
        epoch = (before.epoch if before else 0) + (1 if free else 0)
        until = self.now + round(ttl_s * 1_000_000)
        assert given == Lease(name=name, holder=holder, expires_us=until, epoch=epoch)
        if before is not None and free:
            self.lost.append(before)
        self.leases[name] = given

    @rule(who=WHO, name=NAMES)
    def a_lease_is_given_back(self, who: int, name: str) -> None:
        if (held := self.leases.get(name)) is not None:
            self.states[who].leases.release(held)
            self.leases[name] = Lease(name=name, holder=held.holder, expires_us=0, epoch=held.epoch)

    @rule(who=WHO, which=st.integers(0, 100))
    def a_lost_lease_is_given_back(self, who: int, which: int) -> None:
        if self.lost:
            self.states[who].leases.release(self.lost[which % len(self.lost)])

    @rule(
        who=WHO,
        name=NAMES,
        value=st.none() | st.text("vé'%", min_size=1, max_size=3),
        off=st.sampled_from([0, 0, 0, -1, 1]),
    )
    def a_label_is_moved(self, who: int, name: str, value: str | None, off: int) -> None:
        moves = self.labels.setdefault(name, [])
        made = self.states[who].labels.put(name, value, by="ada", revision=len(moves) + off)
        assert (made is not None) == (off == 0)
        if made is not None:
            moves.append(value)
            assert made.revision == len(moves)

    @invariant()
    def both_see_the_same(self) -> None:
        for state in self.states:
            for name, lease in self.leases.items():
                assert state.leases.last(name) == lease
            for name, moves in self.labels.items():
                assert [each.value for each in state.labels.history(name)] == moves[::-1]
            said = {n: m[-1] for n, m in self.labels.items() if m and m[-1] is not None}
            assert {each.name: each.value for each in state.labels.current()} == said


@pytest.fixture(scope="module", autouse=True)
def template(tmp_path_factory: pytest.TempPathFactory) -> None:
    LeasesAndLabels.template = tmp_path_factory.mktemp("t") / "state.sqlite"
    open_state(f"sqlite:///{LeasesAndLabels.template}").close()


class TestLeasesAndLabels(LeasesAndLabels.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
