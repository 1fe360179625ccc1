"""Conversations: what names one, where each stays, and what leaving would lose."""

from collections import OrderedDict
from hashlib import blake2b
from typing import Any

import msgspec

from pointsman.domain.messages import Message, ModelRequest
from pointsman.domain.money import Price

_NAMES = ("session_id", "conversation_id", "thread_id")  # in a request's metadata
_LONGEST = 256  # characters of a key
_OF_A_PREFIX = 4096  # characters of a message that count in a digest
_MOST = 20_000  # conversations that one process remembers


def session_key(request: ModelRequest, *, session: str | None) -> str | None:
    """What names the conversation of a request; None where nothing does.

    By the first that is there: the session header; `prompt_cache_key`; `metadata.session_id`,
    `conversation_id` or `thread_id`; else a digest of how the conversation began, its system
    message and its first message of a user, together with the `user` field: each turn of a chat
    repeats them.
    """
    if session:
        return "s:" + session[:_LONGEST]
    named = _text(request.fields.get("prompt_cache_key"))
    if named:
        return "k:" + named
    for name in _NAMES if request.metadata else ():
        value = request.metadata.get(name) if request.metadata else None
        if isinstance(value, str) and value:
            return "m:" + value[:_LONGEST]
    if request.operation != "chat":
        return None
    return _beginning(request)


def _beginning(request: ModelRequest) -> str | None:
    digest = blake2b(digest_size=12)
    for message in request.messages:
        digest.update(f"{message.role}\0{_said(message)}\0".encode("utf-8", "replace"))
        if message.role == "user":
            digest.update((_text(request.fields.get("user")) or "").encode())
            return "d:" + digest.hexdigest()
    return None


def _said(message: Message) -> str:
    content = message.content
    if isinstance(content, str):
        return content[:_OF_A_PREFIX]
    texts: list[Any] = [part.get("text") for part in content or ()]
    return "\0".join(each[:_OF_A_PREFIX] for each in texts if isinstance(each, str))


def _text(raw: msgspec.Raw | None) -> str | None:
    if raw is None:
        return None
    try:
        said = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
    return said[:_LONGEST] if isinstance(said, str) and said else None


class Place(msgspec.Struct, frozen=True):
    """Where a conversation is: the plan it had last, whose engine has its prefix, since when."""

    plan: tuple[str, ...]
    deployment: str  # that answered
    tokens: int  # of the conversation so far, which that engine may have in its cache
    at_s: float


class Sessions:
    """The places of the latest conversations; bounded, the longest silent go first."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._places: OrderedDict[tuple[str, str, str], Place] = OrderedDict()

    def __len__(self) -> int:
        return len(self._places)

    def find(self, key: tuple[str, str, str], *, now_s: float, keep_s: float) -> Place | None:
        """The place of a conversation of a tenant and target, unless it was silent too long."""
        place = self._places.get(key)
        if place is None or now_s - place.at_s > keep_s:
            return None
        return place

    def put(self, key: tuple[str, str, str], place: Place) -> None:
        """It is there now."""
        self._places[key] = place
        self._places.move_to_end(key)
        if len(self._places) > self._most:
            self._places.popitem(last=False)


def prefix_usd_picos(place: Place, price: Price | None) -> int:
    """What the cache of its engine saves on the conversation so far, as far as it has a price."""
    if price is None or price.cached_input_usd_picos is None:
        return 0
    saved = price.input_usd_picos - price.cached_input_usd_picos
    return max(0, saved) * place.tokens
