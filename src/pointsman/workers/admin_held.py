"""The admin's routes for held answers: reviewers read them and decide."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pointsman.domain.errors import InvalidRequest
from pointsman.domain.task import Configuration
from pointsman.gateway.auth import Caller
from pointsman.gateway.http_server import Exchange

if TYPE_CHECKING:
    from pointsman.journal import JournalReader, JournalWriter
    from pointsman.reviewing.desk import Desk
    from pointsman.state import State

_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_PREFIX = "/admin/held/"


class _Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    action: Literal["approve", "edit", "reject"]
    text: str | None = None
    note: str = ""
    digest: str | None = None  # of the answer that was read, as `held.answer.digest` shows it


class AdminHeld:
    """Opens state and journal at the first question; it answers in threads, one at a time.

    Args: config gives the configuration in force; opened opens its state.
    """

    def __init__(self, config: Callable[[], Configuration], opened: Callable[[], "State"]) -> None:
        self._config = config
        self._opened = opened
        self._parts: tuple[State, JournalWriter, JournalReader] | None = None
        self._turn = threading.Lock()

    @property
    def routes(self) -> Mapping[str, Mapping[str, Any]]:
        """By path and method."""
        return {
            "/admin/held": {"GET": self._list},
            _PREFIX: {"GET": self._show, "POST": self._decide},
        }

    def close(self) -> None:
        """Close what was opened."""
        with self._turn:
            parts, self._parts = self._parts, None
        if parts is not None:
            state, journal, reports = parts
            reports.close()
            journal.close()
            state.close()

    async def _list(self, exchange: Exchange, caller: Caller) -> None:
        found = await self._ask(lambda desk: desk.waiting())
        _tell(exchange, {"object": "list", "data": found})

    async def _show(self, exchange: Exchange, caller: Caller) -> None:
        id = exchange.request.path.removeprefix(_PREFIX)
        _tell(exchange, await self._ask(lambda desk: desk.read(id)))

    async def _decide(self, exchange: Exchange, caller: Caller) -> None:
        id, by = exchange.request.path.removeprefix(_PREFIX), f"admin:{caller.principal}"
        try:
            said = msgspec.json.decode(exchange.request.body, type=_Decision)
        except msgspec.MsgspecError as error:
            raise InvalidRequest(str(error)[:300], code="invalid_json") from None
        if (said.action == "edit") != (said.text is not None):
            raise InvalidRequest("`text` goes with `edit`, and only with it", param="text")
        text = said.text or ""

        def decide(desk: "Desk") -> Any:
            if said.action == "approve":
                return desk.approve(id, by=by, principal=caller.person, digest=said.digest)
            if said.action == "edit":
                return desk.edit(id, text, by=by, principal=caller.person)
            return desk.reject(id, by=by, note=said.note, principal=caller.person)

        _tell(exchange, await self._ask(decide))

    async def _ask(self, question: Callable[["Desk"], Any]) -> Any:
        def asked() -> Any:
            from pointsman.reviewing.desk import Desk

            with self._turn:
                if self._parts is None:
                    self._parts = self._open()
                state, journal, reports = self._parts
                desk = Desk(
                    state.held, journal, reports, state.subject_keys,
                    now_us=lambda: time.time_ns() // 1000,
                )  # fmt: skip
                return question(desk)

        return await asyncio.to_thread(asked)

    def _open(self) -> "tuple[State, JournalWriter, JournalReader]":
        from pointsman.journal import JournalReader, open_cipher, open_journal

        config, state = self._config(), self._opened()
        journal = open_journal(config.journal, path=config.journal_path)
        reports = JournalReader(
            config.journal_path, keys=state.subject_keys, cipher=open_cipher(config.journal)
        )
        return state, journal, reports


def _tell(exchange: Exchange, said: Any) -> None:
    exchange.respond(200, _JSON, msgspec.json.encode(said))
