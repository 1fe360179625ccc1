"""What engines answer, in the shape they answer it, and a `fetch` over such answers."""

import json
from collections.abc import Mapping
from typing import Any

from pointsman.discovery.answers import Answer, NoAnswer


def listing(*names: str, owned_by: str = "someone", **more: Any) -> dict[str, Any]:
    entries = [{"id": name, "object": "model", "owned_by": owned_by, **more} for name in names]
    return {"object": "list", "data": entries}


VLLM = {
    "/v1/models": listing("Qwen/Qwen3-4B", owned_by="vllm", max_model_len=32768),
    "/version": {"version": "0.11.0"},
}
SGLANG = {
    "/v1/models": listing("Qwen/Qwen3-32B", owned_by="sglang", max_model_len=40960),
    "/get_model_info": {"model_path": "Qwen/Qwen3-32B", "is_generation": True},
    "/api/tags": {"models": [{"name": "Qwen/Qwen3-32B"}]},
}
LLAMACPP = {
    "/v1/models": listing(
        "/models/qwen3-q4.gguf",
        owned_by="llamacpp",
        meta={"n_ctx_train": 40960, "n_params": 1_720_574_976},
    ),
    "/props": {"default_generation_settings": {"n_ctx": 8192}, "total_slots": 4},
    "/api/tags": {"models": [{"name": "/models/qwen3-q4.gguf"}]},
}
OLLAMA = {
    "/v1/models": listing("qwen3:4b", "mystery:latest", "nomic-embed-text", owned_by="library"),
    "/api/tags": {
        "models": [
            {"name": "qwen3:4b", "details": {"parameter_size": "4.0B", "family": "qwen3"}},
            {"name": "mystery:latest", "details": {"parameter_size": "14.8B"}},
            {"name": "nomic-embed-text", "details": {"family": "nomic-bert"}},
        ]
    },
}
LM_STUDIO = {
    "/v1/models": listing("qwen3-8b", "text-vectors", owned_by="organization_owner"),
    "/api/v0/models": {
        "data": [
            {"id": "qwen3-8b", "type": "llm", "max_context_length": 32768,
             "compatibility_type": "gguf"},
            {"id": "text-vectors", "type": "embeddings", "compatibility_type": "gguf"},
        ]
    },
}  # fmt: skip
POINTSMAN = {"/v1/models": listing("task:ticket", "auto", owned_by="pointsman")}
UNKNOWN = {"/v1/models": listing("model-7b")}


def answer(document: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, headers, json.dumps(document).encode())


class Engines:
    """A `fetch` over engines by their origin; everything it was asked is kept."""

    def __init__(
        self,
        engines: Mapping[str, Mapping[str, Any]],
        *,
        keys: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._engines = engines
        self._keys = keys or {}
        self._headers = headers or {}
        self.asked: list[tuple[str, str | None]] = []

    async def __call__(self, url: str, *, key: str | None = None) -> Answer:
        self.asked.append((url, key))
        for origin, engine in self._engines.items():
            if url.startswith(origin + "/"):
                if origin in self._keys and key != self._keys[origin]:
                    return answer({"error": "no"}, 401)
                document = engine.get(url.removeprefix(origin))
                if document is None:
                    return answer({"detail": "Not Found"}, 404)
                return answer(document, **self._headers)
        raise NoAnswer("refused: nobody listens there")
