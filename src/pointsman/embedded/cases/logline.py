"""Log lines: one line -> severity and component, as `error|payments-api`."""

from __future__ import annotations

import random

from pointsman.embedded.cases.draft import Draft
from pointsman.embedded.cases.words import service, services

PATTERN = r"(info|warn|error)\|[a-z]+-[a-z]+"

_LEVELS = {"info": ("INFO", "info"), "warn": ("WARN", "warning"), "error": ("ERROR", "error")}
_SAID = {
    "info": ("started", "request served", "backup finished", "config loaded", "cache warmed"),
    "warn": ("retry scheduled", "queue is long", "slow response", "token expires soon"),
    "error": ("connection refused", "out of memory", "write failed", "request dropped"),
}


def draft(rng: random.Random, hard: bool) -> Draft:
    """A line; hard ones have no level word, so that the severity follows from what is said."""
    if hard:
        severity, component, body = _without_level(rng)
    else:
        severity, component, body = _with_level(rng)
    loose = f"The severity is {severity} and the component is {component}."
    return Draft(body, f"{severity}|{component}", loose, hard)


def _with_level(rng: random.Random) -> tuple[str, str, str]:
    severity = rng.choice(tuple(_LEVELS))
    component = service(rng)
    level = rng.choice(_LEVELS[severity])
    said = rng.choice(_SAID[severity])
    form = rng.choice((
        "{clock} {level} {component}: {said}",
        "{clock} [{component}] {level} {said}",
        "{level} {clock} {component} {said} id={number}",
    ))  # fmt: skip
    return severity, component, _filled(rng, form, level=level, component=component, said=said)


def _without_level(rng: random.Random) -> tuple[str, str, str]:
    severity, said = rng.choice((_timing, _retries, _usage, _status, _negation))(rng)
    component, other = services(rng, 2)
    form = rng.choice((
        "{clock} {component}: {said}",
        "{clock} svc={component} {said} id={number}",
        "{clock} [{component}] call from {other}: {said}",
        "{clock} {other} reports on {component}: {said}",
        "{clock} {said} in {component}, seen by {other}",
    ))  # fmt: skip
    return severity, component, _filled(rng, form, component=component, other=other, said=said)


def _filled(rng: random.Random, form: str, **parts: str) -> str:
    clock = f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}"
    return form.format(clock=clock, number=rng.randint(100, 999), **parts)


def _timing(rng: random.Random) -> tuple[str, str]:
    limit = rng.randint(2, 8) * 100
    took = rng.randint(limit // 2, limit + limit // 2)
    severity = "warn" if took > limit else "info"
    parts = rng.choice((f"took {took}ms limit {limit}ms", f"limit {limit}ms took {took}ms"))
    return severity, parts


def _retries(rng: random.Random) -> tuple[str, str]:
    of = rng.randint(2, 6)
    attempt = of if rng.random() < 0.5 else rng.randint(1, of)
    severity = "error" if attempt == of else "warn"
    return severity, f"try {attempt}/{of} without success"


def _usage(rng: random.Random) -> tuple[str, str]:
    percent = rng.randint(60, 99)
    severity = "error" if percent >= 95 else "warn" if percent >= 80 else "info"
    what = rng.choice(("disk", "memory", "pool"))
    return severity, f"{what} {percent}% used"


def _status(rng: random.Random) -> tuple[str, str]:
    code = rng.choice((200, 201, 204, 301, 302, 400, 404, 409, 429, 500, 502, 503, 504))
    severity = "error" if code >= 500 else "warn" if code >= 400 else "info"
    return severity, f"GET /v{rng.randint(1, 9)} {code} {rng.randint(2, 99)}ms"


def _negation(rng: random.Random) -> tuple[str, str]:
    return rng.choice((
        ("info", "no failure found"),
        ("info", "recovered after a refused connection"),
        ("error", "did not recover"),
        ("error", "backup has not finished"),
        ("warn", "recovered, but slow"),
        ("info", "was slow, now normal"),
    ))  # fmt: skip
