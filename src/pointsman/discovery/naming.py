"""Names of models as names of deployments: `Qwen/Qwen3-4B` is `qwen3-4b` in a file."""

import re
from collections.abc import Collection

LONGEST = 64
_RESERVED = frozenset({"auto", "direct"})
_OTHER = re.compile(r"[^a-z0-9._-]+")


def deployment_name(model: str) -> str:
    """A name the file takes, made of a model's last part without its file suffix."""
    last = re.sub(r"\.gguf$", "", model.rstrip("/").lower()).rpartition("/")[2]
    name = _OTHER.sub("-", last).strip("-._")[: LONGEST - 4].rstrip("-._")
    return name if name and name not in _RESERVED else f"{name}-model".lstrip("-")


def free_name(wanted: str, taken: Collection[str]) -> str:
    """The name itself, or numbered from 2 on where others have it."""
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted[: LONGEST - 4]}-{number}"
    return name
