"""What an engine tells of the model that it serves, asked beside `/v1`; no model is called.

A row an engine: what is asked, and how its answers are read. Hosts that tell nothing of their
weights are not asked. Source: the engines' own HTTP surfaces, as of vLLM 0.11, SGLang 0.5,
llama.cpp of October 2026, Ollama 0.12, TGI 3.
"""

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from pointsman.backends.address import Address
from pointsman.backends.http_pool import HttpPool, Origin, WireError
from pointsman.domain.identity import Found
from pointsman.domain.portfolio import Deployment, Engine

_MOST_BYTES = 4 * 1024 * 1024  # a template and a licence are some 100 kB
_MOST_WORD = 200
_BLOB = re.compile(r"^FROM\s+\S*blobs[/\\]sha256[-:]([0-9a-f]{64})\s*$", re.MULTILINE)

Answers = Mapping[str, Any]  # JSON by path; what could not be had is missing
Ask = tuple[str, str]  # method and path, beside /v1


class Way(NamedTuple):
    """How one engine is asked, and what its answers mean for a model of this name."""

    asks: tuple[Ask, ...]
    read: Callable[[Answers, str], Found]


async def identify(pool: HttpPool, deployment: Deployment, address: Address) -> Found | None:
    """What the engine of a deployment tells of it; None where it is never asked or says nothing.

    Each question within `probe.timeout_s`. Whatever an engine answers, this does not raise.
    """
    way = WAYS.get(deployment.engine)
    if way is None:
        return None
    answers = {}
    for method, path in way.asks:
        said = await _asked(pool, deployment, address, method, path)
        if said is not None:
            answers[path] = said
    found = way.read(answers, deployment.served_name) if answers else Found()
    return found if found != Found() else None


async def _asked(
    pool: HttpPool, deployment: Deployment, address: Address, method: str, path: str
) -> Any:
    headers = [(b"accept", b"application/json")]
    body = b""
    if method == "POST":
        headers.append((b"content-type", b"application/json"))
        body = msgspec.json.encode({"model": deployment.served_name})
    if address.api_key:
        headers.append((b"authorization", b"Bearer " + address.api_key.encode()))
    within_s = deployment.probe.timeout_s
    try:
        response = await pool.request(
            Origin.parse(address.base_url.removesuffix("/v1"), address.way),
            method.encode(),
            path,
            headers,
            body,
            connect_timeout_s=within_s,
            first_byte_timeout_s=within_s,
            total_timeout_s=within_s,
        )
        with response:
            said = await response.read(limit=_MOST_BYTES, timeout_s=within_s)
        return msgspec.json.decode(said) if response.status == 200 else None
    except (WireError, msgspec.DecodeError, RecursionError):
        return None


def _vllm(answers: Answers, served: str) -> Found:
    listed = _listed(answers, served)
    return Found(
        weights=_word(_at(listed, "root")),
        engine_version=_word(_at(answers, "/version", "version")),
    )


def _sglang(answers: Answers, served: str) -> Found:
    info, said = answers.get("/get_model_info"), answers.get("/get_server_info")
    return Found(
        weights=_word(_at(info, "model_path")) or _word(_at(said, "model_path")),
        revision=_word(_at(said, "revision")),
        quantisation=_word(_at(said, "quantization")),
        engine_version=_word(_at(said, "version")),
    )


def _llamacpp(answers: Answers, served: str) -> Found:
    props, listed = answers.get("/props"), _listed(answers, served)
    return Found(
        weights=_word(_at(props, "model_path")),
        quantisation=_word(_at(listed, "meta", "ftype")),
        engine_version=_word(_at(props, "build_info")),
        chat_template_sha256=_digest(_at(props, "chat_template")),
    )


def _ollama(answers: Answers, served: str) -> Found:
    """The model's file is a blob that is called by its digest; the tag's is of its manifest."""
    shown, tags = answers.get("/api/show"), _at(answers, "/api/tags", "models")
    tag = next((each for each in tags if _at(each, "name") in (served, f"{served}:latest")), None) \
        if isinstance(tags, list) else None  # fmt: skip
    modelfile = _at(shown, "modelfile")
    blob = _BLOB.search(modelfile) if isinstance(modelfile, str) else None
    return Found(
        weights=_word(_at(tag, "name")) or served,
        weights_sha256=blob[1] if blob is not None else None,
        revision=_word(_at(tag, "digest")),
        quantisation=_word(_at(shown, "details", "quantization_level")),
        engine_version=_word(_at(answers, "/api/version", "version")),
        chat_template_sha256=_digest(_at(shown, "template")),
    )


def _tgi(answers: Answers, served: str) -> Found:
    info = answers.get("/info")
    return Found(
        weights=_word(_at(info, "model_id")),
        revision=_word(_at(info, "model_sha")),
        quantisation=_word(_at(info, "quantize")) or _word(_at(info, "model_dtype")),
        engine_version=_word(_at(info, "version")),
    )


WAYS: Mapping[Engine, Way] = {
    "vllm": Way((("GET", "/version"), ("GET", "/v1/models")), _vllm),
    "sglang": Way((("GET", "/get_server_info"), ("GET", "/get_model_info")), _sglang),
    "llamacpp": Way((("GET", "/props"), ("GET", "/v1/models")), _llamacpp),
    "ollama": Way((("GET", "/api/version"), ("GET", "/api/tags"), ("POST", "/api/show")), _ollama),
    "tgi": Way((("GET", "/info"),), _tgi),
}


def _listed(answers: Answers, served: str) -> Any:
    """The model's own entry in `/v1/models`; with one entry, that."""
    data = _at(answers, "/v1/models", "data")
    if not isinstance(data, list):
        return None
    own = next((each for each in data if _at(each, "id") == served), None)
    return own if own is not None or len(data) != 1 else data[0]


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _word(value: Any) -> str | None:
    """An engine's word, as it may be kept; anything else is no word."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        return None
    return value[:_MOST_WORD]


def _digest(text: Any) -> str | None:
    if not isinstance(text, str) or not text:
        return None
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
