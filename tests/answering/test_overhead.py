"""`overhead_us` is our own part of a request: never the engine's time, whoever gave up first."""

import asyncio
from collections.abc import Sequence

import pytest

from pointsman.answering.access import Accesses
from pointsman.answering.asked import Asked
from pointsman.answering.shell import Answering
from pointsman.answering.targets import Targets
from pointsman.config import parse
from pointsman.domain.ports import AttemptFailed, Chunk, Completion
from pointsman.domain.records import Admission, BodyRef, End, Failure
from pointsman.routing.arms import Arms
from pointsman.surfaces.chat import parse_chat

CONFIG = """
deployments:
  engine: {model: m, base_url: "http://127.0.0.1:1/v1", retries: {most: 0}}
tasks: {work: {route: main}}
routes: {main: {steps: [engine]}}
"""
OWN_S, ENGINE_S = 0.25, 40.0


class ByHand:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.s = 1000.0

    def now_us(self) -> int:
        return round(self.s * 1e6)

    def monotonic(self) -> float:
        return self.s

    def entropy(self, size: int) -> bytes:
        return bytes(size)

    def draw(self) -> float:
        return 0.5


class Nothing:
    """A journal that keeps nothing, and a sink that shows it to nobody."""

    def append(self, record: object) -> None: ...
    def put_body(self, body: bytes, **_: object) -> BodyRef:
        return BodyRef(digest="", size=len(body))

    async def durable(self) -> None: ...
    def open_stream(self, headers: object) -> None: ...
    def events(self, payloads: object) -> None: ...
    async def drained(self) -> None: ...
    def comment(self) -> None: ...
    def refuse(self, error: object, headers: object) -> None: ...
    def break_stream(self, error: object) -> None: ...


class SlowStream:
    """One word, and then nothing."""

    def __init__(self, engine: "Slow") -> None:
        self._engine, self._said = engine, False

    def __aiter__(self) -> "SlowStream":
        return self

    async def __anext__(self) -> Sequence[Chunk]:
        if not self._said:
            self._said = True
            return (Chunk(data=b'{"choices":[]}', content=True),)
        await self._engine.work()
        raise StopAsyncIteration

    def abort(self) -> None: ...
    def pass_on(self, show: object) -> None: ...

    def completion(self) -> Completion:
        return Completion(
            body=b"", replies=(), usage=None, model="m", response_id=None, first_token_ms=1
        )


class Slow:
    """An engine that works for a while and is then waited for in vain, or fails."""

    def __init__(self, clock: ByHand, *, fails: bool = False) -> None:
        self._clock, self._fails = clock, fails
        self.working = asyncio.Event()

    async def work(self) -> None:
        self._clock.s += ENGINE_S
        if self._fails:
            raise AttemptFailed(Failure(kind="total_timeout"), None)
        self.working.set()
        await asyncio.Event().wait()

    async def complete(self, call: object) -> Completion:
        await self.work()
        raise AssertionError("it is never done")

    def stream(self, call: object) -> SlowStream:
        return SlowStream(self)


async def ended(*, stream: bool, fails: bool) -> End:
    clock = ByHand()
    config, engine, nothing = parse(CONFIG), Slow(clock, fails=fails), Nothing()
    told: list[End] = []

    def tell(admission: Admission, end: End, *_: object) -> None:
        told.append(end)

    answering = Answering(
        config=config.digest, deployments=config.deployments, backend=engine, journal=nothing,
        arms=Arms(), accesses=Accesses(config.deployments.values()), clock=clock, ended=tell,
    )  # fmt: skip
    sent = b'{"model":"task:work","messages":[{"role":"user","content":"x"}],"stream":%s}' % (
        b"true" if stream else b"false"
    )
    arrived = clock.s
    clock.s += OWN_S
    asked = Asked(
        request=parse_chat(sent), body=sent, target=Targets(config).resolve("task:work"),
        tenant="t", principal="p", surface="chat", arrived=arrived, bounds=None,
    )  # fmt: skip
    answer = asyncio.ensure_future(answering.answer(asked, nothing))
    if not fails:
        await engine.working.wait()
        answer.cancel()
    await asyncio.gather(answer, return_exceptions=True)
    [end] = told
    return end


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fails", [False, True], ids=["cancelled", "failed"])
def test_the_engines_time_is_none_of_ours(stream: bool, fails: bool) -> None:
    end = asyncio.run(ended(stream=stream, fails=fails))
    assert end.status == (("cut" if stream else "failed") if fails else "cancelled")
    assert end.total_ms == round((OWN_S + ENGINE_S) * 1000)
    assert end.overhead_us == round(OWN_S * 1e6)
