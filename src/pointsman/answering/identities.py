"""What each deployment is known to serve now, for the records of what it answered.

A change of what is known is a record of its own (`ServedRecord`), which ends name by its digest.
An engine is asked when its deployment comes into force, every minute, and at once when it is
called again after it failed; nobody's request waits for it. In between its last word stands.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from pointsman.domain.errors import JournalUnavailable
from pointsman.domain.identity import Found, Identity, identity_id, identity_of
from pointsman.domain.portfolio import Deployment
from pointsman.domain.ports import Journal
from pointsman.domain.records import ServedRecord

log = logging.getLogger(__name__)
EVERY_S = 60.0
_TICK_S = 1.0
_AT_ONCE = 16
_AGAIN_US = 86_400_000_000  # written again each day: retention may take what is older
Ask = Callable[[Deployment], Awaitable[Found | None]]
# What the file that an embedded engine loaded is, and what that engine says.
Own = Callable[[Deployment], tuple[Found | None, Found | None]]


class _Known(NamedTuple):
    deployment: Deployment
    read: Found | None
    told: Found | None
    id: str
    written_us: int


class Identities:
    """One table by deployment, for one event loop."""

    def __init__(
        self,
        journal: Journal,
        *,
        ask: Ask,
        own: Own,
        now_us: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._journal, self.ask, self._own = journal, ask, own
        self._now_us, self._monotonic = now_us, monotonic
        self._deployments: dict[str, Deployment] = {}
        self._known: dict[str, _Known] = {}
        self._due: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    def change(self, deployments: Iterable[Deployment]) -> None:
        """Those of the configuration in force. What was found of one stays where its place does."""
        self._deployments = {each.name: each for each in deployments}
        kept = {}
        for name, known in self._known.items():
            now = self._deployments.get(name)
            if now is not None and _place(now) == _place(known.deployment):
                kept[name] = known
        self._known = kept
        self._due = {name: at for name, at in self._due.items() if name in kept}

    def of(self, name: str) -> str | None:
        """The id of the record that says what this deployment serves; None where none could be
        written."""
        known = self._known.get(name)
        if known is None:
            return self._renewed(name, None)
        if known.deployment.embedded is None:
            return known.id
        read, told = self._own(known.deployment)
        if read is known.read and told is known.told:
            return known.id
        return self._renewed(name, known)

    def look_soon(self, name: str) -> None:
        """Ask this engine anew: it may be another one than it was."""
        self._due.pop(name, None)

    def start(self) -> None:
        """Begin to ask. Inside a running loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End, in the middle of a question too."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def look(self) -> None:
        """Ask every engine that is due, and write down what is new."""
        now = self._monotonic()
        due = [each for name, each in self._deployments.items() if now >= self._due.get(name, 0.0)]
        for each in due:
            self._due[each.name] = now + EVERY_S
        for first in range(0, len(due), _AT_ONCE):
            await asyncio.gather(*map(self._look_at, due[first : first + _AT_ONCE]))

    async def _run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_TICK_S)

    async def _look_at(self, deployment: Deployment) -> None:
        told = None
        if deployment.embedded is None and deployment.probe.when != "never":
            try:
                told = await self.ask(deployment)
            except Exception:  # an answer that nobody thought of says nothing of the model
                log.exception("deployment %s could not be asked what it serves", deployment.name)
        known = self._known.get(deployment.name)
        if told is None and known is not None:
            told = known.told  # its last word
        if self._deployments.get(deployment.name) is deployment:
            self._renewed(deployment.name, known, told)

    def _renewed(self, name: str, known: _Known | None, told: Found | None = None) -> str | None:
        deployment = self._deployments.get(name)
        if deployment is None:
            return None
        read = None
        if deployment.embedded is not None:
            read, told = self._own(deployment)
        identity = identity_of(
            deployment.model, deployment.engine, stated=deployment.identity, told=told, read=read
        )
        id, now_us = identity_id(name, identity), self._now_us()
        written_us = known.written_us if known is not None and known.id == id else None
        if written_us is None or now_us - written_us >= _AGAIN_US:
            record = ServedRecord(id=id, at_us=now_us, deployment=name, identity=identity)
            try:
                self._journal.append(record)
            except JournalUnavailable:
                return None  # nothing is answered then either
            written_us = now_us
            if known is None or known.id != id:
                _tell(name, identity)
        self._known[name] = _Known(deployment, read, told, id, written_us)
        return id


def _place(deployment: Deployment) -> object:
    """What must stay for what was found to stay true."""
    return (deployment.base_url, deployment.embedded, deployment.engine, deployment.served_name,
            deployment.model, deployment.identity)  # fmt: skip


def _tell(name: str, identity: Identity) -> None:
    for field, stated in identity.contradicted.items():
        log.warning(
            "deployment %s: the configuration states %s %s, its %s says %s",
            name, field, stated, identity.sources[field], getattr(identity, field),
        )  # fmt: skip
