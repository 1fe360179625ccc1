"""What engines tell of the model that they serve, asked with no model called."""

import asyncio
import hashlib
import json

import pytest

from pointsman.backends.address import Address
from pointsman.backends.http_pool import HttpPool
from pointsman.backends.identifying import WAYS, identify
from pointsman.domain.identity import Found
from pointsman.domain.portfolio import Deployment, ProbeRules
from pointsman.testing import ScriptedUpstream, closed_at_once, free_port, silence, status_answer

TEMPLATE = "{% for m in messages %}{{ m }}{% endfor %}"
SHA = hashlib.sha256(TEMPLATE.encode()).hexdigest()
BLOB = "ab" * 32
TOLD = {
    "vllm": (
        {
            "/version": {"version": "0.11.0"},
            "/v1/models": {"data": [{"id": "x"}, {"id": "m", "root": "Qwen/Qwen3-8B-AWQ"}]},
        },
        Found(weights="Qwen/Qwen3-8B-AWQ", engine_version="0.11.0"),
    ),
    "sglang": (
        {
            "/get_model_info": {"model_path": "Qwen/Qwen3-8B", "is_generation": True},
            "/get_server_info": {"version": "0.5.3", "quantization": "fp8", "revision": None},
        },
        Found(weights="Qwen/Qwen3-8B", quantisation="fp8", engine_version="0.5.3"),
    ),
    "llamacpp": (
        {
            "/props": {"model_path": "/m/a.gguf", "build_info": "b6700-1",
                       "chat_template": TEMPLATE},
            "/v1/models": {"data": [{"id": "other", "meta": {"ftype": "Q4_0"}}]},
        },
        Found(weights="/m/a.gguf", quantisation="Q4_0", engine_version="b6700-1",
              chat_template_sha256=SHA),
    ),
    "ollama": (
        {
            "/api/version": {"version": "0.12.1"},
            "/api/tags": {"models": [{"name": "m:latest", "digest": "cd" * 32}]},
            "/api/show": {
                "modelfile": f"# a comment\nFROM /var/lib/ollama/models/blobs/sha256-{BLOB}\n",
                "template": TEMPLATE,
                "details": {"quantization_level": "Q4_K_M"},
            },
        },
        Found(weights="m:latest", weights_sha256=BLOB, revision="cd" * 32, quantisation="Q4_K_M",
              engine_version="0.12.1", chat_template_sha256=SHA),
    ),
    "tgi": (
        {"/info": {"model_id": "Qwen/Qwen3-8B", "model_sha": "b968826d9c46", "version": "3.3.5",
                   "model_dtype": "float16"}},
        Found(weights="Qwen/Qwen3-8B", revision="b968826d9c46", quantisation="float16",
              engine_version="3.3.5"),
    ),
}  # fmt: skip


async def identified(engine, script):
    async with ScriptedUpstream(default=script) as upstream:
        return await at(engine, upstream.base_url), upstream.requests


async def at(engine, url):
    deployment = Deployment(
        name="d", model="m", base_url=url, served_name="m", engine=engine,
        probe=ProbeRules(timeout_s=0.3),
    )  # fmt: skip
    pool = HttpPool()
    try:
        return await identify(pool, deployment, Address(url, "sk-upstream", None))
    finally:
        await pool.close()


def told(answers):
    def script(request):
        said = answers.get(request.target)
        answer = status_answer(404) if said is None else status_answer(200, json.dumps(said))
        return answer(request)

    return script


def test_every_engine_that_is_asked_has_its_words_tested():
    assert TOLD.keys() == WAYS.keys()


@pytest.mark.parametrize("engine", TOLD)
def test_what_an_engine_tells_is_what_is_known(engine):
    answers, expected = TOLD[engine]
    found, _ = asyncio.run(identified(engine, told(answers)))
    assert found == expected


def test_hosts_that_tell_nothing_are_not_asked():
    found, requests = asyncio.run(identified("openai", told({})))
    assert (found, list(requests)) == (None, [])


@pytest.mark.parametrize("engine", TOLD)
@pytest.mark.parametrize(
    "script",
    [
        status_answer(500),
        status_answer(200, b"no json"),
        status_answer(200, b"[" * 100_000),
        silence(),
        closed_at_once(),
    ],
)
def test_an_engine_in_trouble_tells_nothing(engine, script):
    assert asyncio.run(identified(engine, script))[0] is None


@pytest.mark.parametrize("engine", TOLD)
@pytest.mark.parametrize("odd", [[], [1], {}, "x", 7, None, {"data": 3, "models": [None, 1]}])
def test_odd_answers_are_no_words(engine, odd):
    answers = dict.fromkeys(TOLD[engine][0], odd)
    found, _ = asyncio.run(identified(engine, told(answers)))
    assert found in (None, Found(weights="m"))


def test_where_nobody_listens_nothing_is_told():
    assert asyncio.run(at("vllm", f"http://127.0.0.1:{free_port()}/v1")) is None
