"""One end of the socket between a supervisor and a process: messages told, asked and answered."""

import asyncio
import itertools
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self

import msgspec

from pointsman.domain.errors import PointsmanError, WorkerFailed
from pointsman.workers.messages import Done, Failed, Message

log = logging.getLogger("pointsman.workers")
_SIZE = 4  # bytes of a frame's length, big-endian
MAX_FRAME_BYTES = 256 * 2**20  # a configuration is far below it
_MAX_UNSENT_BYTES = 64 * 2**20  # behind a peer that does not read; it is as good as gone
_MAX_ASKED = 1024  # questions of one peer that are being answered at once


class _Envelope(msgspec.Struct, frozen=True, array_like=True):
    """`ask` numbers a question of the sender's, `reply` repeats the number of the receiver's."""

    message: Message
    ask: int = 0
    reply: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Envelope).decode
Told = Callable[[Message], None]
Asked = Callable[[Message], Awaitable[Message]]


class Peer:
    """Messages both ways, in order. `run` must run for anything to be heard.

    Args: told hears what needs no answer, in order, and must not block; asked answers questions,
        many at a time; a PointsmanError it raises is raised again at the other end.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        told: Told,
        asked: Asked,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._told = told
        self._asked = asked
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._gone = False

    @classmethod
    async def on(cls, end: socket.socket, *, told: Told, asked: Asked) -> Self:
        """A peer over one end of a socket pair."""
        end.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=end)
        return cls(reader, writer, told=told, asked=asked)

    def tell(self, message: Message) -> None:
        """Send without waiting; nothing where the other end is gone."""
        self._send(_Envelope(message))

    async def ask(self, message: Message, *, timeout_s: float) -> Message:
        """The other end's answer.

        Raises: WorkerFailed where there is none in time or ever; what the other end raised.
        """
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            if not self._send(_Envelope(message, ask=number)):
                raise _gone()
            async with asyncio.timeout(timeout_s):
                said: Message = await answer
        except TimeoutError:
            raise WorkerFailed(
                f"no answer to {type(message).__name__} within {timeout_s:g} s",
                why="the process hangs, or the machine is too busy",
            ) from None
        finally:
            self._waiting.pop(number, None)
        if isinstance(said, Failed):
            raise said.error()
        return said

    async def run(self) -> None:
        """Hear the other end until it is gone."""
        try:
            while (frame := await self._frame()) is not None:
                self._hear(_decode(frame))
        except (msgspec.MsgspecError, ValueError):
            log.exception("another version of the program is at the other end")
        finally:
            self.close()

    def close(self) -> None:
        """Say and hear nothing more."""
        self._gone = True
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(_gone())
        for task in self._answering:
            task.cancel()
        self._writer.close()

    async def flush(self, timeout_s: float = 1.0) -> None:
        """Wait until what was told has left this process."""
        if self._gone:
            return
        self._writer.transport.set_write_buffer_limits(high=0)
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._writer.drain()

    async def _frame(self) -> bytes | None:
        try:
            size = int.from_bytes(await self._reader.readexactly(_SIZE))
            if size > MAX_FRAME_BYTES:
                raise ValueError(f"a frame of {size} bytes")
            return await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError):
            return None

    def _hear(self, envelope: _Envelope) -> None:
        if envelope.reply:
            answer = self._waiting.get(envelope.reply)
            if answer is not None and not answer.done():
                answer.set_result(envelope.message)
        elif not envelope.ask:
            self._told(envelope.message)
        elif len(self._answering) >= _MAX_ASKED:
            self._send(_Envelope(Failed.of(WorkerFailed("too many questions at once")),
                                 reply=envelope.ask))  # fmt: skip
        else:
            task = asyncio.ensure_future(self._answer(envelope))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _answer(self, envelope: _Envelope) -> None:
        try:
            said = await self._asked(envelope.message)
        except PointsmanError as error:
            said = Failed.of(error)
        except Exception as error:  # the other end must not wait for an answer that never comes
            log.exception("%s was not answered", type(envelope.message).__name__)
            said = Failed(code=WorkerFailed.code, what=f"{type(error).__name__} while answering")
        self._send(_Envelope(said, reply=envelope.ask))

    def _send(self, envelope: _Envelope) -> bool:
        if self._gone or self._writer.transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
            return False
        frame = _encode(envelope)
        try:
            self._writer.write(len(frame).to_bytes(_SIZE) + frame)
        except OSError:
            return False
        return True


async def nothing_asked(message: Message) -> Message:
    """An answerer that is asked nothing."""
    return Done()


def _gone() -> WorkerFailed:
    return WorkerFailed("the process is gone")
