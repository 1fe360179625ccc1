"""When a dead engine is started again, and when no more: without any process."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.backends.address import Address
from pointsman.backends.embedded_engine import EmbeddedEngine
from pointsman.backends.embedded_process import Exit
from pointsman.backends.embedded_supervisor import EngineState, RestartRule, Supervisor
from pointsman.domain.errors import ConfigurationError, UpstreamError
from pointsman.domain.portfolio import Deployment, EmbeddedModel


class ScriptedEngine(EmbeddedEngine):
    """Starts as its script says: an address, or the error to raise."""

    def __init__(self, name: str, *starts: Exception | None) -> None:
        super().__init__(
            Deployment(
                name=name,
                model=name,
                base_url=None,
                served_name=name,
                embedded=EmbeddedModel(gguf="embedded:none"),
            )
        )
        self._script = list(starts)
        self.death: asyncio.Future[Exit] | None = None

    @property
    def address(self) -> Address | None:
        alive = self.death is not None and not self.death.done()
        return Address(base_url="http://127.0.0.1:1/v1", api_key="k") if alive else None

    async def start(self, timeout_s: float = 60.0) -> Address:
        await asyncio.sleep(0)
        outcome = self._script.pop(0) if self._script else None
        if outcome is not None:
            raise outcome
        self.death = asyncio.get_running_loop().create_future()
        self._starts += 1
        address = self.address
        assert address is not None
        return address

    async def stop(self) -> None:
        if self.death is not None and not self.death.done():
            self.death.set_result(Exit(code=0, last_lines=()))

    async def ended(self) -> Exit:
        assert self.death is not None
        return await asyncio.shield(self.death)

    def die(self) -> None:
        assert self.death is not None
        self.death.set_result(Exit(code=-6, last_lines=("assertion failed",)))


class Clock:
    """Time that passes only in sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.slept_s.append(seconds)
        await asyncio.sleep(0)


def a_supervisor(
    *engines: EmbeddedEngine,
    clock: Clock | None = None,
    on_change: Callable[[EngineState], None] | None = None,
) -> Supervisor:
    clock = clock or Clock()
    rule = RestartRule(first_delay_s=1, longest_delay_s=3, most=3, window_s=60)
    return Supervisor(engines, rule=rule, on_change=on_change, clock=clock, sleep=clock.sleep)


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def refusal(why: str) -> UpstreamError:
    return UpstreamError("did not start", why=why)


def test_each_death_within_the_window_doubles_the_wait_up_to_a_bound() -> None:
    async def four_deaths() -> list[float]:
        clock, engine = Clock(), ScriptedEngine("a")
        supervisor = a_supervisor(engine, clock=clock)
        await supervisor.start()
        for _ in range(4):
            engine.die()
            await settle()
        assert supervisor.state("a").status == "down"
        assert supervisor.state("a").reason == "signal 6; assertion failed"
        assert supervisor.state("a").restarts == 3
        await supervisor.stop()
        assert supervisor.state("a").status == "down", "what was wrong is still to be read"
        return clock.slept_s

    assert asyncio.run(four_deaths()) == [1, 2, 3]


def test_old_deaths_are_forgiven() -> None:
    async def rare_deaths() -> None:
        clock, engine = Clock(), ScriptedEngine("a")
        supervisor = a_supervisor(engine, clock=clock)
        await supervisor.start()
        for _ in range(10):
            clock.now_s += 61
            engine.die()
            await settle()
        assert supervisor.state("a").status == "running"
        assert set(clock.slept_s) == {1.0}
        await supervisor.stop()

    asyncio.run(rare_deaths())


def test_a_restart_that_fails_counts_as_a_death() -> None:
    async def failing() -> EngineState:
        engine = ScriptedEngine("a", None, *[refusal("no memory")] * 5)
        supervisor = a_supervisor(engine)
        await supervisor.start()
        engine.die()
        await settle()
        await supervisor.stop()
        return supervisor.state("a")

    state = asyncio.run(failing())
    assert (state.status, state.reason) == ("down", "no memory")


def test_an_engine_that_refuses_at_first_is_down_while_the_others_serve() -> None:
    async def one_refuses() -> None:
        supervisor = a_supervisor(ScriptedEngine("bad", refusal("corrupt")), ScriptedEngine("good"))
        states = await supervisor.start()
        assert [(s.name, s.status, s.reason) for s in states] == [
            ("bad", "down", "corrupt"),
            ("good", "running", ""),
        ]
        assert supervisor.address("bad") is None
        assert supervisor.address("good") is not None
        assert supervisor.address("unheard of") is None
        assert (await supervisor.revive("bad")).status == "running"
        await supervisor.stop()

    asyncio.run(one_refuses())


def test_a_configuration_at_fault_stops_everything() -> None:
    async def at_fault() -> None:
        good = ScriptedEngine("good")
        supervisor = a_supervisor(good, ScriptedEngine("bad", ConfigurationError("no such file")))
        with pytest.raises(ConfigurationError):
            await supervisor.start()
        assert good.address is None

    asyncio.run(at_fault())


def test_a_stop_is_no_death() -> None:
    async def stopped() -> list[str]:
        seen: list[str] = []
        supervisor = a_supervisor(
            ScriptedEngine("a"), on_change=lambda state: seen.append(state.status)
        )
        await supervisor.start()
        await supervisor.stop()
        await settle()
        return seen

    assert asyncio.run(stopped()) == ["starting", "running", "stopped"]


@given(st.lists(st.floats(0, 1e6), min_size=1).map(sorted))
def test_a_wait_is_within_its_bounds_or_there_is_none(deaths_s: list[float]) -> None:
    rule = RestartRule()
    delay_s = rule.delay_s(deaths_s)
    recent = [death for death in deaths_s if death > deaths_s[-1] - rule.window_s]
    if len(recent) > rule.most:
        assert delay_s is None
    else:
        assert delay_s is not None
        assert rule.first_delay_s <= delay_s <= rule.longest_delay_s
