"""Calls to build, and a backend to send them with over a real socket to a scripted upstream."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pointsman.backends.address import Address
from pointsman.backends.http_pool import HttpPool
from pointsman.backends.openai_http import OpenAIBackend
from pointsman.backends.outgoing import encode
from pointsman.domain.portfolio import Deployment, Engine, Limits
from pointsman.domain.ports import AttemptFailed, Chunk, Completion, UpstreamCall
from pointsman.domain.records import Failure
from pointsman.surfaces.chat import parse_chat
from pointsman.testing import Received, Script, ScriptedUpstream

LIMITS = Limits(
    connect_timeout_s=5, first_token_timeout_s=5, between_tokens_timeout_s=5, timeout_s=20
)


def a_call(
    engine: Engine = "openai",
    family: str = "generic",
    *,
    gate_logprobs: bool = False,
    thinking: str | None = None,
    url: str | None = "http://127.0.0.1:1/v1",
    deployment: dict[str, Any] | None = None,
    mode: dict[str, Any] | None = None,
    body: bytes | None = None,
    **fields: Any,
) -> UpstreamCall:
    """A call of a request with these fields; `gate_logprobs` and `thinking` are the task's,
    `mode` is the rest of what an arm puts in."""
    settings: dict[str, Any] = {"limits": LIMITS, **(deployment or {})}
    asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return UpstreamCall(
        deployment=Deployment(
            name="one", model="one", base_url=url, served_name="served", engine=engine,
            family=family, **settings,
        ),
        request=parse_chat(body or json.dumps(asked).encode()),
        deadline_s=10,
        logprobs=gate_logprobs,
        thinking=thinking,
        **(mode or {}),
    )  # fmt: skip


def sent(call: UpstreamCall) -> dict[str, Any]:
    """The body that goes out, without what every body holds."""
    body: dict[str, Any] = json.loads(encode(call).body)
    assert body.pop("model") == "served"
    del body["messages"]
    return body


@contextlib.asynccontextmanager
async def a_backend() -> AsyncIterator[OpenAIBackend]:
    pool = HttpPool()

    def address_of(deployment: Deployment) -> Address | None:
        return Address(deployment.base_url, deployment.api_key) if deployment.base_url else None

    try:
        yield OpenAIBackend(pool, address_of, time.monotonic)
    finally:
        await pool.close()


@dataclass
class Outcome:
    """What one call came to."""

    said: Completion | None = None
    failure: Failure | None = None
    chunks: list[Chunk] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    @property
    def data(self) -> list[Any]:
        """The streamed events, decoded."""
        return [json.loads(chunk.data) for chunk in self.chunks]


async def take(backend: OpenAIBackend, call: UpstreamCall) -> Outcome:
    """Whole or streamed, as the request asks."""
    outcome = Outcome()
    try:
        if call.request.stream:
            stream = backend.stream(call)
            async for batch in stream:
                outcome.chunks += batch
            outcome.said = stream.completion()
        else:
            outcome.said = await backend.complete(call)
    except AttemptFailed as error:
        outcome.said, outcome.failure = error.said, error.failure
    return outcome


def answered(script: Script, *, times: int = 1, **call: Any) -> Outcome:
    """The outcome of the last of so many calls, each answered by the script."""

    async def main() -> Outcome:
        async with ScriptedUpstream(default=script) as upstream, a_backend() as backend:
            for _ in range(times):
                outcome = await take(backend, a_call(url=upstream.base_url, **call))
            outcome.received = upstream.requests
            outcome.connections = upstream.connections
            return outcome

    return asyncio.run(main())


def events(*frames: dict[str, Any] | bytes, done: bool = True) -> list[bytes]:
    """Frames as the data of events, with the mark of the end."""
    data = [frame if isinstance(frame, bytes) else json.dumps(frame).encode() for frame in frames]
    return [*data, b"[DONE]"] if done else data


def delta(finish: str | None = None, index: int = 0, **said: Any) -> dict[str, Any]:
    """A frame with one choice."""
    choice = {"index": index, "delta": said, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def usage(prompt: int = 7, completion: int = 3, **more: Any) -> dict[str, Any]:
    """A frame with usage alone."""
    said = {"prompt_tokens": prompt, "completion_tokens": completion, **more}
    return {"id": "c1", "object": "chat.completion.chunk", "choices": [], "usage": said}


def contents(frames: Sequence[dict[str, Any]]) -> str:
    return "".join(
        (choice["delta"] or {}).get("content") or ""
        for frame in frames
        for choice in frame["choices"]
    )
