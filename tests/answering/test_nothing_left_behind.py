"""A request's objects go when it ends: a cycle among them would keep them for the collector."""

import asyncio
import gc
import weakref

import pytest

from pointsman.answering.access import Accesses
from pointsman.answering.asked import Asked
from pointsman.answering.shell import Answering
from pointsman.answering.targets import Targets
from pointsman.config import parse
from pointsman.domain.messages import Reply
from pointsman.domain.ports import AttemptFailed, Completion
from pointsman.domain.records import BodyRef, Failure
from pointsman.routing.arms import Arms
from pointsman.surfaces.chat import parse_chat

CONFIG = parse(
    """
deployments:
  engine: {model: m, base_url: "http://127.0.0.1:1/v1", retries: {most: 0}}
tasks: {work: {route: main}}
routes: {main: {steps: [engine]}}
"""
)


class ByHand:
    def now_us(self) -> int:
        return 1_000_000

    def monotonic(self) -> float:
        return 1.0

    def entropy(self, size: int) -> bytes:
        return bytes(size)

    def draw(self) -> float:
        return 0.5


class Engine:
    """Answers, or does not."""

    def __init__(self, failure: Failure | None) -> None:
        self.failure = failure

    async def complete(self, call: object) -> Completion:
        if self.failure is not None:
            raise AttemptFailed(self.failure)
        return Completion(
            body=b"{}", replies=(Reply(content="x", finish_reason="stop"),), usage=None,
            model="m", response_id="1", first_token_ms=1,
        )  # fmt: skip


class Nowhere:
    """A journal that keeps nothing, and a sink that shows it to nobody."""

    def append(self, record: object) -> None: ...
    def put_body(self, body: bytes, **_: object) -> BodyRef:
        return BodyRef(digest="", size=len(body))

    def whole(self, headers: object, body: bytes) -> None: ...
    def refuse(self, error: object, headers: object) -> None: ...


@pytest.mark.parametrize("failure", [None, Failure(kind="server_error", status=500)])
def test_a_request_leaves_nothing_for_the_garbage_collector(failure: Failure | None) -> None:
    targets = Targets(CONFIG)
    request = parse_chat(b'{"model":"task:work","messages":[{"role":"user","content":"hi"}]}')
    answering = Answering(
        config="c", deployments=CONFIG.deployments, backend=Engine(failure), journal=Nowhere(),
        arms=Arms(), accesses=Accesses(CONFIG.deployments.values()), clock=ByHand(),
        ended=lambda *_: None,
    )  # fmt: skip

    async def one() -> weakref.ref[Nowhere]:
        sink = Nowhere()
        asked = Asked(
            request=request, body=b"{}", target=targets.resolve("task:work"), tenant="t",
            principal="p", surface="chat", arrived=1.0, bounds=None,
        )  # fmt: skip
        await answering.answer(asked, sink)
        return weakref.ref(sink)

    gc.disable()
    try:
        left = asyncio.run(one())
        assert left() is None
    finally:
        gc.enable()
