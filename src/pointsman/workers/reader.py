"""The reader's process: looks traces up in the journal, so that no worker loads a database."""

import asyncio
import logging
import signal
import socket

from pointsman.answering.feedback import keyed_facts
from pointsman.domain.errors import WorkerFailed
from pointsman.domain.records import OutcomeRecord
from pointsman.journal import JournalReader
from pointsman.telemetry.logs import configure
from pointsman.workers.messages import Begin, Drain, Found, Message, Recall, TraceRow
from pointsman.workers.peer import Peer

log = logging.getLogger("pointsman.reader")
_MEMORY_MB = 256
_FACTS = 1000  # told of one trace


class Reader:
    """Answers `Recall` until its supervisor says so or is gone."""

    def __init__(self) -> None:
        self._begun: asyncio.Future[Begin] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()
        self._reports: JournalReader | None = None

    async def run(self, end: socket.socket) -> int:
        """Exit code."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop.set)
        peer = await Peer.on(end, told=self._hear, asked=self._answer)
        hearing = asyncio.ensure_future(peer.run())
        hearing.add_done_callback(lambda done: self._stop.set())
        await self._stop.wait()
        peer.close()
        hearing.cancel()
        if self._reports is not None:
            await asyncio.to_thread(self._reports.close)
        return 0

    def _hear(self, message: Message) -> None:
        match message:
            case Begin():
                configure(message.config.server.logs, role="reader", level=message.log_level)
                if not self._begun.done():
                    self._begun.set_result(message)
            case Drain():
                self._stop.set()
            case _:
                log.error("the supervisor said %s", type(message).__name__)

    async def _answer(self, message: Message) -> Message:
        if not isinstance(message, Recall):
            raise WorkerFailed(f"the reader is not asked {type(message).__name__}")
        begin = await self._begun
        return await asyncio.to_thread(self._recall, begin, list(message.references))

    def _recall(self, begin: Begin, references: list[str]) -> Found:
        if self._reports is None:
            self._reports = JournalReader(begin.config.journal_path, memory_mb=_MEMORY_MB)
        rows = self._reports.query("find", {"references": references})
        facts: dict[str, list[OutcomeRecord]] = {}
        for fact in keyed_facts(self._reports, [str(row["trace"]) for row in rows]) if rows else ():
            facts.setdefault(fact.trace, []).append(fact)
        return Found(
            rows=tuple(
                TraceRow(
                    trace=str(row["trace"]), tenant=str(row["tenant"]),
                    reference=str(row["reference"]),
                    facts=tuple(facts.get(str(row["trace"]), ())[:_FACTS]),
                )
                for row in rows
            )
        )  # fmt: skip
