"""The admin's routes for virtual keys and budgets; what they do is what the commands do."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from pointsman.admitting.standing import as_data, look
from pointsman.admitting.wishes import KeyWish, key_as_data, make_key
from pointsman.domain.errors import InvalidRequest
from pointsman.domain.task import Configuration
from pointsman.gateway.auth import Caller
from pointsman.gateway.http_server import Exchange

if TYPE_CHECKING:
    from pointsman.state import State

_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_HOUR_US = 3_600_000_000
_T = TypeVar("_T", bound=msgspec.Struct)


class _Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    overlap_hours: Annotated[float, Meta(ge=0, le=24 * 365)] = 24.0


class _Revocation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str


class AdminKeys:
    """Opens the state at the first question; it answers in threads.

    Args: config gives the configuration in force; opened opens its state.
    """

    def __init__(self, config: Callable[[], Configuration], opened: Callable[[], "State"]) -> None:
        self._config = config
        self._opened = opened
        self._state: State | None = None
        self._turn = threading.Lock()

    @property
    def routes(self) -> Mapping[str, Mapping[str, Any]]:
        """By path and method."""
        return {
            "/admin/keys": {"GET": self._list, "POST": self._create},
            "/admin/keys/rotate": {"POST": self._rotate},
            "/admin/keys/revoke": {"POST": self._revoke},
            "/admin/budgets": {"GET": self._budgets},
        }

    def close(self) -> None:
        """Close what was opened."""
        with self._turn:
            state, self._state = self._state, None
        if state is not None:
            state.close()

    async def _list(self, exchange: Exchange, caller: Caller) -> None:
        keys = await self._ask(lambda state: state.virtual_keys.all())
        _tell(exchange, {"object": "list", "data": [key_as_data(key) for key in keys]})

    async def _create(self, exchange: Exchange, caller: Caller) -> None:
        wish, config = _read(exchange, KeyWish), self._config()
        by, now_us = f"admin:{caller.principal}", time.time_ns() // 1000
        made = await self._ask(
            lambda state: make_key(config, state.virtual_keys, wish, by=by, now_us=now_us)
        )
        _tell(exchange, {**key_as_data(made.key), "secret": made.secret}, status=201)

    async def _rotate(self, exchange: Exchange, caller: Caller) -> None:
        said = _read(exchange, _Rotation)
        overlap_us = round(said.overlap_hours * _HOUR_US)
        made = await self._ask(
            lambda state: state.virtual_keys.rotate(said.name, overlap_us=overlap_us)
        )
        _tell(exchange, {**key_as_data(made.key), "secret": made.secret})

    async def _revoke(self, exchange: Exchange, caller: Caller) -> None:
        said = _read(exchange, _Revocation)
        key = await self._ask(lambda state: state.virtual_keys.revoke(said.name))
        _tell(exchange, key_as_data(key))

    async def _budgets(self, exchange: Exchange, caller: Caller) -> None:
        config, now_us = self._config(), time.time_ns() // 1000
        found = await self._ask(lambda state: look(config, state, now_us=now_us))
        _tell(exchange, {"object": "list", "data": [as_data(each) for each in found]})

    async def _ask(self, question: Callable[["State"], Any]) -> Any:
        def asked() -> Any:
            with self._turn:
                if self._state is None:
                    self._state = self._opened()
                return question(self._state)

        return await asyncio.to_thread(asked)


def _read(exchange: Exchange, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(exchange.request.body, type=kind)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(str(error)[:300], code="invalid_json") from None


def _tell(exchange: Exchange, said: Any, *, status: int = 200) -> None:
    exchange.respond(status, _JSON, msgspec.json.encode(said))
