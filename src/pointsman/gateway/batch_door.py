"""The paths of files and batches, in the shapes of OpenAI's API. Translates; decides nothing."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import parse_qs
from weakref import WeakSet

import msgspec

from pointsman.app import Application
from pointsman.batches.desk import PAGE_MOST, Page
from pointsman.batches.makers import maker_of
from pointsman.batches.store import PIECE
from pointsman.batches.wishes import read_wish
from pointsman.domain.batches import Batch, FileEntry
from pointsman.domain.errors import InvalidRequest
from pointsman.gateway.auth import Caller
from pointsman.gateway.http_message import Refusal
from pointsman.gateway.http_server import Exchange
from pointsman.gateway.http_spool import Spool

Handler = Callable[[Exchange, Caller], Awaitable[None]]
_JSON = [(b"content-type", b"application/json")]
_BYTES = [
    (b"content-type", b"application/octet-stream"),
    (b"content-disposition", b"attachment"),
    (b"x-content-type-options", b"nosniff"),
]
_UPLOADS = 2  # kept at once
_SPOOLS_MOST = 8  # coming in at once, in this process
_FRAMING = 64 * 1024  # what a form adds to its file
_BATCHES_MOST, _BATCHES_USUAL = 100, 20


class BatchDoor:
    """The handlers, by path and method."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._spools: WeakSet[Spool] = WeakSet()
        self._uploads = asyncio.Semaphore(_UPLOADS)
        self.paths: Mapping[str, dict[str, Handler]] = {
            "/v1/files": {"POST": self._upload, "GET": self._files},
            "/v1/batches": {"POST": self._create, "GET": self._batches},
        }

    def spool(self) -> Spool | None:
        """Where an upload goes while it comes in; None: it is held in memory, and bounded there."""
        config = self._app.config
        if not config.batches.enabled:
            return None
        if len(self._spools) >= _SPOOLS_MOST:
            raise Refusal(503, "overloaded", "as many files are being uploaded as may be")
        made = os.path.isdir(config.batches_path)
        most = config.batches.max_file_bytes + _FRAMING
        try:
            spool = Spool(config.batches_path if made else config.journal_path, most_bytes=most)
        except OSError as error:
            message = f"the body cannot be put aside ({error.strerror})"
            raise Refusal(503, "state_unavailable", message) from None
        self._spools.add(spool)
        return spool

    def below(self, path: str) -> Mapping[str, Handler] | None:
        """The methods of a path with an id in it; None where it is none of ours."""
        noun, _, rest = path.removeprefix("/v1").removeprefix("/").partition("/")
        identity, slash, verb = rest.partition("/")
        if not identity or (slash and not verb):
            return None
        if noun == "files":
            if verb == "content":
                return {"GET": self._content}
            return None if verb else {"GET": self._file, "DELETE": self._delete}
        if noun == "batches":
            if verb == "cancel":
                return {"POST": self._cancel}
            return None if verb else {"GET": self._batch}
        return None

    # Files

    async def _upload(self, exchange: Exchange, caller: Caller) -> None:
        desk = await self._app.batches.desk()
        kind = exchange.headers.get(b"content-type", b"")
        async with self._uploads:
            pieces = exchange.spool.pieces() if exchange.spool else _pieces(exchange.body)
            entry = await asyncio.to_thread(desk.upload, caller.tenant, kind, pieces)
        _give(exchange, _file(entry))

    async def _files(self, exchange: Exchange, caller: Caller) -> None:
        desk = await self._app.batches.desk()
        page = _page(exchange.query, most=PAGE_MOST, usual=PAGE_MOST)
        found, more = await asyncio.to_thread(desk.files, caller.tenant, page)
        _give(exchange, _list([_file(each) for each in found], more))

    async def _file(self, exchange: Exchange, caller: Caller) -> None:
        desk = await self._app.batches.desk()
        entry = await asyncio.to_thread(desk.file, _identity(exchange), caller.tenant)
        _give(exchange, _file(entry))

    async def _delete(self, exchange: Exchange, caller: Caller) -> None:
        desk = await self._app.batches.desk()
        entry = await asyncio.to_thread(desk.delete, _identity(exchange), caller.tenant)
        _give(exchange, {"id": entry.id, "object": "file", "deleted": True})

    async def _content(self, exchange: Exchange, caller: Caller) -> None:
        desk = await self._app.batches.desk()
        file = await asyncio.to_thread(desk.content, _identity(exchange), caller.tenant)
        with file:
            piece = await asyncio.to_thread(file.read, PIECE)
            exchange.start(200, _BYTES)
            await _copy(exchange, file, piece)
        exchange.finish()

    # Batches

    async def _create(self, exchange: Exchange, caller: Caller) -> None:
        desk = await self._app.batches.desk()
        wish, maker = read_wish(exchange.body), maker_of(caller.principal, caller.key)
        batch = await asyncio.to_thread(desk.create, caller.tenant, maker, wish)
        self._app.batches.wake()
        _give(exchange, _batch(batch))

    async def _batches(self, exchange: Exchange, caller: Caller) -> None:
        desk = await self._app.batches.desk()
        page = _page(exchange.query, most=_BATCHES_MOST, usual=_BATCHES_USUAL)
        found, more = await asyncio.to_thread(desk.batches, caller.tenant, page)
        _give(exchange, _list([_batch(each) for each in found], more))

    async def _batch(self, exchange: Exchange, caller: Caller) -> None:
        desk = await self._app.batches.desk()
        batch = await asyncio.to_thread(desk.batch, _identity(exchange), caller.tenant)
        _give(exchange, _batch(batch))

    async def _cancel(self, exchange: Exchange, caller: Caller) -> None:
        desk = await self._app.batches.desk()
        batch = await asyncio.to_thread(desk.cancel, _identity(exchange), caller.tenant)
        self._app.batches.wake()
        _give(exchange, _batch(batch))


