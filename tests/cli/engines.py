"""Engines on this machine for commands that look for them: real sockets, scripted answers."""

from collections.abc import Mapping
from typing import Any

from pointsman.discovery.places import HABITS
from pointsman.testing import (
    Play,
    Received,
    ScriptedUpstream,
    chat_answer,
    free_port,
    status_answer,
)


def an_engine(documents: Mapping[str, Any], *, key: str | None = None) -> ScriptedUpstream:
    """An upstream that answers these paths, chats at any other, and may want a key."""

    def script(request: Received) -> Play:
        if key is not None and request.headers.get("authorization") != f"Bearer {key}":
            return status_answer(401)(request)
        if request.method == "POST":
            return chat_answer("Good morning", logprobs=[-0.01])(request)
        document = documents.get(request.target)
        return status_answer(404 if document is None else 200, document)(request)

    return ScriptedUpstream(default=script)


def ports_of(**ports: int) -> list[str]:
    """Options that keep a command from looking at this machine's own engines."""
    chosen = {engine: ports.get(engine) or free_port() for engine in HABITS}
    return [f"--port-of={engine}={port}" for engine, port in chosen.items()]
