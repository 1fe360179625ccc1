"""Evidence: a few packed lines from several services -> the failing service and the line's id."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from pointsman.embedded.cases.draft import Draft
from pointsman.embedded.cases.words import services

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "service": {"type": "string", "pattern": "^[a-z]+-[a-z]+$"},
        "line": {"type": "string", "pattern": "^L[1-9]$"},
    },
    "required": ["service", "line"],
    "additionalProperties": False,
}

_BROKEN = ("connection refused", "out of memory", "crash loop", "disk full", "timeout")
_CALM = ("request served", "cache warmed", "config loaded", "deploy done", "health ok")
_WAS = ("timeout cleared", "restarted, health ok", "no crash found", "refused one bad token")


def draft(rng: random.Random, hard: bool) -> Draft:
    """Four to six lines; exactly one of them shows the failure."""
    count = rng.randint(4, 6) if hard else rng.randint(4, 5)
    names = services(rng, count)
    if hard:
        failing, lines = rng.choice((_over_limit, _reported, _root_cause))(rng, names)
    else:
        failing, lines = names[0], [f"{names[0]} {rng.choice(_BROKEN)}"]
        lines += [f"{name} {_calm(rng)}" for name in names[1:]]
    shows = lines[0]
    rng.shuffle(lines)
    first = rng.randint(1, 9 - len(lines) + 1)
    identity = f"L{first + lines.index(shows)}"
    body = "\n".join(f"L{first + place} {line}" for place, line in enumerate(lines))
    reference = json.dumps({"service": failing, "line": identity}, separators=(",", ":"))
    return Draft(body, reference, f"The failing service is {failing}, see line {identity}.", hard)


def _over_limit(rng: random.Random, names: list[str]) -> tuple[str, list[str]]:
    """All lines are measurements with limits; one is over its limit."""
    limits = [rng.randint(2, 8) * 100 for _ in names]
    over = rng.randint(limits[0] + 20, limits[0] + 190)
    lines = [f"{names[0]} p99 {over}ms limit {limits[0]}ms"]
    for name, limit in zip(names[1:], limits[1:], strict=True):
        under = rng.randint(max(limit - 190, 20), limit - 20)
        lines.append(f"{name} p99 {under}ms limit {limit}ms")
    return names[0], lines


def _reported(rng: random.Random, names: list[str]) -> tuple[str, list[str]]:
    """The only sign is another service's complaint, which names the failing one."""
    complaint = rng.choice(("gets no answer from", "gets 503 from", "cannot reach"))
    lines = [f"{names[1]} {complaint} {names[0]}"]
    lines += [f"{name} {_noise(rng, name, names)}" for name in names[2:]]
    lines.append(f"{names[1]} {_calm(rng)}")
    return names[0], lines


def _root_cause(rng: random.Random, names: list[str]) -> tuple[str, list[str]]:
    """Others complain too; the failing service shows the cause itself."""
    lines = [f"{names[0]} {rng.choice(_BROKEN)}"]
    lines += [f"{name} gets 503 from {names[0]}" for name in names[1:3]]
    lines += [f"{name} {_noise(rng, name, names)}" for name in names[3:]]
    return names[0], lines


def _calm(rng: random.Random) -> str:
    makers: tuple[Callable[[], str], ...] = (
        lambda: rng.choice(_CALM),
        lambda: f"p99 {rng.randint(20, 99)}ms",
        lambda: f"cpu {rng.randint(5, 60)}%",
    )
    return rng.choice(makers)()


def _noise(rng: random.Random, name: str, names: list[str]) -> str:
    if rng.random() < 0.5:
        return rng.choice(_WAS)
    if rng.random() < 0.4:
        return f"gets 200 from {rng.choice([other for other in names if other != name])}"
    return _calm(rng)
