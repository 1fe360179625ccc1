"""Names and services that several tasks share."""

from __future__ import annotations

import random

AREAS = (
    "payments", "checkout", "search", "billing", "catalog", "login", "orders", "shipping",
    "reports", "mailer", "pricing", "stock",
)  # fmt: skip
KINDS = ("api", "db", "worker", "cache", "proxy")

_STARTS: tuple[str, ...] = (*"bdfghjklmnprstvwz", "br", "dr", "kr", "st", "tr")
_VOWELS = tuple("aeiou")
_MIDDLES: tuple[str, ...] = (*"bdfgklmnprstvz", "nd", "rt", "lm", "nk")
_ENDS = ("", "", "n", "r", "s", "x", "l")


def service(rng: random.Random) -> str:
    """A service name such as `payments-api`, one of sixty."""
    return f"{rng.choice(AREAS)}-{rng.choice(KINDS)}"


def services(rng: random.Random, count: int) -> list[str]:
    """Different service names, in random order."""
    every = [f"{area}-{kind}" for area in AREAS for kind in KINDS]
    return rng.sample(every, count)


def surname(rng: random.Random) -> str:
    """An invented name of two or three syllables, so that copying it is learned, not recalled."""
    name = rng.choice(_STARTS) + rng.choice(_VOWELS)
    for _ in range(rng.choice((1, 1, 2))):
        name += rng.choice(_MIDDLES) + rng.choice(_VOWELS)
    return (name + rng.choice(_ENDS)).capitalize()
