"""What a running embedded engine says of itself, asked over its own HTTP surface."""

import asyncio
import hashlib
import http.client
import time
from urllib.parse import urlsplit

import msgspec

_REQUEST_S = 2.0
_PAUSE_S = 0.02


class EngineFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The model and the engine as they are, for records."""

    engine: str  # `xllamacpp 2026.10.11549`
    build: str = ""  # llama.cpp's own word; a Python wheel may not know it
    start_ms: int = 0
    model: str = ""  # the name it answers to
    parameters: int | None = None
    weights_bytes: int | None = None
    weights_type: str = ""  # `F16`, `Q4_0` ...
    vocabulary: int | None = None
    slots: int = 1
    context: int | None = None  # tokens of a slot; never above the one trained with
    context_trained: int | None = None
    chat_template_sha256: str = ""


class NotReady(Exception):
    """The engine did not answer as an engine does."""


class _Meta(msgspec.Struct, frozen=True):
    n_params: int | None = None
    size: int | None = None
    ftype: str = ""
    n_vocab: int | None = None
    n_ctx_train: int | None = None


class _Model(msgspec.Struct, frozen=True):
    id: str
    meta: _Meta = _Meta()


class _Models(msgspec.Struct, frozen=True):
    data: tuple[_Model, ...]


class _Generation(msgspec.Struct, frozen=True):
    n_ctx: int | None = None


class _Props(msgspec.Struct, frozen=True):
    default_generation_settings: _Generation = _Generation()
    total_slots: int = 1
    chat_template: str = ""
    build_info: str = ""


async def until_ready(origin: str, api_key: str) -> None:
    """Ask /health until it says 200; the caller bounds the wait."""
    while True:
        try:
            await asyncio.to_thread(_get, origin, "/health", api_key)
        except NotReady:
            await asyncio.sleep(_PAUSE_S)
        else:
            return


async def read_facts(origin: str, api_key: str, *, engine: str, started_s: float) -> EngineFacts:
    """The facts of an engine that is ready; `started_s` is when its start began (monotonic).

    Raises: NotReady when it lists no model or speaks no JSON we know.
    """
    start_ms = int((time.monotonic() - started_s) * 1000)
    try:
        listed, told = await asyncio.gather(
            asyncio.to_thread(_get, origin, "/v1/models", api_key),
            asyncio.to_thread(_get, origin, "/props", api_key),
        )
        models = msgspec.json.decode(listed, type=_Models)
        props = msgspec.json.decode(told, type=_Props)
    except msgspec.DecodeError as error:
        raise NotReady(f"not the JSON of llama.cpp: {error}") from error
    if not models.data:
        raise NotReady("/v1/models lists no model")
    model = models.data[0]
    return EngineFacts(
        engine=engine,
        build=props.build_info,
        start_ms=start_ms,
        model=model.id,
        parameters=model.meta.n_params,
        weights_bytes=model.meta.size,
        weights_type=model.meta.ftype,
        vocabulary=model.meta.n_vocab,
        slots=props.total_slots,
        context=props.default_generation_settings.n_ctx,
        context_trained=model.meta.n_ctx_train,
        chat_template_sha256=hashlib.sha256(props.chat_template.encode()).hexdigest(),
    )


def _get(origin: str, path: str, api_key: str) -> bytes:
    """One answer with status 200. http.client, since it heeds no proxy."""
    address = urlsplit(origin)
    connection = http.client.HTTPConnection(
        address.hostname or "127.0.0.1", address.port, timeout=_REQUEST_S
    )
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {api_key}"})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(f"{path}: {error!r}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise NotReady(f"{path} says {answer.status}")
    return body
