"""What runs once for all workers, as a worker reaches it: engines, keeper, counts, memory."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pointsman.app import Shared
from pointsman.backends.address import Address
from pointsman.backends.embedded_supervisor import EngineState
from pointsman.domain.errors import WorkerFailed
from pointsman.domain.portfolio import Deployment, EmbeddedModel
from pointsman.domain.ports import SubjectKey
from pointsman.domain.task import Configuration
from pointsman.workers.messages import Counted, Find, Found, KeyIs, KeyOf, News, Scrape, TraceRow
from pointsman.workers.peer import Peer

_ASK_S = 5.0
_KEY_S = 20.0  # a state that is busy is waited for there, 5 s at most
_RECALL_S = 65.0  # a query of a long journal, and the one before it


class SharedEngines:
    """The embedded engines that the supervisor runs: where they listen, by its latest news."""

    def __init__(self, news: News) -> None:
        self._places: dict[tuple[str, EmbeddedModel], tuple[Address | None, EngineState]] = {}
        self.hear(news)

    def hear(self, news: News) -> None:
        """They stand like this now."""
        self._places = {
            (each.deployment, each.model): (
                None if each.base_url is None else Address(each.base_url, each.api_key),
                each.state,
            )
            for each in news.engines
        }

    async def prepare(self, deployments: Iterable[Deployment]) -> None:
        """Nothing: the supervisor started them before it told of the configuration."""

    async def keep_only(self, deployments: Iterable[Deployment]) -> None:
        """Nothing: the supervisor stops them."""

    async def stop(self) -> None:
        """Nothing: others may use them."""

    def address(self, deployment: Deployment) -> Address | None:
        """Where the engine of this deployment listens now; None: it does not."""
        if deployment.embedded is None:
            return None
        place = self._places.get((deployment.name, deployment.embedded))
        return place[0] if place is not None else None

    def states(self, deployments: Iterable[Deployment]) -> dict[str, EngineState]:
        """How the engines of these deployments stand, by name."""
        return {
            each.name: self._places[each.name, each.embedded][1]
            for each in deployments
            if each.embedded is not None and (each.name, each.embedded) in self._places
        }


class SharedKeeper:
    """The keeper that the supervisor runs."""

    def __init__(self, news: News) -> None:
        self.status: Mapping[str, Any] = news.keeper

    def start(self, config: Configuration) -> None:
        """Nothing: the supervisor starts it."""

    async def change(self, config: Configuration) -> None:
        """Nothing: the supervisor changes it."""

    async def stop(self) -> None:
        """Nothing: others need it."""


class SharedKeys:
    """Subjects' keys, from the state that the supervisor holds. For threads beside the loop."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._loop = asyncio.get_running_loop()

    def key(self, tenant: str, subject: str) -> SubjectKey:
        """As the port says. Raises: StateUnavailable; WorkerFailed where nobody answers."""
        asked = self._peer.ask(KeyOf(tenant=tenant, subject=subject), timeout_s=_KEY_S)
        said = asyncio.run_coroutine_threadsafe(asked, self._loop).result()
        if not isinstance(said, KeyIs):
            raise WorkerFailed("the supervisor does not tell the key")
        return said.key


class Commons:
    """Everything a worker shares, over its socket to the supervisor."""

    def __init__(self, peer: Peer, news: News, *, slot: int, workers: int) -> None:
        self._peer = peer
        self._engines = SharedEngines(news)
        self._keeper = SharedKeeper(news)
        self.shared = Shared(
            index=slot,
            workers=workers,
            engines=self._engines,
            keeper=self._keeper,
            scrape=self._scrape,
            recall=self._recall,
            subject_keys=SharedKeys(peer),
        )

    def hear(self, news: News) -> None:
        """What runs once stands like this now."""
        self._engines.hear(news)
        self._keeper.status = news.keeper

    async def _scrape(self) -> bytes:
        from pointsman.telemetry import merge

        said = await self._peer.ask(Scrape(), timeout_s=_ASK_S)
        if not isinstance(said, Counted):
            raise WorkerFailed("the supervisor does not tell the counts")
        return await asyncio.to_thread(merge, said.snapshots)

    async def _recall(self, reference: str, tenant: str) -> Sequence[TraceRow]:
        asked = Find(reference=reference, tenant=tenant)
        said = await self._peer.ask(asked, timeout_s=_RECALL_S)
        return said.rows if isinstance(said, Found) else ()
