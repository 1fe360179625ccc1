"""Whether an engine is there: asked by its own way, with no model called."""

import asyncio

import pytest

from pointsman.backends.address import Address
from pointsman.backends.alive import is_alive
from pointsman.backends.http_pool import HttpPool
from pointsman.domain.portfolio import Deployment, ProbeRules
from pointsman.testing import (
    ScriptedUpstream,
    closed_at_once,
    free_port,
    malformed_framing,
    silence,
    status_answer,
)


async def asked(url: str, **changes) -> bool:
    known = {"probe": ProbeRules(timeout_s=0.2), **changes}
    deployment = Deployment(name="d", model="m", base_url=url, served_name="m", **known)
    pool = HttpPool()
    try:
        return await is_alive(pool, deployment, Address(url, "sk-upstream", None))
    finally:
        await pool.close()


@pytest.mark.parametrize(
    ("script", "alive"),
    [
        (status_answer(200, b""), True),
        (status_answer(401), True),
        (status_answer(404), True),
        (status_answer(429), False),
        (status_answer(500), False),
        (status_answer(503), False),  # loading, or its workers are dead
        (silence(), False),
        (closed_at_once(), False),
        (malformed_framing(), False),
    ],
)
def test_any_answer_but_of_trouble_says_that_somebody_is_there(script, alive):
    async def main():
        async with ScriptedUpstream(default=script) as upstream:
            assert await asked(upstream.base_url) is alive

    asyncio.run(main())


def test_where_nobody_listens_nobody_is():
    assert not asyncio.run(asked(f"http://127.0.0.1:{free_port()}/v1"))


@pytest.mark.parametrize(
    ("engine", "path", "target"),
    [
        ("vllm", None, "/a/health"),
        ("llamacpp", None, "/a/health"),
        ("tgi", None, "/a/health"),
        ("ollama", None, "/a/api/version"),
        ("sglang", None, "/a/v1/models"),  # its /health generates a token
        ("openai", None, "/a/v1/models"),
        ("openai", "/ping?deep=0", "/a/ping?deep=0"),
    ],
)
def test_each_engine_is_asked_by_its_own_way(engine, path, target):
    async def main():
        async with ScriptedUpstream(default=status_answer(200, b"{}")) as upstream:
            url = upstream.base_url.replace("/v1", "/a/v1")
            assert await asked(url, engine=engine, probe=ProbeRules(path=path))
            [request] = upstream.requests
            assert (request.method, request.target) == ("GET", target)
            assert request.headers["authorization"] == "Bearer sk-upstream"

    asyncio.run(main())
