"""How deployments stand in the gateway that runs by a file, if one answers where it says."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from pointsman.cli.fetching import fetching
from pointsman.discovery.answers import NoAnswer
from pointsman.domain.task import Configuration
from pointsman.domain.transport import UNIX

_PATIENCE_S = 1.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # an address to ask, not to listen at


def standing_now(config: Configuration) -> Mapping[str, Mapping[str, Any]]:
    """By deployment, as `/readyz` says it; nothing where nobody answers there within a second.

    Of a gateway with several workers it is how the one stands that answered.
    """
    url = _readyz(config)
    return asyncio.run(_asked(url)) if url is not None else {}


def _readyz(config: Configuration) -> str | None:
    server = config.server
    host = next((each for each in server.hosts if not each.startswith(UNIX)), None)
    if host is None or not server.port or server.tls is not None:
        return None
    host = _ANY.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{server.port}/readyz"


async def _asked(url: str) -> Mapping[str, Mapping[str, Any]]:
    try:
        async with fetching(connect_s=_PATIENCE_S, total_s=_PATIENCE_S) as fetch:
            answer = await fetch(url)
        said = msgspec.json.decode(answer.body, type=dict[str, Any])
        return msgspec.convert(said.get("standing") or {}, dict[str, dict[str, Any]])
    except (NoAnswer, msgspec.MsgspecError):  # whoever answers there may be somebody else
        return {}


def in_words(now: Mapping[str, Any] | None) -> str:
    """How one stands, on a few characters: `well 3/64`, `open 0/64 +2` with two that wait."""
    if now is None:
        return "-"
    waiting = f" +{now.get('waiting')}" if now.get("waiting") else ""
    return f"{now.get('health')} {now.get('running')}/{now.get('of')}{waiting}"
