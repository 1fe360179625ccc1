"""From a configuration to the engine of an embedded deployment: its file and the model hub."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from pointsman.backends.embedded_engine import EmbeddedEngine
from pointsman.backends.embedded_hub import Hub
from pointsman.backends.model_files import default_cache_dir
from pointsman.domain.portfolio import Deployment
from pointsman.domain.task import Configuration


def embedded_engine(
    config: Configuration, deployment: Deployment, env: Mapping[str, str]
) -> EmbeddedEngine:
    """The engine of an embedded deployment, not started."""
    return EmbeddedEngine(placed(config, deployment), hub=hub(env))


def placed(config: Configuration, deployment: Deployment) -> Deployment:
    """The deployment with its model's path as it is from anywhere."""
    model = deployment.embedded
    if model is None or model.gguf.startswith(("embedded:", "hub:")):
        return deployment
    model = msgspec.structs.replace(model, gguf=config.placed(model.gguf))
    return msgspec.structs.replace(deployment, embedded=model)


def hub(env: Mapping[str, str]) -> Hub:
    """The model hub as the environment names it: HF_ENDPOINT, HF_TOKEN, XDG_CACHE_HOME."""
    cache = default_cache_dir(home=Path.home(), xdg_cache_home=env.get("XDG_CACHE_HOME"))
    endpoint = env.get("HF_ENDPOINT") or "https://huggingface.co"
    return Hub(cache_dir=cache, endpoint=endpoint, token=env.get("HF_TOKEN") or None)
