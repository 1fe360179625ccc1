"""How the deployments of a configuration fare: addresses are asked, model files looked at."""

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pointsman.backends.dialects import ENGINES
from pointsman.backends.embedded_engine import require_extra
from pointsman.backends.embedded_making import hub, placed
from pointsman.backends.engine_load import read_load
from pointsman.backends.http_tls import TlsContexts
from pointsman.backends.http_ways import Ways
from pointsman.backends.model_files import parse_hub_name, shipped_path
from pointsman.cli.fetching import fetching
from pointsman.cli.output import Progress
from pointsman.discovery.reaching import Reached, Told, reach_all
from pointsman.domain.errors import PointsmanError
from pointsman.domain.portfolio import Deployment, Engine
from pointsman.domain.task import Configuration

CONNECT_S = 5.0
TOTAL_S = 10.0
_LATE_S = 2.0
_MAGIC = b"GGUF"


def probe(config: Configuration) -> list[Reached]:
    """Every deployment in the order of the file; all are asked at once, no model is called."""
    embedded = [each for each in config.deployments.values() if each.embedded]
    progress = _LateProgress(len(config.deployments), "probing")
    try:
        found = asyncio.run(_over_http(config, progress.step))
        for each in embedded:
            found.append(model_file(placed(config, each)))
            progress.step()
    finally:
        progress.close()
    order = list(config.deployments)
    return sorted(found, key=lambda each: order.index(each.deployment))


class _LateProgress:
    """Progress for what is usually done before anyone would read it: nothing for two seconds."""

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what, self._done = total, what, 0
        self._shown: Progress | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def step(self) -> None:
        self._done += 1

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        if self._shown is not None:
            self._shown.close()

    def _tick(self) -> None:
        pause = _LATE_S
        while not self._over.wait(pause):
            self._shown = self._shown or Progress(self._total, self._what)
            self._shown.update(self._done)
            pause = 0.25


async def _over_http(config: Configuration, done: Callable[[], None]) -> list[Reached]:
    """By the way that serving takes: a deployment's own TLS and proxy, or the environment's."""
    deployments = list(config.deployments.values())
    ways, contexts = Ways(os.environ, config.placed), TlsContexts()
    wrong = [found for each in deployments if (found := _unusable(each, ways, contexts))]
    barred = {each.deployment for each in wrong}
    for _ in wrong:
        done()
    async with fetching(connect_s=CONNECT_S, total_s=TOTAL_S, contexts=contexts) as fetch:
        return wrong + await reach_all(
            [each for each in deployments if each.name not in barred],
            lambda each: partial(fetch, way=ways.to(each)),
            clock=time.monotonic,
            done=done,
            load_of=_load_of,
        )


def _load_of(engine: Engine) -> Callable[[bytes], Told] | None:
    """What reads the load of an engine."""
    names = ENGINES[engine].load
    if names is None:
        return None

    def read(text: bytes) -> Told:
        load = read_load(names, text)
        return Told(load.running, load.waiting)

    return read


def _unusable(deployment: Deployment, ways: Ways, contexts: TlsContexts) -> Reached | None:
    """Why a deployment's certificate or proxy cannot be used, if it cannot."""
    try:
        ways.check(deployment, contexts)
    except PointsmanError as error:
        said = f"{error.what}: {error.why}" if error.why else error.what
        return Reached(deployment=deployment.name, state="wrong", said=said, next=error.next)
    return None


def model_file(deployment: Deployment) -> Reached:
    """Whether an embedded deployment's file is there and is what it should be; loads nothing."""
    assert deployment.embedded is not None, "only an embedded deployment has a model file"
    gguf, name = deployment.embedded.gguf, deployment.name
    try:
        require_extra()
        if gguf.startswith("hub:"):
            return _hub_file(name, gguf)
        shipped = gguf.startswith("embedded:")
        path = shipped_path(gguf.removeprefix("embedded:")) if shipped else Path(gguf).expanduser()
        return _sound(name, path, _shipped_sha256(path) if shipped else None)
    except PointsmanError as error:
        return Reached(deployment=name, state="wrong", said=error.what, next=error.next)
    except OSError as error:
        said = f"{gguf}: {error.strerror or error}"
        return Reached(deployment=name, state="wrong", said=said, next="give the path of a file")


def _hub_file(name: str, gguf: str) -> Reached:
    file = parse_hub_name(gguf)
    path = hub(os.environ).cache_dir.joinpath(file.repo, file.revision, file.path)
    if path.is_file():
        return _sound(name, path, None)
    said = "not here yet: it is downloaded when the gateway starts"
    return Reached(deployment=name, state="remark", said=said)


def _sound(name: str, path: Path, sha256: str | None) -> Reached:
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            said = f"{path} is no GGUF file"
            return Reached(deployment=name, state="wrong", said=said, next="convert or download it")
        file.seek(0)
        found = hashlib.file_digest(file, "sha256").hexdigest() if sha256 else None
    if found != sha256:
        said = f"{path.name} is not the file that was shipped"
        return Reached(deployment=name, state="wrong", said=said, next="install the package again")
    size = path.stat().st_size / 1e6
    more = ", its checksum holds" if sha256 else ""
    return Reached(deployment=name, state="ok", said=f"{path.name}, {size:.1f} MB{more}")


def _shipped_sha256(path: Path) -> str | None:
    """The checksum that came with the package; None for a file it does not tell of."""
    from pointsman.demo.portfolio import facts

    try:
        models = facts()["models"].values()
    except (OSError, KeyError, ValueError):
        return None
    return next((each["sha256"] for each in models if each["file"] == path.name), None)