async def _copy(exchange: Exchange, file: BinaryIO, piece: bytes) -> None:
    while piece and not exchange.gone:
        exchange.write(piece)
        await exchange.drain()
        piece = await asyncio.to_thread(file.read, PIECE)


def _pieces(body: bytes) -> Iterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(body), PIECE):
        yield bytes(view[start : start + PIECE])


def _give(exchange: Exchange, said: Mapping[str, Any]) -> None:
    exchange.respond(200, _JSON, msgspec.json.encode(said))


def _identity(exchange: Exchange) -> str:
    """The id in a path, as the client wrote it: it is compared, never used as a path."""
    return exchange.path.removeprefix("/v1").split("/")[2]


def _file(entry: FileEntry) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": entry.id,
        "object": "file",
        "bytes": entry.size,
        "created_at": entry.made_us // 1_000_000,
        "filename": entry.name,
        "purpose": entry.purpose,
        "status": "processed",
        "status_details": None,
    }
    if entry.expires_us is not None:
        said["expires_at"] = entry.expires_us // 1_000_000
    return said


def _batch(batch: Batch) -> dict[str, Any]:
    ended: dict[str, int | None] = {}
    ended |= {f"{name}_at": None for name in ("completed", "failed", "expired", "cancelled")}
    if batch.over:
        ended[f"{batch.status}_at"] = _seconds(batch.over_us)
    problems = [msgspec.to_builtins(each) for each in batch.problems]
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": problems} if problems else None,
        "input_file_id": batch.input_file,
        "completion_window": batch.window,
        "status": batch.status,
        "output_file_id": batch.output_file,
        "error_file_id": batch.error_file,
        "created_at": _seconds(batch.made_us),
        "in_progress_at": _seconds(batch.in_progress_us),
        "expires_at": _seconds(batch.expires_us),
        "finalizing_at": _seconds(batch.finalizing_us),
        "cancelling_at": _seconds(batch.cancelling_us),
        **ended,
        "request_counts": {
            "total": batch.total,
            "completed": batch.completed,
            "failed": batch.failed,
        },
        "metadata": batch.metadata,
    }


def _seconds(at_us: int | None) -> int | None:
    return None if at_us is None else at_us // 1_000_000


def _list(data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": more,
    }


def _page(query: str, *, most: int, usual: int) -> Page:
    """Raises: InvalidRequest for a word of the query that is out of its range."""
    try:
        said = {name: values[-1] for name, values in parse_qs(query, max_num_fields=16).items()}
    except ValueError:
        raise InvalidRequest("the query holds too many fields", code="invalid_value") from None
    limit, order = said.get("limit", str(usual)), said.get("order", "desc")
    if not (limit.isascii() and limit.isdecimal() and len(limit) < 9 and 1 <= int(limit) <= most):
        raise InvalidRequest(
            f"`limit` must be from 1 to {most}", param="limit", code="invalid_value"
        )
    if order not in ("asc", "desc"):
        raise InvalidRequest("`order` is asc or desc", param="order", code="invalid_value")
    return Page(
        limit=int(limit),
        after=_plain(said.get("after"), "after"),
        ascending=order == "asc",
        purpose=_plain(said.get("purpose"), "purpose"),
    )


def _plain(value: str | None, param: str) -> str | None:
    """A word that any database compares with. Raises: InvalidRequest."""
    if value is None or (value.isascii() and value.isprintable() and len(value) <= 128):
        return value
    raise InvalidRequest(f"`{param}` is no word of ours", param=param, code="invalid_value")
