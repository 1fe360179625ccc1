"""Stand-ins for tests, ours and our users': a scripted upstream and a settable clock; no asserts.

    async with ScriptedUpstream(chat_stream("Good morning"), status_answer(429)) as upstream:
        ...                                # one script per request, in order; then `default`
        assert upstream.requests[0].json["model"] == "qwen3-8b"

`with` instead of `async with` runs the upstream in a thread of its own.
"""

from pointsman.testing.clock import SimClock
from pointsman.testing.plays import Flag, Logprobs, Play, Received, Script, Step, Then, Usage
from pointsman.testing.scripts import (
    STREAM_HEAD,
    chat_answer,
    chat_stream,
    chunk,
    closed_at_once,
    cut,
    echo,
    empty_answer,
    event_stream,
    head_only,
    malformed_event,
    malformed_framing,
    raw_answer,
    silence,
    status_answer,
    tokens,
    trickle,
)
from pointsman.testing.upstream import ScriptedUpstream, free_port

__all__ = [
    "STREAM_HEAD",
    "Flag",
    "Logprobs",
    "Play",
    "Received",
    "Script",
    "ScriptedUpstream",
    "SimClock",
    "Step",
    "Then",
    "Usage",
    "chat_answer",
    "chat_stream",
    "chunk",
    "closed_at_once",
    "cut",
    "echo",
    "empty_answer",
    "event_stream",
    "free_port",
    "head_only",
    "malformed_event",
    "malformed_framing",
    "raw_answer",
    "silence",
    "status_answer",
    "tokens",
    "trickle",
]
