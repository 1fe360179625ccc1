"""Looks at addresses and says which engines answer there; decides nothing about the file."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pointsman.discovery.answers import Answer, Fetch, NoAnswer
from pointsman.discovery.evidence import MODELS, MORE, Kind, recognise
from pointsman.discovery.listing import Listed, listed_models
from pointsman.discovery.places import Place

_LOCKED = (401, 403)


class Found(NamedTuple):
    """Something that answers as an engine does."""

    place: Place
    kind: Kind
    because: str
    models: tuple[Listed, ...]
    key_variable: str | None = None  # the variable whose key it took
    locked: bool = False  # it wants a key that we do not have

    @property
    def base_url(self) -> str:
        return f"{self.place.origin}/v1"


async def look_around(
    places: Sequence[Place], fetch: Fetch, *, env: Mapping[str, str]
) -> tuple[Found, ...]:
    """Everything that answers, in the order of the places; all are asked at once.

    Args: env is where a local engine's own key may be; it is sent only where one is wanted.
    """
    found = await asyncio.gather(*(look(place, fetch, env=env) for place in places))
    return tuple(each for each in found if each is not None)


async def look(place: Place, fetch: Fetch, *, env: Mapping[str, str]) -> Found | None:
    """What answers at one place; None where nothing does, or nothing that lists models."""
    try:
        first = await fetch(place.origin + MODELS)
        variable = place.key_variable if first.status in _LOCKED else None
        key = env.get(variable) if variable else None
        if key:
            first = await fetch(place.origin + MODELS, key=key)
    except NoAnswer:
        return None
    if first.status in _LOCKED:
        return Found(place, recognise({MODELS: first}).kind, "it wants a key", (), locked=True)
    if not isinstance(first.json, dict) or not isinstance(first.json.get("data"), list):
        return None
    answers = {MODELS: first}
    more = MORE[recognise(answers).kind]
    said = await asyncio.gather(*(_ask(place.origin + path, fetch, key) for path in more))
    answers |= {path: answer for path, answer in zip(more, said, strict=True) if answer}
    kind, because = recognise(answers)
    return Found(place, kind, because, listed_models(answers), variable if key else None)


async def _ask(url: str, fetch: Fetch, key: str | None) -> Answer | None:
    try:
        return await fetch(url, key=key)
    except NoAnswer:
        return None
