"""The admin's process as its parent sees it: its door opened here, started, started again."""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec

from pointsman.domain.task import Configuration
from pointsman.gateway.listening import addresses, bind, cannot_listen, release, shown
from pointsman.workers.backoff import Backoff
from pointsman.workers.member import Member
from pointsman.workers.messages import Begin, Changed, Drain, Failed, Message

log = logging.getLogger("pointsman.workers")
_STOP_S = 5.0


class AdminSeat:
    """Has one admin process while the gateway serves; nothing where `server.admin` is not said.

    Args: asked answers what the admin wants to know of the whole.
    """

    def __init__(
        self,
        config: Configuration,
        asked: Callable[[Message], Awaitable[Message]],
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self._config = config
        self._asked = asked
        self._backoff = backoff or Backoff()
        self._listeners: list[socket.socket] = []
        self._member: Member | None = None
        self._task: asyncio.Task[None] | None = None

    def bind(self) -> None:
        """Open its door. Raises: ConfigurationError where nobody can listen there."""
        settings = self._config.server.admin
        if settings is None:
            return
        try:
            self._listeners = bind([settings.host], settings.port)
        except OSError as error:
            raise cannot_listen(error, [settings.host], settings.port) from error

    def start(self) -> None:
        """Run it until `stop`."""
        if self._listeners:
            for each in addresses(self._listeners):
                where = shown(*each, secure=False).removesuffix("/v1")
                log.info("the admin listens on %s", where)  # a port of 0 is told here alone
            self._task = asyncio.create_task(self._keep())

    def change(self, config: Configuration) -> None:
        """Another configuration is in force."""
        self._config = config
        if self._member is not None:
            self._member.tell(Changed(config=_needed(config)))

    async def stop(self) -> None:
        """Let it end; kill it where that takes too long."""
        for each in self._listeners:
            each.close()
        task, self._task = self._task, None
        if task is not None:
            if self._member is not None:
                self._member.tell(Drain())
                await asyncio.wait({task}, timeout=_STOP_S)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        settings = self._config.server.admin
        if settings is not None and self._listeners:
            release([settings.host])

    async def _keep(self) -> None:
        deaths = 0
        while self._task is not None:
            began_s = time.monotonic()
            try:
                code = await self._live()
                how = f"ended with {code}"
            except OSError as error:
                how = f"could not be started: {error}"
            if self._task is None:
                return
            deaths = self._backoff.deaths(deaths, lived_s=time.monotonic() - began_s)
            delay_s = self._backoff.delay_s(deaths)
            log.warning("the admin %s; started again in %g s", how, delay_s)
            await asyncio.sleep(delay_s)

    async def _live(self) -> int:
        member = await Member.start(
            "admin", told=self._hear, asked=self._asked, listeners=self._listeners
        )
        self._member = member
        member.tell(
            Begin(
                config=_needed(self._config),
                common=tuple(each.fileno() for each in self._listeners),
                log_level=logging.getLogger().level,
            )
        )
        try:
            return await member.ended()
        finally:
            member.kill()
            self._member = None

    def _hear(self, message: Message) -> None:
        if isinstance(message, Failed):
            log.error("the admin cannot start: %s", message.error().sentence)


def _needed(config: Configuration) -> Configuration:
    """What the admin may know: no deployment's key."""
    deployments = {
        name: msgspec.structs.replace(each, api_key=None, proxy=None)
        for name, each in config.deployments.items()
    }
    return msgspec.structs.replace(config, deployments=deployments)
