"""From the `gguf` a configuration names to a file on this disk: a path, a shipped or a hub file."""

import asyncio
import difflib
import re
import threading
from collections.abc import Callable
from pathlib import Path

from pointsman.backends.embedded_download import Stopped, fetch
from pointsman.backends.embedded_hub import Hub, HubFile
from pointsman.domain.errors import ConfigurationError

OnProgress = Callable[[int, int], None]
"""Hears (bytes done, bytes in all), at most a few times a second."""

SHIPPED = Path(__file__).resolve().parent.parent / "embedded" / "models"
_HUB = re.compile(
    r"hub:(?P<repo>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[\w.-]+))?/(?P<file>[\w.+-]+(?:/[\w.+-]+)*)"
)
_PART_OF_MANY = re.compile(r"-\d{5}-of-\d{5}\.gguf$")


def default_cache_dir(*, home: Path, xdg_cache_home: str | None) -> Path:
    """Where hub files go unless configured: `$XDG_CACHE_HOME/pointsman/models`."""
    return (Path(xdg_cache_home) if xdg_cache_home else home / ".cache") / "pointsman" / "models"


def shipped_models(folder: Path = SHIPPED) -> tuple[str, ...]:
    """Names after `embedded:`."""
    return tuple(sorted(path.stem for path in folder.glob("*.gguf")))


async def locate(
    gguf: str, *, hub: Hub | None = None, on_progress: OnProgress | None = None
) -> Path:
    """The file that `gguf` names, downloaded first if it is a hub file not in the cache yet.

    Args: gguf is a path, `embedded:NAME` or `hub:OWNER/REPO[@REVISION]/FILE.gguf`; hub None
    refuses hub names. Cancelling stops a download within its timeout; what came stays for a resume.
    Raises: ConfigurationError when there is no such file; UpstreamError when the hub fails.
    """
    if gguf.startswith("embedded:"):
        return shipped_path(gguf.removeprefix("embedded:"))
    if gguf.startswith("hub:"):
        file = parse_hub_name(gguf)
        if hub is None:
            raise ConfigurationError(
                f"'{gguf}' cannot be downloaded",
                why="no folder for downloaded models was given",
                next="give the path of a GGUF file instead",
            )
        return await _fetched(file, hub, on_progress)
    return _existing_path(gguf)


def shipped_path(name: str, *, folder: Path = SHIPPED) -> Path:
    """The file of a model that comes with the package.

    Raises: ConfigurationError that lists what exists.
    """
    names = shipped_models(folder)
    if name in names:
        return folder / f"{name}.gguf"
    nearest = difflib.get_close_matches(name, names, n=1)
    raise ConfigurationError(
        f"no embedded model is called '{name}'",
        why=f"the package has: {_names(folder)}",
        next=f"use embedded:{(nearest or names or ('NAME',))[0]}",
    )


def parse_hub_name(gguf: str) -> HubFile:
    """The parts of `hub:OWNER/REPO[@REVISION]/FILE.gguf`.

    Raises: ConfigurationError when it is not of that form, or names one part of a split model.
    """
    match = _HUB.fullmatch(gguf)
    dotted = any(not part.strip(".") for part in re.split("[:/@]", gguf))
    if match is None or dotted or not gguf.endswith(".gguf"):
        raise ConfigurationError(
            f"'{gguf}' names no file on the hub",
            why="the form is hub:OWNER/REPO/FILE.gguf, or hub:OWNER/REPO@REVISION/FILE.gguf",
            next="for example hub:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf",
        )
    if _PART_OF_MANY.search(gguf):
        raise ConfigurationError(
            f"'{gguf}' is one part of a split model",
            why="only models of one file are downloaded",
            next="download all parts and give the path of the first",
        )
    return HubFile(repo=match["repo"], revision=match["revision"] or "main", path=match["file"])


def _existing_path(gguf: str) -> Path:
    path = Path(gguf).expanduser()
    if not path.is_file():
        raise ConfigurationError(
            f"no model file at '{gguf}'",
            why="there is no such file" if not path.exists() else "that is not a file",
            next=f"give a path, embedded:NAME ({_names()}) or hub:OWNER/REPO/FILE.gguf",
        )
    return path.resolve()


async def _fetched(file: HubFile, hub: Hub, on_progress: OnProgress | None) -> Path:
    """Download in a thread; progress is told in the event loop."""
    loop, stop = asyncio.get_running_loop(), threading.Event()

    def tell(done: int, total: int) -> None:
        if on_progress is not None and not stop.is_set():
            loop.call_soon_threadsafe(on_progress, done, total)

    try:
        return await asyncio.to_thread(fetch, file, hub, on_progress=tell, stop=stop)
    except Stopped as error:  # only we set it
        raise asyncio.CancelledError from error
    finally:
        stop.set()


def _names(folder: Path = SHIPPED) -> str:
    return ", ".join(shipped_models(folder)) or "none"
